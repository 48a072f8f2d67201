import type { WAMessage, WASocket } from '@whiskeysockets/baileys';
import type { KeyChange, KeyStore } from './keys.ts';

/**
 * Brings what happens on a socket into an order that outlives a crash: first a message is kept,
 * then the keys are written that were used up by reading it, then leaves what was said on it, such
 * as that it has arrived. Baileys by itself writes the keys, says that it has arrived, and tells us
 * last: if this process died in between, nobody would have the message, nor could read it again.
 */
export interface Journal {
  /** The keys as they are by now; what is written there is written in its turn. */
  store: KeyStore;
  /** From now on what this socket sends, and what it hears, goes by the journal. */
  attach: (sock: WASocket) => void;
  /** No more comes; resolves once all that has been heard is done. */
  end: () => Promise<void>;
}

export interface Keeping {
  store: KeyStore;
  /** Resolves once the message is kept, or if there is nothing to keep. */
  keep: (message: WAMessage) => Promise<void>;
  /** Something could not be kept or written: nothing that came after it is done any more. */
  failed: (error: unknown) => void;
}

interface Batch {
  message?: WAMessage;
  credentials?: string;
  changes: Map<string, KeyChange>;
  frames: (() => void)[];
}

// Of what belongs together Baileys does one thing right after the other: it writes the keys that a
// message has used up, says that it has arrived, and tells of it; it sends, and writes the keys.
const settled_after_ms = 5;

const emptyBatch = (): Batch => ({ changes: new Map(), frames: [] });
const nameOf = (type: string, id: string) => `${type}\n${id}`;

export function openJournal(keeping: Keeping): Journal {
  const { store } = keeping;
  const batches = takeBatches(keeping);
  return {
    attach: (sock) => listen(sock, batches),
    store: {
      readCredentials: () => store.readCredentials(),
      async read(type, ids) {
        // Baileys would take keys that cannot be read for keys that are not there, and let the
        // message go.
        const found = await store.read(type, ids).catch((error: unknown) => batches.fail(error));
        for (const changes of batches.unwritten()) {
          for (const id of ids) {
            const change = changes.get(nameOf(type, id));
            if (change?.value === null) found.delete(id);
            else if (change) found.set(id, change.value);
          }
        }
        return found;
      },
      write: async (changes, credentials) => batches.change(changes, credentials),
    },
    end: () => batches.end(),
  };
}

interface Batches {
  change: (changes: readonly KeyChange[], credentials: string | undefined) => void;
  leave: (send: () => void) => void;
  /** It comes before what has changed, and waits to leave, since the last batch. */
  heard: (message: WAMessage) => void;
  unwritten: () => ReadonlyMap<string, KeyChange>[];
  /** Nothing is done any more, and nothing leaves. Throws what it is told. */
  fail: (error: unknown) => never;
  end: () => Promise<void>;
}

function takeBatches({ store, keep, failed }: Keeping): Batches {
  let open = emptyBatch();
  let unwritten = [open];
  let doing = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  let over = false;

  async function work(batch: Batch): Promise<void> {
    const { message, credentials, changes, frames } = batch;
    if (over) return;
    try {
      if (message) await keep(message);
      if (credentials !== undefined || changes.size > 0) {
        await store.write([...changes.values()], credentials);
      }
      for (const send of frames) send();
    } catch (error) {
      over = true;
      failed(error);
    }
    unwritten = unwritten.filter((it) => it !== batch);
  }

  const close = (message?: WAMessage) => {
    clearTimeout(settling);
    const batch: Batch = message ? { ...open, message } : open;
    unwritten[unwritten.length - 1] = batch;
    open = emptyBatch();
    unwritten.push(open);
    const before = doing;
    doing = before.then(() => work(batch));
  };
  const closeSoon = () => {
    clearTimeout(settling);
    settling = setTimeout(close, settled_after_ms);
  };

  return {
    change(changes, credentials) {
      for (const change of changes) open.changes.set(nameOf(change.type, change.id), change);
      if (credentials !== undefined) open.credentials = credentials;
      closeSoon();
    },
    leave(send) {
      open.frames.push(send);
      closeSoon();
    },
    heard: close,
    fail(error) {
      over = true;
      failed(error);
      throw error;
    },
    unwritten: () => unwritten.map(({ changes }) => changes),
    async end() {
      close();
      await doing;
    },
  };
}

function listen(sock: WASocket, batches: Batches): void {
  // The socket below Baileys' own: what it sends through was taken before we could.
  const { socket } = sock.ws as unknown as { socket: { send: SendBytes } };
  const sendNow = socket.send.bind(socket);
  socket.send = (bytes, sent) => {
    batches.leave(() => sendNow(bytes));
    // It goes on once it believes that this has left.
    if (sent) setImmediate(sent);
  };
  // What is still to leave leaves before it closes.
  const close = sock.ws.close.bind(sock.ws);
  sock.ws.close = async () => {
    await batches.end();
    // It waits for an end that may have come meanwhile.
    if (!sock.ws.isClosed) await close();
  };
  // Those who listen to its events hear of messages only when it has caught up.
  const emit = sock.ev.emit.bind(sock.ev);
  sock.ev.emit = (event, data) => {
    if (event === 'messages.upsert') {
      for (const message of (data as { messages: WAMessage[] }).messages) batches.heard(message);
    }
    return emit(event, data);
  };
}

type SendBytes = (bytes: Uint8Array, sent?: (error?: Error) => void) => void;
