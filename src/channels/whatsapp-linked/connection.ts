import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ConnectionState,
  WAMessage,
  WAMessageUpdate,
  WASocket,
} from '@whiskeysockets/baileys';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { log } from '../../base/log.ts';
import type { Baileys } from './baileys.ts';
import { quiet_log } from './baileys.ts';
import { afterClose, type Next, type Trouble } from './disconnects.ts';
import { openJournal } from './journal.ts';
import { type Identity, type KeyStore, loadIdentity } from './keys.ts';
import type { LinkedStatus } from './payloads.ts';
import { type Heard, readMessage } from './read.ts';

/** A linked number, and who is told of what happens on it. */
export interface Linked {
  baileys: Baileys;
  /** 254…: the one that is to be linked, and no other. */
  number: string;
  /** Where WhatsApp is, when it is not WhatsApp: a server of tests. */
  url: string | undefined;
  store: KeyStore;
  /** Forgets credentials and keys. */
  forget: () => Promise<void>;
  /** Resolves once a person asks for it to be linked, or to begin again. */
  wanted: (stopping: AbortSignal) => Promise<{ by_code: boolean }>;
  /** What is to be scanned or typed; undefined when it is no more. */
  offer: (it: { qr: string } | { code: string } | undefined) => Promise<void>;
  tell: (
    state: 'unlinked' | 'linking' | 'connecting' | 'resting' | 'stopped',
    trouble?: Trouble,
  ) => Promise<void>;
  /** Open: until the line is closed messages may be sent on it. */
  opened: (line: Line) => Promise<void>;
  /** Resolves once the message is kept: only then is WhatsApp told that it has arrived. */
  keep: (message: Heard) => Promise<void>;
  report: (statuses: LinkedStatus[]) => Promise<void>;
  /** Words of ours that somebody's phone could not read and asks for again, by their id. */
  sentBefore: (id: string) => Promise<string | undefined>;
  now: () => number;
  random: () => number;
}

/** An open connection. */
export interface Line {
  closed: AbortSignal;
  /**
   * Sends words under this id and resolves once WhatsApp has taken them. Throws ProviderError, with
   * the code 463 where we may begin no conversation for now.
   */
  send: (chat: string, text: string, id: string) => Promise<void>;
}

const window_ms = 10 * 60_000;
const steady_after_ms = 60_000;
const ack_within_ms = 10_000;

/** Keeps the number connected until told to stop. Throws when its keys cannot be kept. */
export async function keepConnected(it: Linked, stopping: AbortSignal): Promise<void> {
  let failures: number[] = [];
  let replacements = 0;
  let by_code = false;
  if (!isLinked(await loadIdentity(it.baileys, it.store))) {
    ({ by_code } = await waitForPerson(it, 'unlinked', stopping));
  }
  while (!stopping.aborted) {
    const { status, linked, open_ms, was_another } = await untilClosed(it, by_code, stopping);
    await it.offer(undefined);
    if (stopping.aborted) return;
    if (open_ms > steady_after_ms) failures = [];
    replacements = status === 440 ? replacements + 1 : 0;
    failures = [...failures.filter((at) => at > it.now() - window_ms), it.now()];
    const next: Next = was_another
      ? { do: 'unlink', trouble: 'another' }
      : afterClose(status, {
          linked,
          failures: failures.length,
          replacements,
          random: it.random(),
        });
    if (next.do === 'again' && !next.counts) failures.pop();
    log.warn(
      { status, next: next.do, trouble: next.trouble },
      'the linked number was disconnected',
    );
    if (next.do === 'again') {
      if (next.after_ms > 0) await it.tell('resting', next.trouble);
      ({ by_code } = (await rest(it, next.after_ms, stopping)) ?? { by_code });
      continue;
    }
    if (next.do === 'unlink') await it.forget();
    const waits_as = next.do === 'unlink' ? 'unlinked' : 'stopped';
    ({ by_code } = await waitForPerson(it, waits_as, stopping, next));
    failures = [];
    replacements = 0;
  }
}

// A person who asks for it to begin again is not kept waiting.
async function rest(
  it: Linked,
  for_ms: number,
  stopping: AbortSignal,
): Promise<{ by_code: boolean } | undefined> {
  const over = new AbortController();
  const signal = AbortSignal.any([stopping, over.signal]);
  const wish = await Promise.race([
    sleep(for_ms, undefined, { signal }).catch(() => undefined),
    it.wanted(signal),
  ]);
  over.abort();
  return wish;
}

async function waitForPerson(
  it: Linked,
  state: 'unlinked' | 'stopped',
  stopping: AbortSignal,
  next?: Next,
): Promise<{ by_code: boolean }> {
  await it.tell(state, next?.trouble);
  return it.wanted(stopping);
}

interface Closed {
  status: number | undefined;
  linked: boolean;
  open_ms: number;
  /** Another number than the one that is wanted was linked. */
  was_another: boolean;
}

async function untilClosed(it: Linked, by_code: boolean, stopping: AbortSignal): Promise<Closed> {
  const closing = new AbortController();
  const failed = (error: unknown) => {
    log.error({ error: messageOf(error) }, 'the linked number cannot go on; it begins again');
    void sock.end(undefined);
  };
  const keep = async (message: WAMessage) => {
    const heard = readMessage(it.baileys, message, it.now() / 1_000);
    if (heard) await it.keep(await withBoth(identity, heard));
  };
  const journal = openJournal({ store: it.store, keep, failed });
  // What began to be linked by a code and did not end would try to log in.
  if (!isLinked(await loadIdentity(it.baileys, it.store))) await it.forget();
  // Anew each time: what was not written did not happen.
  const identity = await loadIdentity(it.baileys, journal.store);
  await it.tell(isLinked(identity) ? 'connecting' : 'linking');
  const sock = openSocket(it, identity);
  journal.attach(sock);
  const line = lineOn(sock, closing.signal);
  let opened_at: number | undefined;
  let was_another = false;
  let asked_for_code = false;

  sock.ev.on('creds.update', () => void identity.save());
  sock.ev.on('messages.update', (updates) => {
    const statuses = updates.flatMap(statusOf);
    if (statuses.length > 0) void it.report(statuses).catch(failed);
  });

  const stop = () => void sock.end(undefined);
  // A portal or a proxy has answered, and Baileys would wait on.
  sock.ws.on('unexpected-response', stop);
  stopping.addEventListener('abort', stop, { once: true });
  if (stopping.aborted) stop();
  const closed = Promise.withResolvers<Closed>();
  sock.ev.on('connection.update', (update) => {
    if (update.qr && by_code && !asked_for_code) {
      asked_for_code = true;
      const asking = sock.requestPairingCode(it.number);
      asking.then((code) => it.offer({ code })).catch(failed);
    } else if (update.qr && !by_code) void it.offer({ qr: update.qr }).catch(failed);
    if (update.connection === 'open') {
      if (isAnother(it, identity)) {
        was_another = true;
        void sock.logout().catch(failed);
      } else {
        opened_at = it.now();
        void it.opened(line).catch(failed);
      }
    }
    if (update.connection === 'close') {
      closing.abort();
      stopping.removeEventListener('abort', stop);
      const open_ms = opened_at === undefined ? 0 : it.now() - opened_at;
      const ended = { status: statusIn(update), linked: isLinked(identity), open_ms, was_another };
      void journal.end().then(() => closed.resolve(ended));
    }
  });
  return closed.promise;
}

/** An account's number and id, where this device has learnt what a message does not say. */
async function withBoth({ keys }: Identity, heard: Heard): Promise<Heard> {
  const { number, lid } = heard;
  const known = number ?? (lid && `${lid.replace('@lid', '')}_reverse`);
  if (known === null || (number !== null && lid !== null)) return heard;
  // Read, not asked of WhatsApp: what is asked would wait behind this message.
  const { [known]: other } = await keys.get('lid-mapping', [known]);
  if (other === undefined) return heard;
  return number === null ? { ...heard, number: other } : { ...heard, lid: `${other}@lid` };
}

function openSocket({ baileys, url, sentBefore }: Linked, { creds, keys }: Identity): WASocket {
  return baileys.makeWASocket({
    auth: { creds, keys: baileys.makeCacheableSignalKeyStore(keys, quiet_log) },
    logger: quiet_log,
    // The phone goes on ringing.
    markOnlineOnConnect: false,
    syncFullHistory: false,
    emitOwnEvents: false,
    shouldIgnoreJid: (jid) => !/@(?:lid|s\.whatsapp\.net)$/.test(jid),
    getMessage: async ({ id }) => {
      const text = id ? await sentBefore(id) : undefined;
      return text === undefined ? undefined : { conversation: text };
    },
    ...(url === undefined ? {} : { waWebSocketUrl: url }),
  });
}

// What a phone signs when it takes us as its device; `registered` is of those linked by a code.
function isLinked({ creds }: Identity): boolean {
  return creds.account !== undefined;
}

function isAnother({ number }: Linked, { creds }: Identity): boolean {
  // Before it is linked, it may stand there without its number.
  const me: { id?: string } = creds.me ?? {};
  const linked = me.id?.replace(/[:@].*$/, '');
  return linked !== undefined && linked !== number;
}

function statusIn({ lastDisconnect }: Partial<ConnectionState>): number | undefined {
  const error = lastDisconnect?.error;
  // What the network said is no word of WhatsApp's about the number.
  if (!error || error.message.startsWith('WebSocket Error')) return undefined;
  return 'output' in error ? error.output.statusCode : undefined;
}

const delivered_from = 3;
const failed_at = 0;

// Only what was said of our own messages; what was refused carries its number as a text.
function statusOf({ key, update }: WAMessageUpdate): LinkedStatus[] {
  const { messageStubParameters } = update;
  const status: number | null | undefined = update.status;
  if (!key.fromMe || !key.id || status === undefined || status === null) return [];
  if (status >= delivered_from) return [{ id: key.id, outcome: 'delivered', error: null }];
  if (status !== failed_at) return [];
  const code = messageStubParameters?.[0] ?? 'without a number';
  return [{ id: key.id, outcome: 'failed', error: `WhatsApp ${code}` }];
}

function lineOn(sock: WASocket, closed: AbortSignal): Line {
  const waiting = new Map<string, (error?: ProviderError) => void>();
  sock.ws.on('CB:ack,class:message', ({ attrs }: { attrs: Record<string, string> }) => {
    const { id = '', error } = attrs;
    waiting.get(id)?.(error ? refusal(error) : undefined);
  });
  closed.addEventListener('abort', () => {
    for (const end of waiting.values())
      end(new ProviderError('unknown', 'closed', 'the line closed'));
  });
  return {
    closed,
    async send(chat, text, id) {
      if (closed.aborted) throw new ProviderError('retryable', 'closed', 'the line is closed');
      const taken = new Promise<void>((done, failed) => {
        const late = () => waiting.get(id)?.(new ProviderError('unknown', 'no_answer'));
        const patience = setTimeout(late, ack_within_ms);
        waiting.set(id, (error) => {
          clearTimeout(patience);
          waiting.delete(id);
          if (error) failed(error);
          else done();
        });
      });
      const sending = sock.sendMessage(chat, { text }, { messageId: id });
      sending.catch((error: unknown) => {
        waiting.get(id)?.(new ProviderError('unknown', 'not_sent', messageOf(error)));
      });
      await taken;
    },
  };
}

// 463: an account that may begin no conversations; to try again makes it worse.
function refusal(code: string): ProviderError {
  return new ProviderError('refused', code, `WhatsApp ${code}`);
}
