import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction, openDatabase, type Tx } from '../../src/base/db.ts';
import { sha256 } from '../../src/base/secrets.ts';
import { keeper } from '../../src/inbox/keep.ts';
import { drainInbox, type Kept } from '../../src/inbox/take.ts';
import { drainPayments } from '../../src/payments/jobs.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { freshDatabase } from '../helpers/database.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

test('what was worked on is done and is not worked on again', async () => {
  await house.hook('c2b/confirmation', confirmation());
  expect(await house.drain()).toBe(1);
  expect(await house.drain()).toBe(0);
});

test('a row that another worker holds is passed over, not waited for', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'HELDROW001' }));
  await house.hook('c2b/confirmation', confirmation({ TransID: 'FREEROW002' }));
  let draining: Promise<number> | undefined;
  try {
    await inTransaction(house.db, async (tx) => {
      await sql`select 1 from inbox order by id limit 1 for update`.execute(tx);
      draining = house.drain();
      expect(await Promise.race([draining, sleep(2_000, 'it waits')])).toBe(1);
    });
  } finally {
    await draining;
  }
});

test('a row that fails eight times is given up, and the admins are told of the payment', async () => {
  await house.db
    .insertInto('inbox')
    .values({
      source: 'c2b_confirmation',
      body: '{}',
      body_hash: Buffer.alloc(32, 1),
      from_ip: null,
      error: null,
      done_at: null,
    })
    .execute();
  for (let n = 1; n <= 8; n += 1) {
    expect(await house.drain()).toBe(1);
    await sql`update inbox set due_at = now()`.execute(house.db);
  }
  expect(await house.drain()).toBe(0);
  const row = await house.db.selectFrom('inbox').selectAll().executeTakeFirstOrThrow();
  expect(row).toMatchObject({ state: 'failed', attempts: 8 });
  const told = await house.db.selectFrom('outbox').select('template').execute();
  expect(told).toEqual([{ template: 'callback_failed' }, { template: 'callback_failed' }]);
  expect((await house.findings()).map((it) => it.found)).toEqual(['inbox 1 is failed']);
});

test('what is worked through again is caused no second time', async () => {
  await house.hook('c2b/confirmation', confirmation());
  await house.drain();
  await sql`update inbox set state = 'new'`.execute(house.db);
  expect(await house.drain()).toBe(1);
  expect(await paymentsOf(house.db)).toHaveLength(1);
  expect(await house.db.selectFrom('hearings').selectAll().execute()).toHaveLength(1);
  const rows = await house.db.selectFrom('inbox').select('state').execute();
  expect(rows).toEqual([{ state: 'done' }]);
  expect(await house.findings()).toEqual([]);
});

test('what contradicts a callback never takes its place, though its worker dies and another goes on', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'FIRSTONE01' }));
  await house.hook(
    'c2b/confirmation',
    confirmation({ TransID: 'FIRSTONE01', TransAmount: '9000.00' }),
  );
  const died = inTransaction(house.db, async (tx) => {
    await sql`select 1 from inbox order by id limit 1 for update`.execute(tx);
    expect(await house.drain()).toBe(0);
    throw new Error('the first worker dies');
  });
  await expect(died).rejects.toThrow('dies');
  expect(await house.drain()).toBe(2);
  expect(await paymentsOf(house.db)).toEqual([expect.stringMatching(/^500\.00 /)]);
  const hearings = await house.db.selectFrom('hearings').select('verdict').execute();
  expect(hearings).toEqual([{ verdict: 'first' }, { verdict: 'conflict' }]);
});

test('a callback whose invoice somebody holds for long is put off, and has not failed', async () => {
  await house.hook('c2b/confirmation', confirmation());
  const patience = { lock_ms: 100, statement_ms: 10_000, idle_ms: 10_000 };
  const impatient = openDatabase(house.settings.database_url ?? '', 2, patience);
  await inTransaction(house.db, async (tx) => {
    await sql`select 1 from invoices for update`.execute(tx);
    await drainPayments(impatient.db, house.receive);
  });
  await impatient.db.destroy();
  const { rows } = await sql`
    select state, attempts, due_at > now() as later from inbox
  `.execute(house.db);
  expect(rows).toEqual([{ state: 'new', attempts: 0, later: true }]);
  await sql`update inbox set due_at = now()`.execute(house.db);
  expect(await house.drain()).toBe(1);
  expect(await paymentsOf(house.db)).toHaveLength(1);
});

test('of callbacks that the database is too slow for one has failed, and the others wait', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'SLOW000001' }));
  await house.hook('c2b/confirmation', confirmation({ TransID: 'SLOW000002' }));
  const patience = { lock_ms: 10_000, statement_ms: 100, idle_ms: 10_000 };
  const impatient = openDatabase(house.settings.database_url ?? '', 2, patience);
  await inTransaction(house.db, async (tx) => {
    await sql`select 1 from invoices for update`.execute(tx);
    let looks = 0;
    await drainPayments(impatient.db, house.receive, () => (looks += 1) === 1);
  });
  await impatient.db.destroy();
  const { rows } = await sql`select state, attempts from inbox order by id`.execute(house.db);
  expect(rows).toEqual([
    { state: 'new', attempts: 1 },
    { state: 'new', attempts: 0 },
  ]);
  await sql`update inbox set due_at = now()`.execute(house.db);
  expect(await house.drain()).toBe(2);
});

/** Rows from a source that nothing else works on, each due so many minutes ago. */
async function wait(...rows: [body: string, minutes: number, attempts?: number][]): Promise<void> {
  for (const [body, minutes, attempts = 0] of rows) {
    await sql`
      insert into inbox (source, body, body_hash, attempts, due_at)
      values ('test', ${body}, ${sha256(body)}, ${attempts},
              date_trunc('day', now()) - ${minutes} * interval '1 minute')
    `.execute(house.db);
  }
}

const drainTest = (
  work: (tx: Tx, rows: Kept[]) => Promise<void>,
  gaveUp?: (tx: Tx) => Promise<void>,
) =>
  drainInbox(
    house.db,
    { source: 'test', batch_size: 10, work, ...(gaveUp ? { gaveUp } : {}) },
    () => true,
  );

const left = async () =>
  house.db.selectFrom('inbox').select(['body', 'state', 'attempts']).orderBy('id').execute();

test('what came first is worked on first', async () => {
  await wait(['third', 5], ['first', 20], ['second', 10], ['fourth', 5]);
  const seen: string[] = [];
  await drainTest(async (_, rows) => void seen.push(...rows.map((row) => row.body)));
  expect(seen).toEqual(['first', 'second', 'third', 'fourth']);
});

/** Writes each row's body down, and fails in the database for a bad one. */
async function writeDown(tx: Tx, rows: Kept[]): Promise<void> {
  for (const { body } of rows) {
    await tx
      .insertInto('people')
      .values({ name: `heard ${body}` })
      .execute();
    if (body === 'bad') await sql`select 1 / 0`.execute(tx);
  }
}

test('a row that fails in the database is undone alone, and the rows around it are not', async () => {
  await wait(['one', 3], ['bad', 2], ['two', 1]);
  await drainTest(writeDown);
  const heard = await house.db
    .selectFrom('people')
    .select('name')
    .where('name', 'like', 'heard %')
    .orderBy('id')
    .execute();
  expect(heard.map((row) => row.name)).toEqual(['heard one', 'heard two']);
  expect(await left()).toMatchObject([
    { body: 'one', state: 'done' },
    { body: 'bad', state: 'new', attempts: 1 },
    { body: 'two', state: 'done' },
  ]);
});

test('a row is given up even when nobody can be told of it', async () => {
  await wait(['bad', 1, 7]);
  await drainTest(writeDown, async (tx) => void (await sql`select 1 / 0`.execute(tx)));
  expect(await left()).toEqual([{ body: 'bad', state: 'failed', attempts: 8 }]);
});

test('an arrival that the database refuses fails alone, not those that came with it', async () => {
  const { pool, db, close } = await freshDatabase();
  const keep = keeper(pool, 'drain_payments');
  const arrivals = ['one', 'a source that cannot be', 'two'].map((source) =>
    keep({ source, subject: null, body: source, from_ip: null }),
  );
  const kept = await Promise.allSettled(arrivals);
  expect(kept.map((it) => it.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const rows = await db.selectFrom('inbox').select('source').orderBy('source').execute();
  expect(rows.map((row) => row.source)).toEqual(['one', 'two']);
  await close();
});
