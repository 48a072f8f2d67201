import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Pool, PoolClient } from 'pg';
import { SetupError } from './errors.ts';

const folder = new URL('../../migrations/', import.meta.url);
// One migrator at a time in the whole fleet; the number means nothing but this.
const lock = 7_254_001;

export type Environment = 'demo' | 'sandbox' | 'production';

/**
 * Brings the database to the schema of this code: each file of migrations/ once, in order, each in
 * a transaction of its own. Stamps a new database with its environment. Throws SetupError when the
 * database is newer than the code or belongs to another environment.
 */
export async function migrate(pool: Pool, environment: Environment): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lock]);
    await client.query(`
      create table if not exists migrations (
        number integer primary key, name text not null, applied_at timestamptz not null default now());
      create table if not exists installation (
        one boolean primary key default true check (one),
        environment text not null check (environment in ('demo', 'sandbox', 'production')),
        stamped_at timestamptz not null default now());`);
    await stamp(client, environment);
    return await applyMissing(client);
  } finally {
    await client.query('select pg_advisory_unlock_all()').catch(() => undefined);
    client.release();
  }
}

/** How many migrations of this code a database has not had; all of them when it is empty. */
export async function missingMigrations(pool: Pool): Promise<number> {
  const { rows: there } = await pool.query<{ is: boolean }>(
    "select to_regclass('migrations') is not null as is",
  );
  const files = await listMigrations();
  if (!there[0]?.is) return files.length;
  const { rows } = await pool.query<{ number: number }>('select number from migrations');
  const done = new Set(rows.map((row) => row.number));
  return files.filter(({ number }) => !done.has(number)).length;
}

/** The migrations of this code, in order. */
export async function listMigrations(): Promise<{ number: number; name: string }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return names.map((name) => ({ number: Number(name.slice(0, 4)), name }));
}

/** The body of every function that the migrations define, as the newest of them has it. */
export async function functionBodies(): Promise<Map<string, string>> {
  const bodies = new Map<string, string>();
  for (const { name } of await listMigrations()) {
    const sql = await readFile(new URL(name, folder), 'utf8');
    const found = sql.matchAll(
      /create (?:or replace )?function (\w+)\([\s\S]*?\$\$([\s\S]*?)\$\$/g,
    );
    for (const [, called = '', body = ''] of found) bodies.set(called, body);
  }
  return bodies;
}

async function stamp(client: PoolClient, environment: Environment): Promise<void> {
  await client.query('insert into installation (environment) values ($1) on conflict do nothing', [
    environment,
  ]);
  const { rows } = await client.query<{ environment: string }>(
    'select environment from installation',
  );
  const stamped = rows[0]?.environment;
  if (stamped !== environment) {
    throw new SetupError(
      `This database belongs to a ${stamped} installation and this is a ${environment} one. ` +
        'Use another database: they are never mixed.',
    );
  }
}

async function applyMissing(client: PoolClient): Promise<number> {
  const files = await listMigrations();
  const { rows } = await client.query<{ number: number }>('select number from migrations');
  const done = new Set(rows.map((row) => row.number));
  const newest = Math.max(0, ...done);
  if (newest > (files.at(-1)?.number ?? 0)) {
    throw new SetupError(
      `This database is at migration ${newest} and this code knows only ${files.length}. ` +
        'Start the newer version of Karani.',
    );
  }
  let applied = 0;
  for (const file of files.filter((f) => !done.has(f.number))) {
    const sql = await readFile(fileURLToPath(new URL(file.name, folder)), 'utf8');
    await client.query('begin');
    try {
      await client.query(sql);
      await client.query('insert into migrations (number, name) values ($1, $2)', [
        file.number,
        file.name,
      ]);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    }
    applied += 1;
  }
  return applied;
}
