import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { assignPayment, reallocatePayment } from '../../src/payments/assign.ts';
import { reprocessPayments } from '../../src/payments/reprocess.ts';
import { reversedAtMpesa } from '../../src/payments/reverse.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { enrol } from '../../src/people/enrol.ts';
import { otieno, wanjiru } from '../helpers/admins.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// Payments that nothing was found for, those that pay the wrong thing, and those that M-Pesa takes back.

const kamau = '254700000004';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  // Mary, who owes 1,500 too.
  await inTransaction(house.db, async (tx) => {
    const [person_id = null] = await enrol(tx, [
      { msisdn: '254711000009', name: 'Mary', roles: ['customer'] },
    ]);
    const id = await addCustomer(tx, { number: 'CUST-002', name: 'Mary', person_id });
    await issueInvoice(tx, {
      number: 'INV-20260301-0003',
      customer: { id, number: 'CUST-002' },
      total_cents: 150_000n,
      issued_on: '2026-03-01',
      due_on: '2026-03-08',
    });
  });
  return () => house.close();
});

async function pay(change: Record<string, unknown>): Promise<void> {
  expect((await house.hook('c2b/confirmation', confirmation(change))).status).toBe(200);
  await house.drain();
  await askQuestions(house.db, house.conversations, () => true);
}

/** KES 1,500 from a number that nobody knows, for an account that names nothing. */
const nobodys = {
  TransID: 'NLJ7RT61SV',
  BillRefNumber: 'JOHN SHOP',
  MSISDN: '254799999999',
  TransAmount: '1500.00',
};

/** What a person hears to what they write. */
const says = async (from: string, text: string) =>
  (await house.writes(from, text)).find((words) => words !== '');

const left = async () => {
  const rows = await house.db
    .selectFrom('invoices')
    .select(['number', 'outstanding_cents'])
    .orderBy('id')
    .execute();
  return rows.map((row) => row.outstanding_cents);
};

const told = async (template: string) => {
  const rows = await house.db
    .selectFrom('outbox')
    .select(['person_id', 'values'])
    .where('template', '=', template)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.values);
};

const asked = async () => {
  const rows = await house.db
    .selectFrom('outbox')
    .select(['words', 'person_id'])
    .where('question', 'is not', null)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.words);
};

test('the admins are asked, with what is likely, and the first answer settles it', async () => {
  await pay(nobodys);
  const [first, second, ...more] = await asked();
  expect(first).toBe(
    '⚠️ *Payment not matched* UM1\nKES 1,500.00 from 254799999999 KAMAU\n' +
      'Account typed: JOHN SHOP\nReceipt: NLJ7RT61SV\nWhose is it?\n' +
      '1 INV-20260210-0002 Kamau KES 1,500\n2 INV-20260301-0003 Mary KES 1,500\n' +
      '3 Other\n4 Split\n5 Refund\n6 Later',
  );
  expect([second === first, more]).toEqual([true, []]);

  expect(await house.writes(wanjiru, 'UM1 2')).toEqual(
    expect.arrayContaining(['KES 1,500.00 now pays INV-20260301-0003. Whoever owes it is told.']),
  );
  expect(await paymentsOf(house.db)).toEqual(['1500.00 person INV-20260301-0003=1500.00']);
  expect(await left()).toEqual([500_000n, 150_000n, 0n]);
  expect(await told('paid_full')).toMatchObject([{ ref: 'INV-20260301-0003' }]);
  // Only the other admin: who decided knows.
  expect(await told('payment_assigned')).toMatchObject([{ who: 'Wanjiru' }]);
  expect(await says(otieno, 'UM1 1')).toMatch(/^UM1 /);
  expect(await left()).toEqual([500_000n, 150_000n, 0n]);
  const payment = await house.db.selectFrom('payments').select('also_possible').execute();
  expect(payment).toEqual([{ also_possible: [] }]);
  const by = await house.db.selectFrom('allocations').select('decided_by').execute();
  expect(by[0]!.decided_by).not.toBeNull();
  expect(await house.findings()).toEqual([]);
});

test('another one is named, or kept as credit, or split, or marked for refund', async () => {
  await pay(nobodys);
  await house.writes(wanjiru, 'UM1 3');
  expect(await says(wanjiru, 'UM1 nobody')).toMatch(/^We know no such invoice/);
  expect(await says(wanjiru, 'UM1 cust1')).toBe(
    'KES 1,500 for Kamau, CUST-001? Left to pay there: KES 6,500.\n1 Yes, pay it\n2 Keep as credit\n3 Another one',
  );
  await house.writes(wanjiru, 'UM1 2');
  expect(await paymentsOf(house.db)).toEqual(['1500.00 person credit=1500.00']);

  await pay({ ...nobodys, TransID: 'NLJ7RT61S2' });
  await house.writes(wanjiru, 'UM2 split');
  const wrong = 'INV-20260203-0001 5500, CUST-002 100';
  expect(await says(wanjiru, `UM2 ${wrong}`)).toMatch(/^That does not fit/);
  expect(await says(wanjiru, 'UM2 INV-20260203-0001 500, CUST-002 400')).toBe(
    'Done: INV-20260203-0001, INV-20260301-0003. KES 600 still waits as UM2.',
  );
  // What waits is asked for again by its list.
  expect(await says(otieno, 'unmatched')).toMatch(/KES 600\.00 from/);

  await pay({ ...nobodys, TransID: 'NLJ7RT61S3' });
  await house.writes(otieno, 'UM3 refund');
  await house.writes(otieno, 'UM3 1');
  expect((await paymentsOf(house.db))[2]).toBe('1500.00 unmatched');
  const marked = await house.db
    .selectFrom('payments')
    .select('refund_marked_by')
    .where('refund_marked_by', 'is not', null)
    .execute();
  expect(marked).toHaveLength(1);
  expect(await house.findings()).toEqual([]);
});

test('a wrong invoice is charged, and the payment moves to the right one with a reason', async () => {
  await pay({ TransID: 'NLJ7RT61SV', BillRefNumber: 'INV-20260301-0003', TransAmount: '1500.00' });
  expect(await left()).toEqual([500_000n, 150_000n, 0n]);
  await house.writes(wanjiru, 'move nlj7rt61sv');
  expect(await says(wanjiru, 'INV 20260210 2')).toMatch(/^Why\?/);
  expect(await says(wanjiru, 'typed the wrong number')).toBe(
    'Move KES 1,500 from INV-20260301-0003 to Kamau, INV-20260210-0002? Left to pay there: KES 1,500.\n1 Yes\n2 No',
  );
  expect(await says(wanjiru, '1')).toMatch(/^Done\. NLJ7RT61SV now pays/);
  expect(await left()).toEqual([500_000n, 0n, 150_000n]);
  expect(await told('paid_taken_back')).toMatchObject([
    { ref: 'INV-20260301-0003', left: '1500.00' },
  ]);
  const allocations = await house.db
    .selectFrom('allocations')
    .select(['due_reference', 'reversed_for'])
    .orderBy('id')
    .execute();
  expect(allocations).toEqual([
    { due_reference: 'INV-20260301-0003', reversed_for: 'typed the wrong number' },
    { due_reference: 'INV-20260210-0002', reversed_for: null },
  ]);
  expect(await house.findings()).toEqual([]);
});

test('of two who decide at once one is first, and nothing is paid twice', async () => {
  await pay(nobodys);
  const answers = await Promise.all([
    house.writes(wanjiru, 'UM1 1'),
    house.writes(otieno, 'UM1 2'),
  ]);
  expect(answers.flat().join()).toMatch(/now pays/);
  expect(await paymentsOf(house.db)).toHaveLength(1);
  const sum = (await left()).reduce((total, cents) => total + cents, 0n);
  expect(sum).toBe(800_000n - 150_000n);
  expect(await house.findings()).toEqual([]);
});

test('who is no admin assigns nothing, and learns of nothing', async () => {
  await pay(nobodys);
  expect(await says(kamau, 'unmatched')).not.toMatch(/KES/);
  expect(await says(kamau, 'UM1 1')).not.toMatch(/INV-20260301/);
  expect(await paymentsOf(house.db)).toEqual(['1500.00 unmatched']);
});

test('what was nobody’s is matched when it is looked at again, and told as if new', async () => {
  await pay({ ...nobodys, BillRefNumber: 'CUST-007' });
  expect(await inTransaction(house.db, (tx) => reprocessPayments(tx, house.receive))).toBe(0);
  await inTransaction(house.db, (tx) =>
    addCustomer(tx, { number: 'CUST-007', name: 'John', person_id: null }),
  );
  expect(await inTransaction(house.db, (tx) => reprocessPayments(tx, house.receive, 1n))).toBe(1);
  expect(await paymentsOf(house.db)).toEqual(['1500.00 customer credit=1500.00']);
  expect(await told('payment_to_credit')).toHaveLength(2);
  expect(await says(otieno, 'UM1 1')).toMatch(/^UM1 /);
  expect(await house.findings()).toEqual([]);
});

const reverse = (receipt: string) =>
  inTransaction(house.db, (tx) =>
    reversedAtMpesa(tx, house.receive, [
      { receipt, reversal_receipt: `R${receipt}`, at: new Date('2026-03-21T10:00:00Z') },
    ]),
  );

test('a payment that M-Pesa takes back opens what it paid, once', async () => {
  await pay({ TransID: 'NLJ7RT61SV', TransAmount: '5000.00' });
  expect(await left()).toEqual([0n, 150_000n, 150_000n]);
  expect(await reverse('NLJ7RT61SV')).toEqual([]);
  expect(await reverse('NLJ7RT61SV')).toEqual([]);
  expect(await reverse('NOBODYS001')).toEqual(['NOBODYS001']);
  expect(await left()).toEqual([500_000n, 150_000n, 150_000n]);
  expect(await house.db.selectFrom('payments').select('state').execute()).toEqual([
    { state: 'reversed' },
  ]);
  expect(await told('paid_reversed')).toMatchObject([
    { ref: 'INV-20260203-0001', left: '5000.00' },
  ]);
  expect(await told('payment_reversed')).toHaveLength(2);
  // It pays nothing any more.
  const move = inTransaction(house.db, (tx) =>
    reallocatePayment(tx, house.receive.dues, {
      payment_id: 1n,
      targets: [{ reference: 'CUST-002' }],
      by: 1n,
      reason: 'test',
    }),
  );
  await expect(move).rejects.toMatchObject({ code: 'over' });
  expect(await house.findings()).toEqual([]);
});

test('of credit that M-Pesa takes back only what was used stays, and no more of it is used', async () => {
  // Kamau owes 6,500, so that 1,000 of this is paid ahead.
  await pay({ TransID: 'NLJ7RT61SV', TransAmount: '7500.00' });
  const { issue } = trading(house);
  await issue(1n, 300);
  await reverse('NLJ7RT61SV');
  expect(await paymentsOf(house.db)).toEqual(['7500.00 unmatched credit=300.00']);
  expect(await balancesOf(house.db, ['2010:CUST-001', '1390'])).toEqual(
    new Map([
      ['2010:CUST-001', 0n],
      ['1390', 30_000n],
    ]),
  );
  expect(await told('paid_reversed')).toMatchObject([
    { ref: 'INV-20260203-0001', amount: '5000.00', left: '5000.00' },
    { ref: 'INV-20260210-0002', amount: '1500.00', left: '1500.00' },
  ]);
  expect(await told('credit_reversed')).toMatchObject([{ amount: '700.00' }]);
  expect(await told('payment_reversed')).toMatchObject([{ owed: '300.00' }, { owed: '300.00' }]);
  // Nothing of it pays the next invoice.
  await issue(1n, 400);
  expect((await left()).at(-1)).toBe(40_000n);
  expect(await house.findings()).toEqual([]);
});

test('an unmatched payment that M-Pesa takes back waits no more', async () => {
  await pay(nobodys);
  await reverse('NLJ7RT61SV');
  expect(await says(wanjiru, 'UM1 1')).toMatch(/^UM1 /);
  expect(await says(wanjiru, 'unmatched')).toMatch(/^No payment waits/);
  const assign = inTransaction(house.db, (tx) =>
    assignPayment(tx, house.receive.dues, {
      payment_id: 1n,
      targets: [{ reference: 'CUST-002' }],
      by: 1n,
    }),
  );
  await expect(assign).rejects.toMatchObject({ code: 'over' });
  expect(await house.findings()).toEqual([]);
});

test('what is written after the first answer is for the same question, without its name', async () => {
  await pay(nobodys);
  await pay({ ...nobodys, TransID: 'NLJ7RT61S2', TransAmount: '700.00' });
  await says(wanjiru, 'balance CUST-001');
  expect(await says(wanjiru, 'UM1 other')).toMatch(/^What does it pay\?/);
  expect(await says(wanjiru, 'CUST-002')).toMatch(/^KES 1,500 for Mary, CUST-002\?/);
  // The menu is beside it, and then a number is the menu's.
  expect(await says(wanjiru, 'menu')).toMatch(/^Today/);
  expect(await says(wanjiru, '1')).toMatch(/^(Today: |No payment has come in today)/);
  expect(await says(wanjiru, 'UM1')).toMatch(/^KES 1,500 for Mary, CUST-002\?/);
  expect(await says(wanjiru, '1')).toMatch(/^KES 1,500\.00 now pays CUST-002/);
  expect(await paymentsOf(house.db)).toEqual([
    '1500.00 person INV-20260301-0003=1500.00',
    '700.00 unmatched',
  ]);
});
