import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/base/db.ts';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { migrateJobs } from '../../src/base/jobs.ts';
import { migrate } from '../../src/base/migrate.ts';
import { runningPostmaster, servesFolder } from '../../src/base/postmaster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    server_url: string;
    /** The name of the migrated database that each test's own is cloned from. */
    template: string;
  }
}

/**
 * One PostgreSQL for all tests, with a migrated template: that of TEST_DATABASE_URL, or one of our own
 * in a folder that is gone afterwards.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const template = `karani_template_${process.pid}`;
  const dropTemplate = `drop database if exists ${template} with (force)`;
  const finish = async (): Promise<void> => {
    await inDatabase(server.url, dropTemplate);
    await server.stop();
  };
  try {
    await inDatabase(server.url, dropTemplate);
    await inDatabase(server.url, `create database ${template}`);
    await makeTemplate(withDatabase(server.url, template));
  } catch (error) {
    await finish();
    throw error;
  }
  project.provide('server_url', server.url);
  project.provide('template', template);
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

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given) return { url: given, stop: async () => undefined };
  endForsaken();
  const folder = await mkdtemp(join(tmpdir(), `karani-tests-${process.pid}-`));
  // A run that is cut short leaves nothing behind either; vitest ends at a signal without teardown.
  process.once('exit', () => endNow(folder));
  const server = await startPostgres(folder, {
    settings: { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB' },
  });
  return { url: server.url, stop: server.stop };
}

/** Ends what runs left that were killed before they could do it. */
function endForsaken(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^karani-tests-(\d+)-/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) endNow(join(tmpdir(), name));
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
