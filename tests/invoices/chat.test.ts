import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { wanjiru } from '../helpers/admins.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

const kamau = '254700000004';

let house: House;
let shop: ReturnType<typeof trading>;

beforeEach(async () => {
  house = await openHouse();
  shop = trading(house);
  vi.spyOn(clock, 'now').mockReturnValue(new Date('2026-03-02T09:00:00Z'));
  return () => house.close();
});
afterEach(() => vi.restoreAllMocks());

const says = async (text: string, from = wanjiru) => (await house.writes(from, text)).at(-1);
const invoices = () =>
  house.db.selectFrom('invoices').selectAll().where('id', '>', 2n).orderBy('id').execute();

test('an owner just writes: a new customer and their invoice, after one yes', async () => {
  expect(await says('invoice 0712345678 1500 school shoes')).toMatch(
    /^0712345678 is new. What is their name\?/,
  );
  expect(await says('Mary Njeri')).toMatch(
    /^New customer: Mary Njeri, 0712345678.\nMary Njeri: KES 1,500 school shoes, due 16 Mar\?/,
  );
  expect(await invoices()).toEqual([]);
  const answer = await house.writes(wanjiru, '1');
  expect(answer).toContain('INV-20260302-0001 is issued. Mary Njeri is told to pay KES 1,500.');
  const [invoice] = await invoices();
  expect(invoice).toMatchObject({
    number: 'INV-20260302-0001',
    total_cents: 150_000n,
    description: 'school shoes',
    due_on: '2026-03-16',
    state: 'UNPAID',
    issued_by: 1n,
  });
  const told = await house.db
    .selectFrom('outbox')
    .innerJoin('addresses', 'addresses.person_id', 'outbox.person_id')
    .select(['outbox.template', 'outbox.values', 'addresses.value'])
    .where('template', '=', 'invoice_issued')
    .where('addresses.kind', '=', 'msisdn')
    .execute();
  expect(told).toEqual([
    {
      template: 'invoice_issued',
      value: '254712345678',
      values: {
        ref: 'INV-20260302-0001',
        what: 'school shoes',
        amount: '1500.00',
        left: '1500.00',
        credit: '0.00',
        date: '2026-03-16',
      },
    },
  ]);
  // From now on a name is enough, or any part of it.
  expect(await says('invoice njeri 200 socks')).toMatch(/^Mary Njeri: KES 200 socks, due 16 Mar\?/);
  expect(await says('3')).toBe('No invoice was issued.');
  expect(await says('invoice CUST-001 200')).toMatch(/^What is it for\?/);
  expect(await says('skip')).toMatch(/^Kamau: KES 200, due 16 Mar\?/);
  expect(await says('2')).toMatch(/^When is it due\?/);
  expect(await says('5 Mar 2027')).toMatch(/^Kamau: KES 200, due 5 Mar 2027\?/);
  expect(await says('1')).toContain('INV-20260302-0002 is issued.');
  expect(await house.findings()).toEqual([]);
});

test('a name that several customers have is asked about', async () => {
  await shop.register('Mary Njeri', '254712345678');
  await shop.register('Mary Atieno', '254712345679');
  expect(await says('invoice mary 1500 shoes')).toBe(
    'Which of these?\n1 Mary Atieno CUST-003\n2 Mary Njeri CUST-002\n3 Somebody else',
  );
  expect(await says('2')).toMatch(/^Mary Njeri: KES 1,500 shoes/);
});

test('a repeated message issues no second invoice', async () => {
  await says('invoice CUST-001 1500 shoes');
  const answer = () => house.writes(wanjiru, '1', 'wamid.twice');
  await answer();
  await answer();
  expect(await invoices()).toHaveLength(1);
});

test('who is no admin writes no invoice and cancels none', async () => {
  for (const text of ['invoice CUST-001 1500 shoes', 'void INV-1', 'customers', 'invoices']) {
    expect(await says(text, kamau)).toMatch(/^This is not open for your number/);
  }
});

test('an invoice is asked about by the end of its number, and nothing is recorded', async () => {
  await shop.pay('INV-20260203-0001', 500);
  expect(await says('paid INV-1?')).toBe(
    'INV-20260203-0001: KES 500 of KES 5,000 is paid, KES 4,500 left. ' +
      'Last: KES 500, 20 Nov, receipt ' +
      (await house.db.selectFrom('payments').select('receipt').executeTakeFirstOrThrow()).receipt +
      '.',
  );
  // In Swahili too, and by the customer.
  expect(await says('imelipwa INV-2', kamau)).toMatch(
    /^Nothing has come in for INV-20260210-0002 yet/,
  );
  expect(await says('paid INV-99')).toMatch(/^We know no such invoice/);
});

test("a customer asks about their own invoices and learns nothing of another's", async () => {
  const mary = await shop.register('Mary', '254712345678');
  const { number } = await shop.issue(mary.id, 700);
  expect(await says(`paid ${number}`, kamau)).toMatch(/^We know no such invoice/);
  await says('menu', kamau);
  expect(await says(`paid ${number}`, '254712345678')).toMatch(/^Nothing has come in/);
});

test('the end of a number that two open invoices have is asked about', async () => {
  const mary = await shop.register('Mary');
  await shop.issue(mary.id, 700);
  expect(await says('paid inv-1')).toBe(
    'Which one?\n1 INV-20260302-0001 KES 700\n2 INV-20260203-0001 KES 5,000',
  );
  // Once one of them is paid, the other is meant.
  await shop.pay('INV-20260203-0001', 5000);
  await says('menu');
  expect(await says('paid inv-1')).toMatch(/^Nothing has come in for INV-20260302-0001/);
});

test('an admin cancels an invoice with a reason, and a paid one stays', async () => {
  expect(await says('void INV-2 wrong amount')).toMatch(
    /^Cancel INV-20260210-0002, Kamau, KES 1,500\?/,
  );
  const words = await house.writes(wanjiru, '1');
  expect(words).toContain(
    'INV-20260210-0002 is cancelled, and the customer is told. Nothing is left to pay of it.',
  );
  const row = await house.db
    .selectFrom('invoices')
    .selectAll()
    .where('number', '=', 'INV-20260210-0002')
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ state: 'VOID', voided_by: 1n, void_reason: 'wrong amount' });
  await shop.pay('INV-20260203-0001', 500);
  expect(await says('void INV-1')).toMatch(/cannot be cancelled: KES 500 is paid, last by receipt/);
  expect(await says('void INV-2')).toMatch(/^INV-20260210-0002 is cancelled already/);
  expect(await house.findings()).toEqual([]);
});

test('what is past its date is listed apart', async () => {
  const mary = await shop.register('Mary');
  await shop.issue(mary.id, 700);
  expect(await says('invoices overdue')).toMatch(
    /^Open: 2, left to pay KES 6,500\n1 Kamau KES 5,000\n2 Kamau KES 1,500/,
  );
  await says('menu');
  expect(await says('invoices open')).toMatch(/^Open: 3, left to pay KES 7,200/);
});
