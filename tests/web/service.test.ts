import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../src/base/db.ts';
import { listMigrations } from '../../src/base/migrate.ts';
import { listen } from '../../src/listen.ts';
import { buildServer } from '../../src/server.ts';
import { freshDatabase, type TestDatabase } from '../helpers/database.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

interface Answer {
  status: number;
  text: string;
}

/** What a server answers that uses this database, with every address asked `times` at once. */
async function answers(
  database_url: string,
  paths: string[],
  other: { stopping?: AbortSignal; times?: number } = {},
): Promise<Record<string, Answer>> {
  const database = openDatabase(database_url, 2);
  const app = buildServer({
    settings: house.settings,
    database,
    house: house.conversations,
    stopping: other.stopping,
  });
  const listening = await listen(app, '127.0.0.1', 0);
  try {
    const all: Record<string, Answer> = {};
    for (const path of paths) {
      const asked = Array.from({ length: other.times ?? 1 }, async () => {
        const response = await fetch(`${listening.url}${path}`);
        return { status: response.status, text: await response.text() };
      });
      const [first, ...rest] = await Promise.all(asked);
      for (const one of rest) expect(one.status).toBe(first!.status);
      all[path] = first!;
    }
    return all;
  } finally {
    await listening.stop();
    await database.pool.end();
  }
}

async function ready(url: string, stopping?: AbortSignal): Promise<[number, string?]> {
  const { '/readyz': answer } = await answers(url, ['/readyz'], stopping ? { stopping } : {});
  const { ready: yes, why } = JSON.parse(answer!.text) as { ready: boolean; why?: string };
  expect(yes).toBe(answer!.status === 200);
  return why === undefined ? [answer!.status] : [answer!.status, why];
}

/** The database of the house, whose sessions begin with this setting. */
async function withSetting(setting: string): Promise<void> {
  await sql`do $$ begin
    execute format('alter database %I set ${sql.raw(setting)}', current_database()); end $$`.execute(
    house.db,
  );
}

test('with its database a server is ready, until it is told to stop', async () => {
  const url = house.settings.database_url!;
  expect(await ready(url)).toEqual([200]);
  expect(await ready(url, AbortSignal.abort())).toEqual([503, 'this process is stopping']);
});

test('a database that takes no writes is not ready', async () => {
  await withSetting('default_transaction_read_only = on');
  expect(await ready(house.settings.database_url!)).toEqual([503, 'the database is read-only']);
});

test('a database of another version is not ready, nor is an empty one', async () => {
  const url = house.settings.database_url!;
  const newest = (await listMigrations()).at(-1)!.number;
  await sql`delete from migrations where number = ${newest}`.execute(house.db);
  expect(await ready(url)).toEqual([
    503,
    `the database is at migration ${newest - 1} and this version needs ${newest}`,
  ]);
  await sql`insert into migrations (number, name) values (${newest}, ''), (${newest + 1}, '')`.execute(
    house.db,
  );
  expect(await ready(url)).toEqual([
    503,
    `the database is at migration ${newest + 1} and this version knows only ${newest}`,
  ]);
  await sql`drop table migrations`.execute(house.db);
  expect(await ready(url)).toEqual([503, 'the database has not been migrated']);
});

const process_lines = /^karani_database_up 0$[^]*^nodejs_|^nodejs_[^]*^karani_database_up 0$/m;

test('without a database it lives, is not ready, and says what it knows of itself', async () => {
  const all = await answers('postgres://karani@127.0.0.1:1/none', [
    '/healthz',
    '/readyz',
    '/metrics',
  ]);
  expect(all['/healthz']!.status).toBe(200);
  expect(all['/readyz']).toEqual({
    status: 503,
    text: JSON.stringify({ ready: false, why: 'the database cannot be reached' }),
  });
  expect(all['/metrics']!.status).toBe(200);
  expect(all['/metrics']!.text).toMatch(process_lines);
  expect(all['/metrics']!.text).not.toContain('karani_rows');
});

test('with a database that hangs it answers all the same', async () => {
  const sockets = new Set<Socket>();
  // Takes every connection and never says a word.
  const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    const url = `postgres://karani@127.0.0.1:${port}/none`;
    const all = await answers(url, ['/healthz', '/readyz', '/metrics'], { times: 8 });
    expect(all['/healthz']!.status).toBe(200);
    expect(all['/readyz']).toEqual({
      status: 503,
      text: JSON.stringify({ ready: false, why: 'the database does not answer' }),
    });
    expect(all['/metrics']!.text).toMatch(process_lines);
    // However often it was asked, few connections hang on it.
    expect(sockets.size).toBeLessThanOrEqual(2);
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

test('figures that were true before the database went away are not shown', async () => {
  const database: TestDatabase = await freshDatabase();
  const app = buildServer({ settings: house.settings, database, house: house.conversations });
  expect(await (await app.request('/metrics')).text()).toContain('karani_rows');
  await database.close();
  await expect
    .poll(async () => (await app.request('/metrics')).text(), { timeout: 20_000 })
    .toContain('karani_database_up 0');
  expect(await (await app.request('/metrics')).text()).not.toContain('karani_rows');
});
