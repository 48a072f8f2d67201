import { closeSync, existsSync, fstatSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { sqlState } from './db.ts';
import { messageOf, SetupError } from './errors.ts';
import { log } from './log.ts';
import { hasTables, makeSocketDir, makeTables, openFolder, openLog } from './postgres-folder.ts';
import { removeHalfMade, removeSocketDir, type PostgresFolder } from './postgres-folder.ts';
import { spawnServer } from './postgres-program.ts';
import { disownStaleNote, runningPostmaster, stopPostmaster } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';

export interface EmbeddedPostgres {
  /** For node-postgres. The server listens on a Unix socket only. */
  url: string;
  /** Whether it ran already, left by a Karani that was killed. */
  adopted: boolean;
  /** Stops the server. May be called again. */
  stop: () => Promise<void>;
}

export interface EmbeddedOptions {
  /** Told in one line what takes a moment. */
  say?: (line: string) => void;
  /** PostgreSQL's own settings, over ours. */
  settings?: Record<string, string>;
}

const database = 'karani';
const port = '5432';
const our_settings: Record<string, string> = {
  shared_buffers: '256MB',
  max_connections: '200',
  // Checkpoints by the clock: with less room, many callbacks at once force one every few seconds.
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Details quote the row that was refused, with people's numbers in it.
  log_error_verbosity: 'terse',
};

// Held on one connection as long as we run; the server lets it go when that connection ends, be it
// by kill -9. The number means nothing but this.
const lock = 7_254_002;
const no_answer_ms = 15_000;
// The connection of a killed Karani ends a moment after it did.
const still_taken_ms = 1_000;
const slow_start_ms = 3_000;

/**
 * Starts the PostgreSQL of this data folder, or adopts the one that a killed Karani left running,
 * and holds the folder until `stop`. When the server ends meanwhile it is started again at the same
 * address. Throws SetupError, one line that says what to do.
 */
export async function startPostgres(
  data_dir: string,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  const folder = await openFolder(data_dir);
  const settings = { ...our_settings, ...options.settings };
  if (!hasTables(folder)) {
    options.say?.(`Making the database in ${folder.data_dir} …`);
    await makeTables(folder, settings['fsync'] !== 'off');
  }
  const held = await hold({ folder, settings, say: options.say });
  const keeper = keep({ folder, settings }, held);
  try {
    removeHalfMade(folder);
    await makeDatabase(held.client);
  } catch (error) {
    await keeper.stop();
    throw new SetupError(`PostgreSQL could not make its database: ${messageOf(error)}.`);
  }
  return { url: urlFor(held.server.socket_dir, database), adopted: held.adopted, ...keeper };
}

/** Whether Karani has made a database in this data folder. */
export function hasDatabase(data_dir: string): boolean {
  return existsSync(join(data_dir, 'postgres', 'PG_VERSION'));
}

/** The address of the PostgreSQL that Karani runs on this data folder, for a command beside it. */
export function runningPostgresUrl(data_dir: string): string | undefined {
  const cluster_dir = join(data_dir, 'postgres');
  if (!existsSync(cluster_dir)) return undefined;
  const server = runningPostmaster(realpathSync(cluster_dir));
  return server?.ready ? urlFor(server.socket_dir, database) : undefined;
}

interface Start {
  folder: PostgresFolder;
  settings: Record<string, string>;
  say?: ((line: string) => void) | undefined;
  /** Where its socket has to be, once that was told to anyone. */
  socket_dir?: string;
}

interface Held {
  server: Postmaster;
  client: Client;
  adopted: boolean;
}

/** Takes the folder again whenever its server ends, and stops it for good in the end. */
function keep(start: Start, first: Held) {
  const { socket_dir } = first.server;
  let held: Held | undefined;
  let stopping: Promise<void> | undefined;
  let returning = Promise.resolve();

  const watch = (now: Held): void => {
    held = now;
    now.client.once('end', () => {
      held = undefined;
      if (!stopping) returning = takeAgain();
    });
  };
  const takeAgain = async (): Promise<void> => {
    log.warn('the database ended; starting it again');
    let told = '';
    for (;;) {
      try {
        return watch(await hold({ ...start, socket_dir }));
      } catch (error) {
        if (told !== messageOf(error)) log.error({ error: messageOf(error) }, 'no database');
        told = messageOf(error);
      }
      if (stopping) return;
      await sleep(500);
    }
  };
  const stopAll = async (): Promise<void> => {
    await returning;
    // Without its lock the server may be another Karani's by now.
    const last = held;
    if (!last) return;
    await stopPostmaster(last.server.pid, start.folder.cluster_dir);
    await last.client.end().catch(() => undefined);
    removeSocketDir(socket_dir);
  };
  watch(first);
  return { stop: () => (stopping ??= Promise.resolve().then(stopAll)) };
}

/** Sees that the server runs and takes its lock. Of two that try at once, one gets it. */
async function hold(start: Start): Promise<Held> {
  const { data_dir, cluster_dir } = start.folder;
  let adopted = true;
  let answer_until = Date.now() + no_answer_ms;
  let taken_since: number | undefined;
  for (;;) {
    let server = runningPostmaster(cluster_dir);
    if (!server) {
      server = await startServer(start, answer_until);
      if (server) adopted = false;
    }
    const client = await takeLock(server?.socket_dir);
    if (server && typeof client === 'object') {
      if (!start.socket_dir || start.socket_dir === server.socket_dir) {
        return { server, client, adopted };
      }
      // Another Karani came and was killed in between; our pools look for it at its old address.
      await stopPostmaster(server.pid, cluster_dir);
      continue;
    }
    if (client === 'starting') answer_until = Date.now() + no_answer_ms;
    if (client === 'taken') taken_since ??= Date.now();
    if (taken_since && Date.now() - taken_since > still_taken_ms) {
      throw new SetupError(
        `Karani is already running on this data folder (${data_dir}). ` +
          'Stop it first, or set KARANI_DATA to another folder.',
      );
    }
    if (Date.now() > answer_until) {
      throw new SetupError(
        `PostgreSQL runs on ${cluster_dir} as process ${server?.pid ?? 'unknown'} and does not ` +
          'answer. Stop that process, then start Karani again.',
      );
    }
    await sleep(server ? 50 : 200);
  }
}

/** Starts the server and waits until it is ready. Undefined when it is worth looking again. */
async function startServer(start: Start, until: number): Promise<Postmaster | undefined> {
  const { folder, settings } = start;
  if (!hasTables(folder)) throw new SetupError(`The database ${folder.cluster_dir} is gone.`);
  const stale = disownStaleNote(folder.cluster_dir);
  if (stale) removeSocketDir(stale);
  const fd = openLog(folder);
  const log_length = fstatSync(fd).size;
  const socket_dir = makeSocketDir(folder, start.socket_dir);
  const given = {
    ...settings,
    listen_addresses: '',
    port,
    unix_socket_directories: `"${socket_dir.replaceAll('"', '""')}"`,
  };
  const options = Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawnServer(folder.program, ['-D', folder.cluster_dir, ...options], fd);
  closeSync(fd);
  const ended: string[] = [];
  child.once('error', (error) => ended.push(error.message));
  child.once('exit', () => ended.push(''));
  const slow_at = Date.now() + slow_start_ms;
  let { say } = start;
  while (ended.length === 0) {
    const server = runningPostmaster(folder.cluster_dir);
    if (server?.ready && server.pid === child.pid) return server;
    if (Date.now() > slow_at) {
      say?.('The database was cut off last time and is putting itself in order …');
      say = undefined;
    }
    await sleep(10);
  }

  if (!start.socket_dir) removeSocketDir(socket_dir);
  const said = readFileSync(folder.log_path).subarray(log_length).toString('utf8');
  // Another start came first, or what a killed server had running has not ended yet.
  const passing = /lock file .* already exists|shared memory block .* still in use/.test(said);
  if (passing && Date.now() < until) return undefined;
  const reason = ended[0] || /(?:FATAL|PANIC|ERROR): +(.*)/i.exec(said)?.[1] || said.trim();
  throw new SetupError(`PostgreSQL did not start: ${reason}. Its log is ${folder.log_path}.`);
}

/** A connection that holds the folder's lock, or why there is none. */
async function takeLock(
  socket_dir: string | undefined,
): Promise<Client | 'taken' | 'starting' | 'silent'> {
  if (!socket_dir) return 'silent';
  const client = new Client({
    connectionString: urlFor(socket_dir, 'postgres'),
    application_name: 'karani (holds the data folder)',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const asked = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) mine', [
      lock,
    ]);
    if (asked.rows[0]?.mine) return client;
    await client.end();
    return 'taken';
  } catch (error) {
    await client.end().catch(() => undefined);
    return sqlState(error) === '57P03' ? 'starting' : 'silent';
  }
}

async function makeDatabase(client: Client): Promise<void> {
  const found = await client.query('select 1 from pg_database where datname = $1', [database]);
  if (found.rows.length === 0) await client.query(`create database ${database}`);
}

/**
 * Port and the like are named because the environment's PGPORT, PGSSLMODE would count otherwise.
 */
function urlFor(socket_dir: string, name: string): string {
  const host = encodeURIComponent(socket_dir);
  return `postgres://karani@/${name}?host=${host}&port=${port}&sslmode=disable`;
}
