import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Database, inTransaction, openDatabase } from '../src/base/db.ts';
import { startPostgres } from '../src/base/embedded-postgres.ts';
import { migrateJobs } from '../src/base/jobs.ts';
import { migrate } from '../src/base/migrate.ts';
import { seedDemo } from '../src/demo.ts';
import { openChart } from '../src/ledger/accounts.ts';
import { money_accounts } from './settings.ts';

export interface BenchDatabase extends Database {
  url: string;
  /** Ends its connections and drops it. */
  drop: () => Promise<void>;
}

/** A PostgreSQL of our own, as Karani runs it, which also keeps the time of every commit. */
export interface BenchServer {
  /** Where processes may keep files. */
  folder: string;
  version: string;
  postmaster_pid: number;
  /** A database with the demo's people and rows, and nothing else. */
  makeDatabase: (name: string) => Promise<BenchDatabase>;
  stop: () => Promise<void>;
}

export async function startServer(): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'karani-bench-'));
  const data_dir = join(folder, 'data');
  const postgres = await startPostgres(data_dir, {
    settings: { track_commit_timestamp: 'on', max_connections: '300' },
  });
  const template = openDatabase(postgres.url, 2);
  await migrate(template.pool, 'demo');
  await migrateJobs(postgres.url);
  await inTransaction(template.db, async (tx) => {
    await openChart(tx, [...money_accounts.values()]);
    await seedDemo(tx);
  });
  const { rows } = await template.pool.query<{ server_version: string }>('show server_version');
  await template.pool.end();

  const urlOf = (name: string) => postgres.url.replace('/karani?', `/${name}?`);
  const administer = async (...statements: string[]) => {
    const client = new Client({ connectionString: urlOf('postgres') });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  const note = readFileSync(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8');
  return {
    folder,
    version: rows[0]?.server_version ?? 'unknown',
    postmaster_pid: Number(note.split('\n')[0]),
    async makeDatabase(name) {
      await administer(`create database ${name} template karani`);
      const database = openDatabase(urlOf(name));
      return {
        ...database,
        url: urlOf(name),
        drop: async () => {
          await database.pool.end();
          await administer(`drop database ${name} with (force)`, 'checkpoint');
        },
      };
    },
    async stop() {
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
