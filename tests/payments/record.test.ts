import { afterAll, beforeAll, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { recordPayments } from '../../src/payments/record.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { heard } from '../helpers/heard.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

test('who hears of the same payments in another order waits for the other, and in no ring', async () => {
  // In a transaction that is not tried again, as ours are when the database ends a ring.
  const hear = (...receipts: string[]) =>
    house.db.transaction().execute(async (tx) => {
      const hearings = [];
      for (const receipt of receipts) hearings.push(await heard(tx, { receipt }));
      await recordPayments(tx, hearings, house.receive.money_accounts);
    });
  // Both are stopped by one that is in the middle for each of them, and go on at once.
  const both: Promise<void>[] = [];
  const stops = inTransaction(house.db, async (tx) => {
    const between = await heard(tx, { receipt: 'TKL9000002' });
    await recordPayments(tx, [between], house.receive.money_accounts);
    both.push(hear('TKL9000001', 'TKL9000002', 'TKL9000003'));
    both.push(hear('TKL9000003', 'TKL9000002', 'TKL9000001'));
    await eventually(
      () => waitingForLocks(house.db),
      (n) => n === 2,
      20_000,
    );
    throw new Error('it never was');
  });
  await expect(stops).rejects.toThrow('it never was');
  await Promise.all(both);
  expect(await paymentsOf(house.db)).toHaveLength(3);
  expect(await house.findings()).toEqual([]);
});
