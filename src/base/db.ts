import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { Pool, types as defaults, type CustomTypesConfig } from 'pg';
import { batching, outdated_plan, sendAhead } from './connection.ts';
import { log } from './log.ts';
import type { Schema } from './schema.ts';

/** The database as readers take it. */
export type Db = Kysely<Schema>;
/** An open transaction, as every verb that writes takes it; a bare `Db` does not compile there. */
export type Tx = Transaction<Schema>;

const int8_oid = 20;
const date_oid = 1082;

// int8 is bigint (money, ids) and a date stays "2026-02-03": a Date would drag a time zone in.
const types: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === int8_oid) return BigInt;
    if (oid === date_oid) return (text: string) => text;
    return defaults.getTypeParser(oid, format);
  }) as CustomTypesConfig['getTypeParser'],
};

/** The pool of connections, and the query builder on it. */
export interface Database {
  db: Db;
  pool: Pool;
}

/**
 * How long the database may take before whoever waits is told that it is away. PostgreSQL itself
 * keeps the first three: a process that is frozen in the middle holds its locks no longer.
 */
export interface Patience {
  /** For a row or table that another transaction holds. */
  lock_ms: number;
  /** For one statement. */
  statement_ms: number;
  /** For a transaction of which nothing is asked. */
  idle_ms: number;
  /**
   * For any answer at all: a database that says nothing more cannot keep the limits above. Longer
   * than two statements take, since several are answered at once.
   */
  silence_ms?: number;
}

/** For what somebody waits for: our transactions do nothing but talk to the database. */
export const while_serving = {
  lock_ms: 5_000,
  statement_ms: 10_000,
  idle_ms: 10_000,
  silence_ms: 20_000,
} satisfies Patience;

/**
 * Opens the pool of connections. Nothing is connected until the first query. Without a `patience`
 * each statement takes what it takes, as migrations and proofs do.
 */
export function openDatabase(url: string, size = 32, patience?: Patience): Database {
  const pool = openPool({ url, size, patience, name: 'karani', types });
  const dialect = new PostgresDialect({ pool: batching(pool) });
  return { db: new Kysely<Schema>({ dialect }), pool };
}

interface PoolNeeds {
  url: string;
  size: number;
  /** What PostgreSQL shows of its connections. */
  name: string;
  patience?: Patience | undefined;
  types?: CustomTypesConfig;
}

/** Opens a pool that outlives the loss of its connections. */
export function openPool({ url, size, name, patience, types: read_as }: PoolNeeds): Pool {
  const silence_ms = patience?.silence_ms;
  const pool = new Pool({
    connectionString: url,
    max: size,
    ...(read_as ? { types: read_as } : {}),
    application_name: name,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    lock_timeout: patience?.lock_ms,
    statement_timeout: patience?.statement_ms,
    idle_in_transaction_session_timeout: patience?.idle_ms,
    ...(silence_ms === undefined ? {} : { stream: () => impatientSocket(silence_ms) }),
  });
  surviveLoss(pool);
  return pool;
}

// Not node-postgres' own query_timeout: that leaves the connection open, with the unanswered query
// still on it. The pool closes an idle connection long before it has been silent for too long.
function impatientSocket(silence_ms: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(silence_ms, () => {
    const silent = new Error(`the database has said nothing for ${silence_ms / 1_000} seconds`);
    socket.destroy(Object.assign(silent, { code: 'ETIMEDOUT' }));
  });
}

// Keeps the loss of a connection from ending the process: whoever waits on it is told by the query,
// and the pool opens another. Both handlers stay for good, since a connection may end while nobody
// looks at it.
function surviveLoss(pool: Pool): void {
  pool.on('error', (error) => {
    if (!pool.ending) log.warn({ error: error.message }, 'database connection lost');
  });
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
}

const most_tries = 3;
// Serialization failure and deadlock: the database undid everything, so the work may run again.
const repeatable = new Set(['40001', '40P01', outdated_plan]);

/** Whether an error means only that the whole transaction is to run again. */
export function isPassing(error: unknown): boolean {
  return repeatable.has(sqlState(error) ?? '');
}

/**
 * The one place that begins a transaction. The work may run up to three times, so it does nothing
 * but talk to the database: no network, no change in memory.
 */
export async function inTransaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (attempt === most_tries || !isPassing(error)) throw error;
      await sleep(attempt * 10 * Math.random());
    }
  }
}

const no_savepoint = '3B001';
const depths = new WeakMap<Tx, number>();

/** Runs part of a transaction so that its failure undoes that part alone; then it rethrows. */
export async function inSavepoint<T>(tx: Tx, work: () => Promise<T>): Promise<T> {
  // A part in a part has a name of its own: the one around it is not undone in its place.
  const depth = (depths.get(tx) ?? 0) + 1;
  depths.set(tx, depth);
  const part = sql.raw(`part_${depth}`);
  try {
    await sendAhead(tx, sql`savepoint ${part}`);
    const result = await work();
    await sendAhead(tx, sql`release savepoint ${part}`);
    return result;
  } catch (error) {
    await sql`rollback to savepoint ${part}`.execute(tx).catch((other: unknown) => {
      // What was sent ahead of it had failed already, and all of the transaction is undone.
      throw sqlState(other) === no_savepoint ? error : other;
    });
    await sendAhead(tx, sql`release savepoint ${part}`);
    throw error;
  } finally {
    depths.set(tx, depth - 1);
  }
}

/** PostgreSQL's five-character code of an error, if it is one of the database's. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

// Connection exceptions, too few resources, an operator's doing (a statement that took too long
// too), a fault of the system; a transaction that was silent for too long; a lock waited for.
const away_states = /^(?:08|53|57|58|25P03|25P04|55P03)/;
const away_codes = /^(?:ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_)/;
// node-postgres names these by their words alone.
const away_words = /connection terminated|timeout|not queryable|destroyed/i;

/** There is more to do than can be done soon: nothing was done, and later it can be. */
export class Busy extends Error {
  constructor() {
    super('more to do than can be done soon');
    this.name = 'Busy';
  }
}

/**
 * Whether an error says that the database is out of reach or has too much to do, rather than that
 * it refused what was asked: the same may succeed later.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof Busy) return true;
  if (error instanceof AggregateError) return error.errors.some(isAway);
  const state = sqlState(error);
  if (state !== undefined) return away_states.test(state);
  const code = 'code' in error ? String(error.code) : '';
  return away_codes.test(code) || away_words.test(error.message);
}
