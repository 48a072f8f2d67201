import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { msisdnHash } from '../../src/base/phone.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// What a payment is refused for before it is made, and what happens when it comes all the same.

const kamau = '254700000004';
const limits = { payment: 100_000, payer_day: 150_000 };

let house: House;

beforeEach(async () => {
  house = await openHouse({ limits });
  return () => house.close();
});

const validate = async (change: Record<string, unknown>) => {
  const response = await house.hook('c2b/validation', confirmation(change));
  expect(response.status).toBe(200);
  const { ResultCode } = (await response.json()) as { ResultCode: string };
  return ResultCode;
};

async function pay(change: Record<string, unknown>): Promise<void> {
  expect((await house.hook('c2b/confirmation', confirmation(change))).status).toBe(200);
  await house.drain();
}

const flags = async () => {
  const rows = await house.db.selectFrom('payments').select('flag').orderBy('id').execute();
  return rows.map((row) => row.flag);
};

test('what is above the limit of a payment is refused, and kept aside when it comes', async () => {
  expect(await validate({ TransAmount: '100000.00' })).toBe('0');
  expect(await validate({ TransAmount: '100000.01' })).toBe('C2B00013');
  await pay({ TransAmount: '100000.01' });
  expect(await paymentsOf(house.db)).toEqual(['100000.01 unmatched']);
  expect(await flags()).toEqual(['over_limit']);
  expect(await house.findings()).toEqual([]);
});

test("what is above a payer's day is refused, by their day in Nairobi, however M-Pesa names them", async () => {
  const day = { MSISDN: kamau, TransAmount: '80000.00', TransTime: '20260320235900' };
  await pay(day);
  expect(await validate({ ...day, TransTime: '20260320000000' })).toBe('C2B00013');
  expect(await validate({ ...day, TransAmount: '70000.00' })).toBe('0');
  expect(await validate({ ...day, TransTime: '20260321000000' })).toBe('0');
  expect(await validate({ ...day, MSISDN: '254711000009' })).toBe('0');
  await pay(day);
  await pay({ ...day, TransTime: '20260321000000' });
  expect(await flags()).toEqual([null, 'over_day_limit', null]);
  expect((await paymentsOf(house.db))[1]).toBe('80000.00 unmatched');

  const hashed = { MSISDN: msisdnHash('254711000009'), TransAmount: '90000.00' };
  await pay(hashed);
  expect(await validate(hashed)).toBe('C2B00013');
  expect(await house.findings()).toEqual([]);
});

test('a batch is flagged as if its payments had come one by one', async () => {
  for (const amount of ['80000.00', '70000.00', '0.01']) {
    const response = await house.hook(
      'c2b/confirmation',
      confirmation({ MSISDN: kamau, TransAmount: amount }),
    );
    expect(response.status).toBe(200);
  }
  await house.drain();
  expect(await flags()).toEqual([null, null, 'over_day_limit']);
});

test('what is for an invoice that was cancelled is refused', async () => {
  const { cancel } = trading(house);
  await cancel('INV-20260210-0002');
  expect(await validate({ BillRefNumber: 'INV-20260210-0002' })).toBe('C2B00016');
  expect(await validate({ BillRefNumber: 'INV-20260203-0001' })).toBe('0');
});

test('an account that names nothing is accepted, or refused where the house says so', async () => {
  const unknown = { BillRefNumber: 'JOHN SHOP' };
  expect(await validate(unknown)).toBe('0');
  const strict = await openHouse({ unknown_accounts: 'refuse' });
  const asked = async (account: string) => {
    const response = await strict.hook('c2b/validation', confirmation({ BillRefNumber: account }));
    return ((await response.json()) as { ResultCode: string }).ResultCode;
  };
  expect(await asked('JOHN SHOP')).toBe('C2B00012');
  expect(await asked('INV-20260203-1')).toBe('0');
  expect(await asked('cust1')).toBe('0');
  expect(await asked('')).toBe('0');
  expect(await asked('PAY-7K3QX2M')).toBe('0');
  await strict.close();
});

test('what cannot be judged is accepted: nonsense, too much of it, and a database that fails', async () => {
  expect((await house.hook('c2b/validation', 'no JSON')).status).toBe(200);
  const long = confirmation({ LastName: 'x'.repeat(70_000) });
  const response = await house.hook('c2b/validation', long);
  expect(await response.json()).toEqual({ ResultCode: '0', ResultDesc: 'Accepted' });
  await sql`alter table payments rename to gone`.execute(house.db);
  expect(await validate({ TransAmount: '500.00' })).toBe('0');
});
