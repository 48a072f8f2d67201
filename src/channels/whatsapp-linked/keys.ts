import type {
  AuthenticationCreds,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
} from '@whiskeysockets/baileys';
import type { Baileys } from './baileys.ts';

/** Where the credentials and keys of the linked number are kept, as texts. */
export interface KeyStore {
  readCredentials: () => Promise<string | undefined>;
  /** By id; what is not there is left out. */
  read: (type: string, ids: readonly string[]) => Promise<Map<string, string>>;
  /** All of it at once or none; null takes away, and credentials stay if none are given. */
  write: (changes: readonly KeyChange[], credentials?: string) => Promise<void>;
}

export interface KeyChange {
  type: string;
  id: string;
  value: string | null;
}

export interface Identity {
  creds: AuthenticationCreds;
  keys: SignalKeyStore;
  /** Writes the credentials as they are. */
  save: () => Promise<void>;
}

/** The identity that is kept, or a new one that no phone knows yet. */
export async function loadIdentity(baileys: Baileys, store: KeyStore): Promise<Identity> {
  const { BufferJSON, initAuthCreds, proto } = baileys;
  const read = (text: string): unknown => JSON.parse(text, BufferJSON.reviver);
  const written = (value: unknown) => JSON.stringify(value, BufferJSON.replacer);
  const kept = await store.readCredentials();
  const creds = kept === undefined ? initAuthCreds() : (read(kept) as AuthenticationCreds);

  const keys: SignalKeyStore = {
    async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const found = await store.read(type, ids);
      const values = [...found].map(([id, text]) => {
        const value = read(text);
        const is_message = type === 'app-state-sync-key' && value;
        return [id, is_message ? proto.Message.AppStateSyncKeyData.fromObject(value) : value];
      });
      return Object.fromEntries(values) as Record<string, SignalDataTypeMap[T]>;
    },
    async set(changes: SignalDataSet) {
      const all = Object.entries(changes).flatMap(([type, values]) =>
        Object.entries(values).map(([id, value]): KeyChange => {
          const is_there = value !== null && value !== undefined;
          return { type, id, value: is_there ? written(value) : null };
        }),
      );
      if (all.length > 0) await store.write(all);
    },
  };

  return { creds, keys, save: () => store.write([], written(creds)) };
}
