import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { wanjiru } from '../helpers/admins.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// A shopkeeper who writes as people write, in one house from the first message to the last.

let house: House;
let shop: ReturnType<typeof trading>;

beforeAll(async () => {
  house = await openHouse();
  shop = trading(house);
  vi.spyOn(clock, 'now').mockReturnValue(new Date('2026-03-02T09:00:00Z'));
  await shop.register('Mary Njeri', '254712345678');
  await shop.register('Mary Atieno', '254712345679');
});
// She writes for days, as it were, and too often for one.
beforeEach(() => sql`delete from rates`.execute(house.db));
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

test('an invoice is written in any order, and a word that begins something else is no name', async () => {
  expect(await says('invoice 2.5k Mary Njeri shoes')).toMatch(/^Mary Njeri: KES 2,500 shoes, due/);
  expect(await says('invoice 0712345679 shoes elfu mbili')).toMatch(
    /^Mary Atieno: KES 2,000 shoes, due/,
  );
  expect(await says('ankara kwa Atieno 1,500/= viatu')).toMatch(
    /^Mary Atieno: KES 1,500 viatu, due/,
  );
  expect(await says('invoice Jane Wambui 0733000111 700 soap')).toMatch(
    /^New customer: Jane Wambui, 0733000111\.\nJane Wambui: KES 700 soap, due/,
  );
  expect(await says('invoice Mary Njeri -500')).toMatch(/^An amount cannot be minus/);
  expect(await says('invoice 0733000111')).toMatch(/is new/);
  // What was begun is gone on with after the word that led away.
  expect(await says('today')).toMatch(
    /^No payment has come in today yet\.\nYou were here\. For the menu reply MENU\.\n0733000111 is new/s,
  );
  expect(await says('balance cust 1')).toMatch(/^Kamau, CUST-001/);
  await says('invoice 0733000111');
  expect(await says('Jane Wambui')).toMatch(/^How much is it\?/);
  expect(await says('balance kamau')).toMatch(/^Kamau, CUST-001.*\nHow much is it\?$/s);
  expect(await says('elfu moja')).toMatch(/^What is it for\?/);
  expect(await says('report')).toMatch(/Jane Wambui: KES 1,000 report, due/);
  expect(await says('asante')).toMatch(/^You are welcome/);
  expect(await says('cancel')).toMatch(/^Stopped: New invoice/);
  expect(await says('cancel')).toMatch(/^There is nothing to cancel here/);
});

test('the owner reads who paid, for whom, what it paid and what is credit', async () => {
  const lucy = await shop.register('Lucy', '254722000111');
  await shop.issue(lucy.id, 300);
  await shop.issue(lucy.id, 200);
  const told = async (template: string) => {
    const row = await house.db
      .selectFrom('outbox')
      .select('values')
      .where('template', '=', template)
      .orderBy('id', 'desc')
      .executeTakeFirst();
    return row?.values;
  };
  await shop.pay(lucy.number, 600);
  expect(await told('payment_several')).toMatchObject({
    customer: '+254799000111 (KAMAU)',
    of: `Lucy, ${lucy.number}`,
    invoice: 'INV-20260302-0001 KES 300, INV-20260302-0002 KES 200',
    left: '0.00',
    ahead: '100.00',
  });
  // One line of her statement, whatever it paid.
  expect(await says(`statement ${lucy.number}`)).toMatch(
    /\n\d\d\/\d\d\/\d{4} -600\.00 \w{10} INV-20260302-0001 \+1\n.*Paid ahead: KES 100\.00$/s,
  );
  // Kept for later by a person it is not said that nothing was owed.
  const { ref } = await pays('nobody', 50, 'NLJ7RT61C1');
  await says(`${ref} other`);
  await says(`${ref} kamau`);
  expect(await says(`${ref} 2`)).toBe('KES 50.00 is kept as credit for Kamau, CUST-001.');
  expect(await told('paid_kept')).toMatchObject({ amount: '50.00' });
  expect(await told('payment_assigned')).toMatchObject({
    customer: 'Kamau, CUST-001',
    credit: '50.00',
  });
  // What is paid is not cancelled, and that is said at once.
  expect(await says('void INV-20260302-0001')).toMatch(/cannot be cancelled: KES 300 is paid/);
});

test('who talks to a person can have the menu back, and DONE alone gives the only chat back', async () => {
  const kamau = '254700000004';
  expect(await says('pay 500', kamau)).toMatch(/^Sorry|^Pay which/);
  expect(await says('person', kamau)).toMatch(/To have it back, reply START\.$/);
  expect(await says('menu', kamau)).toMatch(/^A person from Duka answers you here/);
  expect((await house.writes(kamau, 'balance')).filter((words) => words !== '')).toEqual([
    expect.stringMatching(/^A person from Duka answers you here/),
  ]);
  expect((await house.writes(kamau, 'hakuna')).filter((words) => words !== '')).toEqual([]);
  // Only what is not answered counts as nothing to answer.
  const turns = await house.db.selectFrom('turns').select('silent').orderBy('at').execute();
  expect(turns.slice(-3).map((turn) => turn.silent)).toEqual([false, false, true]);
  const heard = await house.writes(wanjiru, 'Done');
  expect(heard).toContain('The menu is on again for Kamau.');
  expect(await says('menu', kamau)).toMatch(/^Hello Kamau/);
  await says('person', kamau);
  expect(await says('start', kamau)).toMatch(/^Hello Kamau/);
  // Who answers for the house asks nobody of it.
  expect(await says('person')).toMatch(/^Here you are the person who answers/);
  expect(await says('menu')).toMatch(/^Today KES/);
  expect(await house.findings()).toEqual([]);
});
