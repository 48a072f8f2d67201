import { existsSync, readdirSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { inTransaction, openDatabase } from '../../src/base/db.ts';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { migrateJobs } from '../../src/base/jobs.ts';
import { migrate } from '../../src/base/migrate.ts';
import { runningPostmaster, servesFolder } from '../../src/base/postmaster.ts';
import { seedDemo } from '../../src/demo.ts';
import { openChart } from '../../src/ledger/accounts.ts';
import { money_accounts } from './confirmation.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    server_url: string;
    /** What each test's own database is cloned from: one that is migrated, by its name. */
    template: string;
    /** The same with the demo's business in it. */
    demo_template: string;
  }
}

/**
 * One PostgreSQL for all tests, with its templates: that of TEST_DATABASE_URL, or one of our own in a
 * folder that is gone afterwards.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const template = `karani_template_${process.pid}`;
  const demo_template = `${template}_demo`;
  const dropTemplates = async (): Promise<void> => {
    for (const name of [demo_template, template])
      await inDatabase(server.url, `drop database if exists ${name} with (force)`);
  };
  const finish = async (): Promise<void> => {
    await dropTemplates();
    await server.stop();
  };
  try {
    await dropTemplates();
    await inDatabase(server.url, `create database ${template}`);
    await makeTemplate(withDatabase(server.url, template));
    await inDatabase(server.url, `create database ${demo_template} template ${template}`);
    await seedTemplate(withDatabase(server.url, demo_template));
  } catch (error) {
    await finish();
    throw error;
  }
  project.provide('server_url', server.url);
  project.provide('template', template);
  project.provide('demo_template', demo_template);
  return finish;
}

/** The same server's address with another database. */
export function withDatabase(url: string, name: string): string {
  return url.replace(/^(\w+:\/\/[^/?]*)(?:\/[^?]*)?/, `$1/${name}`);
}

export async function inDatabase(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function makeTemplate(url: string): Promise<void> {
  const { pool } = openDatabase(url, 1);
  try {
    await migrate(pool, 'demo');
    await migrateJobs(url);
  } finally {
    await pool.end();
  }
}

async function seedTemplate(url: string): Promise<void> {
  const { db, pool } = openDatabase(url, 1);
  try {
    await inTransaction(db, async (tx) => {
      await openChart(tx, [...money_accounts.values()]);
      await seedDemo(tx);
    });
  } finally {
    await pool.end();
  }
}

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given) return { url: given, stop: async () => undefined };
  endForsaken();
  const folder = await mkdtemp(join(roomInMemory() ?? tmpdir(), `karani-tests-${process.pid}-`));
  // A run that is cut short leaves nothing behind either; vitest ends at a signal without teardown.
  process.once('exit', () => endNow(folder));
  const server = await startPostgres(folder, {
    settings: { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB' },
  });
  return { url: server.url, stop: server.stop };
}

/** A folder in memory, where there is one with room: hundreds of databases come and go. */
function roomInMemory(): string | undefined {
  const room = '/dev/shm';
  if (!existsSync(room)) return undefined;
  const { bavail, bsize } = statfsSync(room);
  return bavail * bsize > 2 ** 31 ? room : undefined;
}

/** Ends what runs left that were killed before they could do it. */
function endForsaken(): void {
  for (const parent of [tmpdir(), roomInMemory()]) {
    if (parent === undefined) continue;
    for (const name of readdirSync(parent)) {
      const pid = /^karani-tests-(\d+)-/.exec(name)?.[1];
      if (pid && !isAlive(Number(pid))) endNow(join(parent, name));
    }
  }
}

/** Without a turn of the event loop: at exit there is none any more. */
function endNow(folder: string): void {
  if (!existsSync(folder)) return;
  const cluster_dir = join(realpathSync(folder), 'postgres');
  const server = runningPostmaster(cluster_dir);
  if (server) {
    process.kill(server.pid, 'SIGQUIT');
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 200 && servesFolder(server.pid, cluster_dir); i += 1) {
      Atomics.wait(nothing, 0, 0, 10);
    }
    rmSync(server.socket_dir, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
