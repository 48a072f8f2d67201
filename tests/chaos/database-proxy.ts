import { connect, createServer, type Socket } from 'node:net';
import type { Instant } from './plan.ts';
import { makeWatch, type Watch } from './watch.ts';

/** Between one process and PostgreSQL: sees what is said, and can cut or hold it. */
export interface DatabaseProxy extends Omit<Watch, 'isAt'> {
  port: number;
  /** `refuses`: nobody is let in and all are cut off. `silent`: nothing passes, nobody is told. */
  mode: 'open' | 'refuses' | 'silent';
  setMode: (mode: DatabaseProxy['mode']) => void;
  close: () => Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
  /** Statements that were prepared on this connection, by what they mean. */
  prepared: Map<string, Pair['doing']>;
  /** What the process is in the middle of. */
  doing: 'nothing' | 'keeping' | 'inserting' | 'drained' | 'committing';
}

/** Opens a proxy to the PostgreSQL whose Unix socket this is. */
export async function openDatabaseProxy(socket_path: string): Promise<DatabaseProxy> {
  const pairs = new Set<Pair>();
  const { isAt, ...watch } = makeWatch();

  const cut = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  };

  const listener = createServer((client) => {
    if (it.mode === 'refuses') return void client.destroy();
    const server = connect(socket_path);
    const pair: Pair = { client, server, prepared: new Map(), doing: 'nothing' };
    pairs.add(pair);
    for (const socket of [client, server]) {
      socket.on('error', () => cut(pair));
      socket.on('close', () => cut(pair));
    }
    client.on('data', (chunk: Buffer) => {
      const seen = instantsInQuestion(pair, chunk);
      if (seen.before.some(isAt)) return;
      server.write(chunk);
      seen.after.some(isAt);
    });
    server.on('data', (chunk: Buffer) => {
      if (instantsInAnswer(pair).some(isAt)) return;
      client.write(chunk);
    });
    if (it.mode === 'silent') pause(pair);
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const address = listener.address();

  const it: DatabaseProxy = {
    port: typeof address === 'object' && address ? address.port : 0,
    mode: 'open',
    ...watch,
    setMode: (mode) => {
      it.mode = mode;
      for (const pair of [...pairs]) {
        if (mode === 'refuses') cut(pair);
        else if (mode === 'silent') pause(pair);
        else resume(pair);
      }
    },
    close: async () => {
      for (const pair of [...pairs]) cut(pair);
      await new Promise((done) => listener.close(done));
    },
  };
  return it;
}

function pause({ client, server }: Pair): void {
  client.pause();
  server.pause();
}

function resume({ client, server }: Pair): void {
  client.resume();
  server.resume();
}

const meanings = [
  ['keep_inbox', 'keeping'],
  ['insert into payments', 'inserting'],
  ["update inbox set state = 'done'", 'drained'],
] as const;

/** What a process asks for, by the statement's text or by the name under which it was prepared. */
function meaningOf({ prepared }: Pair, chunk: Buffer): Pair['doing'] | undefined {
  for (const [text, meaning] of meanings) {
    const at = chunk.indexOf(text);
    if (at === -1) continue;
    // Before the text of a statement stands its name, each ended by a zero byte.
    const end = chunk.lastIndexOf(0, at);
    const name = /[\w-]{20}$/.exec(chunk.toString('latin1', Math.max(0, end - 64), end))?.[0];
    if (name) prepared.set(name, meaning);
    return meaning;
  }
  return [...prepared].find(([name]) => chunk.includes(name))?.[1];
}

/** What a question of the process means: the instants just before it passes, and just after. */
function instantsInQuestion(pair: Pair, chunk: Buffer): { before: Instant[]; after: Instant[] } {
  if (chunk[0] === 0x51 && chunk.includes('commit')) {
    const before: Instant[] = pair.doing === 'drained' ? ['drained_not_committed'] : [];
    pair.doing = pair.doing === 'drained' ? 'committing' : 'nothing';
    return { before, after: [] };
  }
  const meaning = meaningOf(pair, chunk);
  if (meaning) pair.doing = meaning;
  return meaning === 'keeping'
    ? { before: ['received'], after: ['inserted_unknown'] }
    : { before: [], after: [] };
}

function instantsInAnswer(pair: Pair): Instant[] {
  const { doing } = pair;
  if (doing === 'keeping') {
    pair.doing = 'nothing';
    return ['committed_not_answered'];
  }
  if (doing === 'inserting') {
    pair.doing = 'nothing';
    return ['inserted_not_committed'];
  }
  if (doing === 'committing') {
    pair.doing = 'nothing';
    return ['commit_unknown'];
  }
  return [];
}
