import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  inSavepoint,
  inTransaction,
  isAway,
  openDatabase,
  sqlState,
  type Tx,
} from '../../src/base/db.ts';
import { freshDatabase } from '../helpers/database.ts';
import { openProxy } from '../helpers/proxy.ts';

test('a part that fails undoes itself alone', async () => {
  const { db, close } = await freshDatabase(1);
  await inTransaction(db, async (tx) => {
    const write = (name: string) => tx.insertInto('people').values({ name }).execute();
    await write('before');
    const failing = inSavepoint(tx, async () => {
      await write('lost');
      throw new Error('ours');
    });
    await expect(failing).rejects.toThrow('ours');
    await expect(inSavepoint(tx, () => sql`select 1 / 0`.execute(tx))).rejects.toThrow('by zero');
    await write('after');
  });
  const { rows } = await sql<{
    name: string;
  }>`select name from people order by id desc limit 2`.execute(db);
  expect(rows.map((row) => row.name)).toEqual(['after', 'before']);
  await close();
});

const undone = (tx: Tx, code: string) =>
  sql.raw(`do $$ begin raise exception 'undone' using errcode = '${code}'; end $$`).execute(tx);

test.each([
  ['a serialization failure', '40001'],
  ['a deadlock', '40P01'],
])('work that %s undid is done again, three times at most', async (_, code) => {
  const { db, close } = await freshDatabase(1);
  let tries = 0;
  const work = (failures: number) => async (tx: Tx) => {
    tries += 1;
    await tx
      .insertInto('people')
      .values({ name: `try ${tries}` })
      .execute();
    if (tries <= failures) await undone(tx, code);
  };
  await inTransaction(db, work(2));
  const people = await db.selectFrom('people').select('name').execute();
  expect(people).toEqual([{ name: 'try 3' }]);
  tries = 0;
  await expect(inTransaction(db, work(5))).rejects.toThrow('undone');
  expect(tries).toBe(3);
  await close();
});

test('a statement whose result a migration has changed runs again on a new connection', async () => {
  const { db, close } = await freshDatabase(1);
  await sql`create table kinds as select 1::int as kind`.execute(db);
  const read = () =>
    inTransaction(
      db,
      async (tx) => (await sql`select * from kinds where ${1}::int = 1`.execute(tx)).rows,
    );
  expect(await read()).toEqual([{ kind: 1 }]);
  await sql`alter table kinds alter column kind type text`.execute(db);
  expect(await read()).toEqual([{ kind: '1' }]);
  await close();
});

const brief = { lock_ms: 200, statement_ms: 400, idle_ms: 200 };
const failure = (work: Promise<unknown>) => work.then(assertNever, (error: unknown) => error);
const assertNever = () => expect.unreachable('it was refused');

test('what takes too long is given up, and counts as the database being away', async () => {
  const { url, db: given, close } = await freshDatabase(2);
  const { db, pool } = openDatabase(url, 2, brief);
  const slow = await failure(sql`select pg_sleep(60)`.execute(db));
  expect([sqlState(slow), isAway(slow)]).toEqual(['57014', true]);
  await inTransaction(given, async (holder) => {
    await sql`lock table people in exclusive mode`.execute(holder);
    const locked = await failure(db.insertInto('people').values({ name: 'other' }).execute());
    expect([sqlState(locked), isAway(locked)]).toEqual(['55P03', true]);
  });
  await pool.end();
  await close();
});

test('a process that is frozen in a transaction holds nobody else', async () => {
  const { url, db, close } = await freshDatabase(2);
  const frozen = openDatabase(url, 1, brief);
  const given_up = await failure(
    inTransaction(frozen.db, async (tx) => {
      await sql`lock table people in exclusive mode`.execute(tx);
      // Nothing more is asked of it; the other waits for as long as it takes.
      await db.insertInto('people').values({ name: 'other' }).execute();
      await sql`select 1`.execute(tx);
    }),
  );
  expect(isAway(given_up)).toBe(true);
  expect((await sql`select 1`.execute(frozen.db)).rows).toHaveLength(1);
  await frozen.pool.end();
  await close();
});

test('a database that says nothing more is away, and its connections are used no more', async () => {
  const { url, close } = await freshDatabase(1);
  const proxy = await openProxy(url);
  const { db, pool } = openDatabase(proxy.url, 4, { ...brief, silence_ms: 600 });
  const asks = () => sql`select 1`.execute(db);
  await Promise.all([asks(), asks()]);
  proxy.hang();
  const in_transaction = inTransaction(db, async (tx) => sql`select 1`.execute(tx));
  const away = await Promise.all([failure(asks()), failure(in_transaction), failure(asks())]);
  expect(away.map(isAway)).toEqual([true, true, true]);
  expect(pool.totalCount).toBe(0);
  proxy.resume();
  expect((await asks()).rows).toHaveLength(1);
  await pool.end();
  await proxy.close();
  await close();
});
