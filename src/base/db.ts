import { setTimeout as sleep } from 'node:timers/promises';
import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from 'kysely';
import { Pool, types as defaults, type CustomTypesConfig } from 'pg';
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

/** Opens the pool of connections. Nothing is connected until the first query. */
export function openDatabase(url: string, size = 32): Database {
  const pool = new Pool({
    connectionString: url,
    max: size,
    types,
    application_name: 'karani',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  surviveLoss(pool);
  return { db: new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }), pool };
}

/**
 * Keeps the loss of a connection from ending the process: whoever waits on it is told by the query,
 * and the pool opens another. Both handlers stay for good, since a connection may end while nobody
 * looks at it.
 */
export function surviveLoss(pool: Pool): void {
  pool.on('error', (error) => {
    if (!pool.ending) log.warn({ error: error.message }, 'database connection lost');
  });
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
}

const most_tries = 3;
// Serialization failure and deadlock: the database undid everything, so the work may run again.
const repeatable = new Set(['40001', '40P01']);

/**
 * The one place that begins a transaction. The work may run up to three times, so it does nothing
 * but talk to the database: no network, no change in memory.
 */
export async function inTransaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (attempt === most_tries || !repeatable.has(sqlState(error) ?? '')) throw error;
      await sleep(attempt * 10 * Math.random());
    }
  }
}

/** Runs part of a transaction so that its failure undoes that part alone; then it rethrows. */
export async function inSavepoint<T>(tx: Tx, work: () => Promise<T>): Promise<T> {
  await tx.executeQuery(CompiledQuery.raw('savepoint part'));
  try {
    const result = await work();
    await tx.executeQuery(CompiledQuery.raw('release savepoint part'));
    return result;
  } catch (error) {
    await tx.executeQuery(CompiledQuery.raw('rollback to savepoint part'));
    await tx.executeQuery(CompiledQuery.raw('release savepoint part'));
    throw error;
  }
}

/** PostgreSQL's five-character code of an error, if it is one of the database's. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

// Connection exceptions, too few resources, an operator's doing, a fault of the system.
const away_classes = /^(?:08|53|57|58)/;
const away_codes = /^(?:ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_)/;
// node-postgres names these by their words alone.
const away_words = /connection terminated|timeout|not queryable|destroyed/i;

/**
 * Whether an error says that the database is out of reach, rather than that it refused what was
 * asked.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isAway);
  const state = sqlState(error);
  if (state !== undefined) return away_classes.test(state);
  const code = 'code' in error ? String(error.code) : '';
  return away_codes.test(code) || away_words.test(error.message);
}
