import type { BinaryNode, WASocket } from '@whiskeysockets/baileys';
import { onTestFinished } from 'vitest';
import { loadBaileys } from '../../src/channels/whatsapp-linked/baileys.ts';
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
  const baileys = await loadBaileys();
  const sockets: WASocket[] = [];
  let muted = false;
  const makeWASocket: typeof baileys.makeWASocket = (config) => {
    const sock = baileys.makeWASocket(config);
    const { socket } = sock.ws as unknown as { socket: { send: (...args: unknown[]) => void } };
    const send = socket.send.bind(socket);
    socket.send = (...args) => (muted ? undefined : send(...args));
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
  };
}
