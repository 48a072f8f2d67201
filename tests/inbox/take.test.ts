import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { confirmation } from '../helpers/confirmation.ts';
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
