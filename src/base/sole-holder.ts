import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { messageOf } from './errors.ts';
import { log } from './log.ts';

/** What one process of all may hold. */
export interface Held {
  /** Aborted once it may be another's: from then on nothing may be done with it. */
  lost: AbortSignal;
  release: () => Promise<void>;
}

const ask_again_ms = 500;
const look_every_ms = 2_000;
const longest_silence_ms = 5_000;

/**
 * Waits until nobody else holds the advisory lock of this number, and takes it; undefined when told
 * to stop first. The lock lives with its connection, which is this process's alone: a killed one
 * gives it up at once.
 */
export async function holdAlone(
  url: string,
  number: number,
  stopping: AbortSignal,
): Promise<Held | undefined> {
  while (!stopping.aborted) {
    const held = await tryToHold(url, number).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'waiting for the database');
      return undefined;
    });
    if (held) return held;
    await sleep(ask_again_ms, undefined, { signal: stopping }).catch(() => undefined);
  }
  return undefined;
}

async function tryToHold(url: string, number: number): Promise<Held | undefined> {
  const client = new Client({
    connectionString: url,
    application_name: 'karani sole holder',
    connectionTimeoutMillis: longest_silence_ms,
    keepAlive: true,
    // One that is frozen asks nothing any more, and lets go.
    options: '-c idle_session_timeout=15000',
  });
  const gone = new AbortController();
  client.on('error', () => gone.abort());
  client.on('end', () => gone.abort());
  try {
    await client.connect();
    const { rows } = await client.query<{ mine: boolean }>(
      'select pg_try_advisory_lock($1) as mine',
      [number],
    );
    if (rows[0]?.mine !== true) {
      await client.end();
      return undefined;
    }
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  // A connection that says nothing may have ended long ago at the other side.
  const looking = setInterval(() => void look(client, gone), look_every_ms);
  gone.signal.addEventListener('abort', () => clearInterval(looking));
  return {
    lost: gone.signal,
    release: async () => {
      clearInterval(looking);
      await client.end().catch(() => undefined);
    },
  };
}

async function look(client: Client, gone: AbortController): Promise<void> {
  const silence = setTimeout(() => gone.abort(), longest_silence_ms);
  await client.query('select').catch(() => gone.abort());
  clearTimeout(silence);
}
