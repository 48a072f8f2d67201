import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runningPostgresUrl, startPostgres } from '../../src/base/embedded-postgres.ts';

const settings = { fsync: 'off', shared_buffers: '16MB', max_connections: '20' };
const is_root = process.getuid?.() === 0;

let made: string;
let folder: string;
let holders: ChildProcess[] = [];

beforeAll(async () => {
  made = mkdtempSync(join(tmpdir(), 'karani made '));
  const server = await startPostgres(made, { settings });
  await query(server.url, 'create table kept as select 7 as number');
  await server.stop();
});

afterAll(() => rmSync(made, { recursive: true, force: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karani test '));
});

afterEach(() => {
  for (const holder of holders) holder.kill('SIGKILL');
  holders = [];
  const url = runningPostgresUrl(folder);
  if (url) killPostmaster(folder);
  const socket_dir = url && new URL(url.replace('@/', '@x/')).searchParams.get('host');
  if (socket_dir) rmSync(socket_dir, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('what was written is there at the next start', async () => {
  const first = await startPostgres(folder, { settings });
  expect(first.adopted).toBe(false);
  await query(first.url, 'create table kept as select 7 as number');
  await first.stop();
  await first.stop();
  expect(postmasterPid(folder)).toBeUndefined();
  expect(runningPostgresUrl(folder)).toBeUndefined();

  const lines: string[] = [];
  const second = await startPostgres(folder, { settings, say: (line) => lines.push(line) });
  expect(await query(second.url, 'select number from kept')).toEqual([{ number: 7 }]);
  expect(lines).toEqual([]);
  expect(runningPostgresUrl(folder)).toBe(second.url);
  await second.stop();
});

test('a database sorts by code point in UTC and knows all letters', async () => {
  const server = await startPostgres(folder, { settings });
  const rows = await query(
    server.url,
    `select current_setting('TimeZone') as zone, upper('é') as upper, 'a' < 'B' as by_language,
       current_setting('listen_addresses') as listens, current_setting('data_checksums') as sums`,
  );
  expect(rows).toEqual([{ zone: 'UTC', upper: 'É', by_language: false, listens: '', sums: 'on' }]);
  await server.stop();
});

test('a second start on the same folder says so, and the first goes on', async () => {
  copyMade(folder);
  const first = await startPostgres(folder, { settings });
  await expect(startPostgres(folder, { settings })).rejects.toThrow(
    `Karani is already running on this data folder (${folder}). ` +
      'Stop it first, or set KARANI_DATA to another folder.',
  );
  expect(await query(first.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  await first.stop();
});

test('of several starts at once on a new folder one gets it', async () => {
  const told = await Promise.all([hold(folder), hold(folder), hold(folder)]);
  expect(told.filter((t) => t.url)).toHaveLength(1);
  for (const loser of told.filter((t) => !t.url)) {
    expect(loser.error).toMatch(/^Karani is already running on this data folder/);
  }
  const winner = told.find((t) => t.url);
  expect(await query(winner?.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(readdirSync(folder).sort()).toEqual(['postgres', 'postgres.log']);
});

test('a server that a killed holder left is adopted, with what it had', async () => {
  copyMade(folder);
  const held = await hold(folder);
  const before = postmasterPid(folder);
  held.child.kill('SIGKILL');
  await once(held.child, 'exit');

  const next = await startPostgres(folder, { settings });
  expect(next.adopted).toBe(true);
  expect(postmasterPid(folder)).toBe(before);
  expect(await query(next.url, 'select number from kept')).toEqual([{ number: 7 }]);
  await next.stop();
  expect(postmasterPid(folder)).toBeUndefined();
});

test('everything killed at once starts again, even if its number is somebody else’s now', async () => {
  copyMade(folder);
  const held = await hold(folder);
  held.child.kill('SIGKILL');
  killPostmaster(folder);
  await once(held.child, 'exit');
  const note = join(folder, 'postgres', 'postmaster.pid');
  const reused = readFileSync(note, 'utf8').replace(/^\d+/, String(process.ppid));
  writeFileSync(note, reused);

  const next = await startPostgres(folder, { settings });
  expect(next.adopted).toBe(false);
  expect(await query(next.url, 'select number from kept')).toEqual([{ number: 7 }]);
  await next.stop();
});

test('a server killed under a running holder comes back at the same address', async () => {
  copyMade(folder);
  const server = await startPostgres(folder, { settings });
  const pool = new Pool({ connectionString: server.url });
  pool.on('error', () => undefined);
  const killed = killPostmaster(folder);
  const locks = `select count(*)::int as held from pg_locks where locktype = 'advisory'`;
  const held = () => pool.query<{ held: number }>(locks).then((r) => r.rows[0]?.held, String);
  await expect
    .poll(async () => postmasterPid(folder) !== killed && (await held()), { timeout: 15_000 })
    .toBe(1);
  expect((await pool.query('select number from kept')).rows).toEqual([{ number: 7 }]);
  await expect(startPostgres(folder, { settings })).rejects.toThrow('already running');
  await pool.end();
  await server.stop();
  expect(postmasterPid(folder)).toBeUndefined();
});

test('stop ends the server even when its folder has been deleted', async () => {
  copyMade(folder);
  const server = await startPostgres(folder, { settings });
  const pid = postmasterPid(folder)!;
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
  // It has ended by now; its number is free once the system has collected it.
  await expect.poll(() => isThere(pid)).toBe(false);
});

test('a path may be long, closed to others, and have spaces, quotes and dollars in it', async () => {
  const odd = join(folder, `Mama Njeri's "duka" $HOME é`, 'x'.repeat(120));
  mkdirSync(odd, { recursive: true });
  chmodSync(odd, 0o700);
  const server = await startPostgres(odd, { settings });
  expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  await server.stop();
});

test('tables that a killed start had half made are not used, and go', async () => {
  mkdirSync(join(folder, 'postgres.new-abcdef'));
  writeFileSync(join(folder, 'postgres.new-abcdef', 'PG_VERSION'), '18\n');
  const server = await startPostgres(folder, { settings });
  await server.stop();
  expect(readdirSync(folder).sort()).toEqual(['postgres', 'postgres.log']);
});

test('a folder that cannot be one is named in one line', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'data')]) {
    await expect(startPostgres(path)).rejects.toThrow(
      `Karani cannot write to ${path}. ` +
        'Make it a folder that you may write to, or set KARANI_DATA to another one.',
    );
  }
});

test('a server that cannot start tells PostgreSQL’s reason and where its log is', async () => {
  copyMade(folder);
  await expect(
    startPostgres(folder, { settings: { ...settings, shared_buffers: 'much' } }),
  ).rejects.toThrow(
    /^PostgreSQL did not start: invalid value .*"much"\. Its log is .*postgres\.log\.$/,
  );
});

test.skipIf(!is_root)('root without namespaces runs it as nobody', async () => {
  const data = join(folder, 'data');
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  for (const tool of ['sh', 'id']) symlinkSync(toolPath(tool), join(tools, tool));
  const refused = await hold(data, { PATH: tools });
  expect(refused.error).toMatch(/^PostgreSQL does not run as root, and no other user can reach/);

  chmodSync(folder, 0o711);
  const held = await hold(data, { PATH: tools });
  expect(await query(held.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }]);
  held.child.kill('SIGTERM');
  await once(held.child, 'exit');
  // The same folder in a place with namespaces stays its owner's.
  const again = await startPostgres(data, { settings });
  expect(await query(again.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  await again.stop();
});

/** Puts tables that were made before into a folder: making them takes most of a short test. */
function copyMade(data_dir: string): void {
  const cluster_dir = join(data_dir, 'postgres');
  cpSync(join(made, 'postgres'), cluster_dir, { recursive: true });
  chmodSync(cluster_dir, 0o700);
}

interface Told {
  child: ChildProcess;
  url?: string;
  error?: string;
}

/** A process of its own that holds the folder until it is killed, or stops in order at SIGTERM. */
async function hold(data_dir: string, env: Record<string, string> = {}): Promise<Told> {
  const launcher = new URL('../../src/base/embedded-postgres.ts', import.meta.url).href;
  const script = `
    import { startPostgres } from ${JSON.stringify(launcher)};
    try {
      const { url, stop } = await startPostgres(${JSON.stringify(data_dir)}, { settings: ${JSON.stringify(settings)} });
      process.once('SIGTERM', () => stop().then(() => process.exit(0)));
      console.log(JSON.stringify({ url }));
    } catch (error) {
      console.log(JSON.stringify({ error: error.message }));
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  holders.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...(JSON.parse(line) as Omit<Told, 'child'>) };
  }
  throw new Error('the holder ended without a word');
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

function postmasterPid(data_dir: string): number | undefined {
  const note = join(data_dir, 'postgres', 'postmaster.pid');
  return existsSync(note) ? Number(readFileSync(note, 'utf8').split('\n')[0]) : undefined;
}

function killPostmaster(data_dir: string): number {
  const pid = postmasterPid(data_dir);
  // Number 0 would be our own process and all around it.
  if (!pid) throw new Error(`no server runs on ${data_dir}`);
  process.kill(pid, 'SIGKILL');
  return pid;
}

function toolPath(tool: string): string {
  return ['/usr/bin', '/bin'].map((dir) => join(dir, tool)).find((path) => existsSync(path))!;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
