import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Pool } from 'pg';
import { inject } from 'vitest';
import { openDatabase, type Db } from '../../src/base/db.ts';
import { inDatabase, withDatabase } from './global-setup.ts';

export interface TestDatabase {
  url: string;
  db: Db;
  pool: Pool;
  /** Closes the pool and drops the database. */
  close: () => Promise<void>;
}

/** A migrated database of its own, stamped as a demo, with at most `size` connections. */
export function freshDatabase(size = 8): Promise<TestDatabase> {
  return clone(inject('template'), size);
}

/** The same with the demo's business in it. */
export function demoDatabase(): Promise<TestDatabase> {
  return clone(inject('demo_template'), 8);
}

async function clone(template: string, size: number): Promise<TestDatabase> {
  const server_url = inject('server_url');
  const name = `karani_test_${randomBytes(6).toString('hex')}`;
  await inDatabase(server_url, `create database ${name} template ${template}`);
  const url = withDatabase(server_url, name);
  const { db, pool } = openDatabase(url, size);
  const close = async () => {
    await pool.end();
    await inDatabase(server_url, `drop database if exists ${name} with (force)`);
  };
  return { url, db, pool, close };
}

/** How many connections to this database wait for a lock. */
export async function waitingForLocks(db: Db): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
  `.execute(db);
  return rows[0]?.n ?? 0;
}
