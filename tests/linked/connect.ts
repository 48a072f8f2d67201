import * as baileys from '@whiskeysockets/baileys';
import type { BinaryNode, WASocket } from '@whiskeysockets/baileys';
import { onTestFinished } from 'vitest';
import { loadBaileys, quiet_log } from '../../src/channels/whatsapp-linked/baileys.ts';
import {
  keepConnected,
  type Line,
  type Linked,
} from '../../src/channels/whatsapp-linked/connection.ts';
import type { KeyStore } from '../../src/channels/whatsapp-linked/keys.ts';
import type { LinkedStatus } from '../../src/channels/whatsapp-linked/payloads.ts';
import type { Heard } from '../../src/channels/whatsapp-linked/read.ts';
import { linkedCredentials, type LinkedWhatsApp, own_number } from '../helpers/linked-whatsapp.ts';
import { eventually } from '../helpers/process.ts';

export const patience_ms = 20_000;

/** Keys that outlive a connection, as the database has them. */
export function keyStore(credentials?: string) {
  const values = new Map<string, string>();
  let current = credentials;
  const store: KeyStore = {
    readCredentials: async () => current,
    read: async (type, ids) => {
      const found = ids.map((id) => [id, values.get(`${type} ${id}`)] as const);
      return new Map(found.flatMap(([id, text]) => (text === undefined ? [] : [[id, text]])));
    },
    write: async (changes, newer) => {
      current = newer ?? current;
      for (const { type, id, value } of changes) {
        if (value === null) values.delete(`${type} ${id}`);
        else values.set(`${type} ${id}`, value);
      }
    },
  };
  const forget = () => {
    values.clear();
    current = undefined;
  };
  return { ...store, forget, isEmpty: () => current === undefined };
}

type Wish = Promise<{ by_code: boolean }>;

/** A connection until the test ends, and what it has said so far. */
export async function connect(
  whatsapp: LinkedWhatsApp,
  {
    keys = keyStore(linkedCredentials()),
    wish,
    ...change
  }: Partial<Linked> & { keys?: ReturnType<typeof keyStore>; wish?: Wish } = {},
) {
  await loadBaileys();
  const sockets: WASocket[] = [];
  let muted = false;
  let left = 0;
  const makeWASocket: typeof baileys.makeWASocket = (config) => {
    const sock = baileys.makeWASocket(config);
    const { socket } = sock.ws as unknown as { socket: { send: (...args: unknown[]) => void } };
    const send = socket.send.bind(socket);
    socket.send = (...args) => {
      left += 1;
      if (!muted) send(...args);
    };
    sockets.push(sock);
    return sock;
  };
  const told: string[] = [];
  const offers: unknown[] = [];
  const heard: Heard[] = [];
  const reported: LinkedStatus[] = [];
  const lines: Line[] = [];
  const stopping = new AbortController();
  const until_stopped = new Promise<{ by_code: boolean }>((done) => {
    stopping.signal.addEventListener('abort', () => done({ by_code: false }));
  });
  const it: Linked = {
    baileys: { ...baileys, makeWASocket },
    number: own_number,
    url: whatsapp.url,
    store: keys,
    forget: async () => keys.forget(),
    wanted: () => Promise.race([until_stopped, ...(wish ? [wish] : [])]),
    offer: async (offer) => void offers.push(offer),
    tell: async (state, trouble) => void told.push(trouble ? `${state}: ${trouble}` : state),
    opened: async (line) => void lines.push(line),
    keep: async (message) => void heard.push(message),
    report: async (statuses) => void reported.push(...statuses),
    sentBefore: async () => undefined,
    now: Date.now,
    random: () => 0.001,
    ...change,
  };
  const running = keepConnected(it, stopping.signal);
  onTestFinished(async () => {
    stopping.abort();
    await running;
  });
  const line = async (nth = 1) => {
    await eventually(
      async () => lines.length,
      (open) => open >= nth,
      patience_ms,
    );
    return lines[nth - 1]!;
  };
  const hears = (event: string, node: BinaryNode) => sockets.at(-1)!.ws.emit(event, node);
  /** From now on nothing that the socket sends reaches the server, which cannot read all of it. */
  const mute = () => (muted = true);
  return {
    line,
    hears,
    mute,
    told,
    offers,
    heard,
    reported,
    sockets,
    /** How much has left so far, muted or not. */
    left: () => left,
  };
}

/** A phone that writes to whoever has these keys, encrypted as WhatsApp does. */
export async function encryptingPhone(keys: ReturnType<typeof keyStore>) {
  const { addTransactionCapability, BufferJSON, Curve, DEFAULT_CONNECTION_CONFIG } = baileys;
  const { encodeWAMessage, generateSignalPubKey, initAuthCreds } = baileys;
  const device = JSON.parse((await keys.readCredentials()) ?? '', BufferJSON.reviver) as ReturnType<
    typeof initAuthCreds
  >;
  const pre_key = Curve.generateKeyPair();
  const value = JSON.stringify(pre_key, BufferJSON.replacer);
  await keys.write([{ type: 'pre-key', id: '1', value }]);
  const own = new Map<string, unknown>();
  const store: baileys.SignalKeyStore = {
    get: async (type, ids) =>
      Object.fromEntries(
        ids.flatMap((id) => (own.has(`${type} ${id}`) ? [[id, own.get(`${type} ${id}`)]] : [])),
      ) as never,
    set: async (changes) => {
      for (const [type, values] of Object.entries(changes)) {
        for (const [id, kept] of Object.entries(values)) own.set(`${type} ${id}`, kept);
      }
    },
  };
  const options = { maxCommitRetries: 1, delayBetweenTriesMs: 0 };
  const auth = {
    creds: initAuthCreds(),
    keys: addTransactionCapability(store, quiet_log, options),
  };
  const phone = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, quiet_log);
  const to = `${own_number}@s.whatsapp.net`;
  const { keyId, keyPair, signature } = device.signedPreKey;
  await phone.injectE2ESession({
    jid: to,
    session: {
      registrationId: device.registrationId,
      identityKey: generateSignalPubKey(device.signedIdentityKey.public),
      signedPreKey: { keyId, publicKey: generateSignalPubKey(keyPair.public), signature },
      preKey: { keyId: 1, publicKey: generateSignalPubKey(pre_key.public) },
    },
  });
  return {
    /** The words as they are on their way. */
    says: async (text: string): Promise<BinaryNode> => {
      const data = encodeWAMessage({ conversation: text });
      const { type, ciphertext } = await phone.encryptMessage({ jid: to, data });
      return { tag: 'enc', attrs: { v: '2', type }, content: ciphertext };
    },
  };
}
