import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// A shopkeeper who writes as people write, in one house from the first message to the last.

const wanjiru = '254700000001';

let house: House;
let shop: ReturnType<typeof trading>;

beforeAll(async () => {
  house = await openHouse();
  shop = trading(house);
  vi.spyOn(clock, 'now').mockReturnValue(new Date('2026-03-02T09:00:00Z'));
  await shop.register('Mary Njeri', '254712345678');
  await shop.register('Mary Atieno', '254712345679');
});
afterAll(async () => {
  vi.restoreAllMocks();
  await house.close();
});

const says = async (text: string, from = wanjiru) => (await house.writes(from, text)).at(-1);

/** A payment by nobody whom we know, for what they typed, and what the admins are asked. */
async function pays(account: string, shillings: number, receipt: string) {
  const body = { TransID: receipt, BillRefNumber: account, TransAmount: `${shillings}.00` };
  await house.hook('c2b/confirmation', confirmation({ ...body, MSISDN: '254799999999' }));
  await house.drain();
  await askQuestions(house.db, house.conversations, () => true);
  const { words, question } = await house.db
    .selectFrom('outbox')
    .select(['words', 'question'])
    .where('question', 'is not', null)
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
  return { words: words ?? '', ref: question ?? '' };
}

test('a customer is found by whatever is known of them, in every question for one', async () => {
  for (const text of ['CUST-001', 'cust 1', '0700 000 004', '+254700000004', 'kama', 'INV-1']) {
    expect(await says(`balance ${text}`)).toMatch(/^Kamau, CUST-001\nTo pay: KES 6,500/);
    expect(await says(`customers ${text}`)).toMatch(/^Kamau, CUST-001\nPhone: 0700000004/);
    expect(await says(`statement ${text}`)).toMatch(/^Kamau, CUST-001: invoices \(\+\)/);
  }
  // By any part of a name, its words in any order; of several one is chosen.
  expect(await says('balance njeri mary')).toMatch(/^Mary Njeri, CUST-002/);
  expect(await says('balance tieno')).toMatch(/^Mary Atieno, CUST-003/);
  expect(await says('balance mary')).toBe(
    'Which of these?\n1 Mary Atieno CUST-003\n2 Mary Njeri CUST-002\n3 Somebody else',
  );
  expect(await says('3')).toMatch(/^Whose\?/);
  expect(await says('mary')).toMatch(/^Which of these\?/);
  expect(await says('2')).toMatch(/^Mary Njeri, CUST-002/);
  expect(await says('balance nobody')).toMatch(/^We found nobody by that/);
});

test('a payment goes to whom an admin names, and is split by names', async () => {
  const { ref } = await pays('shop', 1500, 'NLJ7RT61A1');
  expect(await says(`${ref} other`)).toMatch(/^What does it pay\?/);
  expect(await says(`${ref} mary`)).toMatch(/^Which of these\?\n1 Mary Atieno CUST-003/);
  expect(await says(`${ref} 3`)).toMatch(/^What does it pay\?/);
  expect(await says(`${ref} inv-1`)).toMatch(/^KES 1,500 for Kamau, INV-20260203-0001\?/);
  await says(`${ref} 2`);
  const other = (await pays('shop', 1500, 'NLJ7RT61A2')).ref;
  await says(`${other} split`);
  expect(await says(`${other} mary 500, kamau 1,000`)).toMatch(/^More than one is called so/);
  expect(await says(`${other} atieno 500, inv-1 1,000`)).toMatch(/^Done. It now pays INV-20260203/);
  // What it should pay may be said at once; what is not there is called by its name.
  expect(await says('move nlj7rt61a1 INV-9999')).toMatch(/We know no such invoice or customer/);
  expect(await says('cust 2')).toMatch(/^Why\?/);
  await says('acha');
  expect(await says('move nlj7rt61a1 njeri')).toMatch(/^Why\?|\nWhy\?/);
  await says('acha');
});

test('what is nearly a reference is offered, and pays nothing by itself', async () => {
  for (const [n, account] of [
    'INV-2026021-0002',
    'INV-2026-0210',
    'INV 20260210 002 2',
    'atieno',
    'CUST-0011',
    '070000004',
  ].entries()) {
    const { words } = await pays(account, 77, `NLJ7RT61B${n}`);
    const expected = { atieno: 'CUST-003 Mary Atieno', 'CUST-0011': 'CUST-001 Kamau' };
    const near = expected[account as keyof typeof expected] ?? '';
    expect([account, words]).toEqual([
      account,
      expect.stringContaining(
        near || (account.startsWith('0') ? 'CUST-001 Kamau' : 'INV-20260210-0002 Kamau'),
      ),
    ]);
  }
});

test('what is no name makes nobody a customer', async () => {
  expect(await says('customers 0711222333')).toMatch(/is new/);
  for (const text of ['12345', '0711222333', 'x', '😀😀', 'M4567']) {
    expect([text, await says(text)]).toEqual([text, expect.stringMatching(/a name|Let us stop/)]);
    await says('customers 0711222333');
  }
  expect(await says('Café 24')).toMatch(/^Add this customer\?/);
  await says('2');
  expect(await says('customers 😀')).toMatch(/^We found nobody by that, and it is no name/);
  await says('acha');
});
