import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clock, eatDate } from '../../src/base/clock.ts';
import { inTransaction } from '../../src/base/db.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { daysAfter, invoiceCustomer } from '../../src/invoices/invoice-customer.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

let house: House;
let shop: ReturnType<typeof trading>;

beforeEach(async () => {
  house = await openHouse();
  shop = trading(house);
  return () => house.close();
});
afterEach(() => vi.restoreAllMocks());

const noon = (day: string) => vi.spyOn(clock, 'now').mockReturnValue(new Date(`${day}T09:00:00Z`));

test('customers who are added at once get numbers of their own, one after the other', async () => {
  const added = await Promise.all(
    Array.from({ length: 8 }, (_, n) => shop.register(`Customer ${n}`)),
  );
  expect(added.map((it) => it.number).sort()).toEqual(
    [2, 3, 4, 5, 6, 7, 8, 9].map((n) => `CUST-00${n}`),
  );
});

test('a number that was given elsewhere is not given again', async () => {
  await inTransaction(house.db, (tx) =>
    addCustomer(tx, { number: 'CUST-041', name: 'Elsewhere', person_id: null }),
  );
  expect((await shop.register('Next')).number).toBe('CUST-042');
  noon('2026-03-01');
  const customer = { id: 1n, number: 'CUST-001' };
  await inTransaction(house.db, (tx) =>
    issueInvoice(tx, {
      number: 'INV-20260301-0007',
      customer,
      total_cents: 100n,
      issued_on: '2026-03-01',
      due_on: '2026-03-01',
    }),
  );
  expect((await shop.issue(1n, 100)).number).toBe('INV-20260301-0008');
});

test('a phone is one customer', async () => {
  const { number } = await shop.register('Mary', '254711000111');
  await expect(shop.register('Mary again', '254711000111')).rejects.toThrow('exists');
  expect(number).toBe('CUST-002');
  expect((await shop.register('Another')).number).toBe('CUST-003');
});

test('invoices of a day are numbered in that day of Nairobi, without a gap', async () => {
  // Ten at night in London is the next day in Nairobi.
  vi.spyOn(clock, 'now').mockReturnValue(new Date('2026-03-01T22:00:00Z'));
  const issued = await Promise.all(Array.from({ length: 6 }, () => shop.issue(1n, 100)));
  await expect(shop.issue(1n, 0)).rejects.toThrow('too_little');
  await expect(shop.issue(404n, 100)).rejects.toThrow('unknown');
  const next = await shop.issue(1n, 100);
  expect([...issued.map((it) => it.number).sort(), next.number]).toEqual(
    [1, 2, 3, 4, 5, 6, 7].map((n) => `INV-20260302-000${n}`),
  );
  expect(next.due_on).toBe('2026-03-16');
});

test('an invoice is issued once for a key, however often and in how many places at once', async () => {
  const ask = () => shop.issue(1n, 1500, { key: 'turn:7:1' });
  const issued = await Promise.all([ask(), ask(), ask()]);
  expect(new Set(issued.map((it) => it.number)).size).toBe(1);
  expect(issued.filter((it) => !it.again)).toHaveLength(1);
  await expect(shop.issue(1n, 1600, { key: 'turn:7:1' })).rejects.toThrow('other_contents');
  expect(await shop.invoicesOf(1n)).toHaveLength(3);
  const told = await house.db.selectFrom('outbox').select('template').execute();
  expect(told).toEqual([{ template: 'invoice_issued' }]);
});

test('an invoice is due no earlier than today', async () => {
  noon('2026-03-01');
  await expect(shop.issue(1n, 100, { due_on: '2026-02-28' })).rejects.toThrow('too_early');
  await expect(shop.issue(1n, 100_000_000)).rejects.toThrow('too_much');
  expect((await shop.issue(1n, 100, { due_on: '2026-03-01' })).due_on).toBe('2026-03-01');
});

test('what was paid ahead pays the next invoice by itself, and the customer hears of it', async () => {
  const { id, number } = await shop.register('Mary', '254711000111');
  await shop.pay(number, 700);
  expect((await shop.issue(id, 500)).outstanding_cents).toBe(0n);
  expect((await shop.issue(id, 500)).outstanding_cents).toBe(300_00n);
  expect((await shop.issue(id, 500)).outstanding_cents).toBe(500_00n);
  const told = await house.db
    .selectFrom('outbox')
    .select('template')
    .where('template', 'like', 'invoice%')
    .orderBy('id')
    .execute();
  expect(told.map((it) => it.template)).toEqual([
    'invoice_paid_ahead',
    'invoice_part_ahead',
    'invoice_issued',
  ]);
  expect(await balancesOf(house.db, [`1200:${number}`, `2010:${number}`])).toEqual(
    new Map([
      [`1200:${number}`, 800_00n],
      [`2010:${number}`, 0n],
    ]),
  );
  expect(await house.findings()).toEqual([]);
});

test('a payment that comes while an invoice is being issued pays it', async () => {
  const { id, number } = await shop.register('Mary');
  const done = { is_paid: false };
  const { paying } = await inTransaction(house.db, async (tx) => {
    await invoiceCustomer(tx, {
      ...{ customer_id: id, total_cents: 500_00n, description: '', by: null },
      ...{ key: 'test:held', tell: false },
    });
    const begun = shop.pay(number, 500).finally(() => (done.is_paid = true));
    while (!done.is_paid && (await waitingForLocks(house.db)) === 0) await Promise.resolve();
    return { paying: begun };
  });
  await paying;
  expect(await shop.invoicesOf(id)).toEqual(['PAID 0.00']);
  expect(await house.findings()).toEqual([]);
});

test('credit that has paid an invoice is not taken back by the payment that it came from', async () => {
  const { id, number } = await shop.register('Mary');
  const payment = await shop.pay(number, 700);
  await shop.issue(id, 500);
  await expect(shop.takeBack(payment)).rejects.toThrow('spent');
  expect(await shop.invoicesOf(id)).toEqual(['PAID 0.00']);
  expect(await house.findings()).toEqual([]);
});

test('an invoice that nobody has paid is made void, by reversal', async () => {
  const { id, number } = await shop.register('Mary', '254711000111');
  const invoice = await shop.issue(id, 500);
  await shop.cancel(invoice.number);
  expect(await shop.invoicesOf(id)).toEqual(['VOID 0.00']);
  await expect(shop.cancel(invoice.number)).rejects.toThrow('void');
  await expect(shop.cancel('INV-20200101-0001')).rejects.toThrow('unknown');
  expect(await balancesOf(house.db, [`1200:${number}`])).toEqual(new Map([[`1200:${number}`, 0n]]));
  // What is paid for it becomes credit.
  await shop.pay(invoice.number, 200);
  expect(await balancesOf(house.db, [`2010:${number}`])).toEqual(
    new Map([[`2010:${number}`, 200_00n]]),
  );
  expect(await house.findings()).toEqual([]);
});

test('an invoice that a payment has paid is not made void', async () => {
  const { id } = await shop.register('Mary');
  const invoice = await shop.issue(id, 500);
  const payment = await shop.pay(invoice.number, 200);
  await expect(shop.cancel(invoice.number)).rejects.toThrow('partly_paid');
  await shop.pay(invoice.number, 300);
  await expect(shop.cancel(invoice.number)).rejects.toThrow(/^paid$/);
  await expect(shop.cancel(invoice.number, '  ')).rejects.toThrow('no_reason');
  await shop.takeBack(payment);
  await expect(shop.cancel(invoice.number)).rejects.toThrow('partly_paid');
  expect(await shop.invoicesOf(id)).toEqual(['PARTIALLY_PAID 200.00']);
  expect(await house.findings()).toEqual([]);
});

test('what credit has paid of a void invoice pays what else is open', async () => {
  const { id, number } = await shop.register('Mary');
  await shop.pay(number, 700);
  const wrong = await shop.issue(id, 500);
  await shop.issue(id, 600);
  expect(await shop.invoicesOf(id)).toEqual(['PAID 0.00', 'PARTIALLY_PAID 400.00']);
  await shop.cancel(wrong.number);
  expect(await shop.invoicesOf(id)).toEqual(['VOID 0.00', 'PAID 0.00']);
  expect(await balancesOf(house.db, [`2010:${number}`])).toEqual(
    new Map([[`2010:${number}`, 100_00n]]),
  );
  expect(await house.findings()).toEqual([]);
});

test('a payment and a void at once: one of them comes first', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { id } = await shop.register('Mary');
    const invoice = await shop.issue(id, 500);
    await Promise.allSettled([shop.pay(invoice.number, 500), shop.cancel(invoice.number)]);
    expect([['PAID 0.00'], ['VOID 0.00']]).toContainEqual(await shop.invoicesOf(id));
  }
  expect(await house.findings()).toEqual([]);
});

test('days are counted over months and years', () => {
  expect(daysAfter('2026-12-25', 14)).toBe('2027-01-08');
  expect(daysAfter('2028-02-28', 1)).toBe('2028-02-29');
  expect(eatDate(clock.now())).toMatch(/^\d{4}-\d\d-\d\d$/);
});
