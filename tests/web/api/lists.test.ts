import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { msisdnHash } from '../../../src/base/phone.ts';
import { apiOf } from '../../helpers/api.ts';
import { confirmation } from '../../helpers/confirmation.ts';
import { type House, openHouse } from '../../helpers/house.ts';

let house: House;
let token: string;

beforeEach(async () => {
  house = await openHouse();
  token = await apiOf(house).token();
  return () => house.close();
});

// oxlint-disable-next-line typescript/no-explicit-any
async function get(path: string): Promise<any> {
  const { status, json, text } = await apiOf(house).get(path, token);
  expect([path, status, text]).toEqual([path, 200, text]);
  return json;
}

/** Payments that reach the paybill, and what each is called. */
async function paid(...changes: Record<string, unknown>[]): Promise<string[]> {
  const made: string[] = [];
  for (const change of changes) {
    const body = confirmation(change);
    made.push(String(body['TransID']));
    await house.hook('c2b/confirmation', body);
  }
  await house.drain();
  return made;
}

async function receipts(filter: string): Promise<string[]> {
  const { data } = await get(`/payments?${filter}`);
  return data.map((it: { receipt: string }) => it.receipt);
}

test('a list goes on where it was, whatever comes meanwhile', async () => {
  const old = await paid(
    ...['20261101', '20261102', '20261103', '20261103', '20261104'].map((day) => ({
      TransTime: `${day}120000`,
    })),
  );
  const first = await get('/payments?limit=2');
  expect(first.data.map((it: { receipt: string }) => it.receipt)).toEqual([old[4], old[3]]);
  // One that is newer than all, and one that is found late.
  await paid({ TransTime: '20261110120000' }, { TransTime: '20261103120000' });
  const second = await get(`/payments?limit=2&after=${first.next}`);
  expect(second.data.map((it: { receipt: string }) => it.receipt)).toEqual([old[2], old[1]]);
  const third = await get(`/payments?limit=2&after=${second.next}`);
  expect(third.data.map((it: { receipt: string }) => it.receipt)).toEqual([old[0]]);
  expect(third.next).toBe(null);
});

test('every list comes by pages that together are the whole', async () => {
  await paid({}, { BillRefNumber: 'nonsense', MSISDN: '254711000000' }, { TransAmount: '20.50' });
  await house.hook('c2b/confirmation', 'not json');
  await house.hook('c2b/confirmation', 'nor this');
  const lists = [
    '/payments',
    '/invoices',
    '/customers',
    '/ledger/accounts',
    '/ledger/transactions',
    '/inbox',
    '/inbox/rejected',
  ];
  for (const path of lists) {
    const whole = await get(`${path}?limit=100`);
    expect([path, whole.next, whole.data.length > 0]).toEqual([path, null, true]);
    const parts: unknown[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page = await get(`${path}?limit=1${next === '' ? '' : `&after=${next}`}`);
      parts.push(...page.data);
      next = page.next;
    }
    expect([path, parts]).toEqual([path, whole.data]);
  }
});

test('payments are found by phone, amount, time, status, due and text', async () => {
  const [kamau, unknown, small] = (await paid(
    { TransTime: '20261101235959', FirstName: 'KAMAU' },
    {
      TransTime: '20261102000000',
      BillRefNumber: '100%_sure',
      MSISDN: '254711000000',
      FirstName: 'AMINA',
    },
    { TransTime: '20261103090000', TransAmount: '20.50' },
  )) as [string, string, string];
  expect(await receipts('phone=254711000000')).toEqual([unknown]);
  expect(await receipts('phone=254700000004')).toEqual([small, kamau]);
  expect(await receipts('amount=20.5')).toEqual([small]);
  expect(await receipts('amount=20.50')).toEqual([small]);
  expect(await receipts('from=2026-11-02')).toEqual([small, unknown]);
  expect(await receipts('to=2026-11-01')).toEqual([kamau]);
  expect(await receipts('from=2026-11-02&to=2026-11-02')).toEqual([unknown]);
  // Before a moment, whichever offset it is told with; a plus may come as it is.
  expect(await receipts('to=2026-11-02T00:00:00%2B03:00')).toEqual([kamau]);
  expect(await receipts('to=2026-11-02T00:00:00+03:00')).toEqual([kamau]);
  expect(await receipts('from=2026-11-01T21:00:00Z&to=2026-11-02')).toEqual([unknown]);
  expect(await receipts('status=unmatched')).toEqual([unknown]);
  expect(await receipts('status=matched')).toEqual([small, kamau]);
  expect(await receipts('due=INV-20260203-0001')).toEqual([small, kamau]);
  expect(await receipts('text=amina')).toEqual([unknown]);
  expect(await receipts(`text=${unknown.toLowerCase()}`)).toEqual([unknown]);
  // What means something to the database means nothing here.
  expect(await receipts('text=%25_s')).toEqual([unknown]);
  expect(await receipts('text=_')).toEqual([unknown]);
  expect(await receipts('text=%25&phone=254700000004')).toEqual([]);
});

test('a payer that M-Pesa names by a hash alone is found by the number', async () => {
  const [receipt] = await paid({ MSISDN: msisdnHash('254700000004') });
  expect(await receipts('phone=254700000004')).toEqual([receipt]);
  expect((await get(`/payments/${receipt}`)).payer.phone).toBe('254700000004');
});

test('a payment tells what it paid, what was taken back, which rule decided and how it was heard of', async () => {
  const [receipt = ''] = await paid({ TransAmount: '5200.50' });
  await sql`
    update payments set verified_at = now(), verified_by = 'pull' where receipt = ${receipt}
  `.execute(house.db);
  await house.hook('c2b/confirmation', {
    ...confirmation(),
    TransID: receipt,
    TransAmount: '1.00',
  });
  await house.drain();
  const it = await get(`/payments/${receipt}`);
  expect(it).toMatchObject({
    amount: 5200.5,
    allocated_amount: 5200.5,
    currency: 'KES',
    status: 'matched',
    rule: 'reference',
    also_possible: [],
    verified: true,
    verified_by: 'pull',
    prompt: null,
    paid_at: '2026-11-20T14:30:00+03:00',
    payer: { phone: '254700000004', name: 'KAMAU' },
    allocations: [
      { due: 'INV-20260203-0001', kind: 'invoice', amount: 5000, reversed_at: null },
      { due: 'INV-20260210-0002', kind: 'invoice', amount: 200.5, reversed_at: null },
    ],
    hearings: [
      { source: 'c2b', verdict: 'first', amount: 5200.5 },
      { source: 'c2b', verdict: 'conflict', amount: 1 },
    ],
  });
  await sql`
    update allocations set reversed_at = now(), reversed_for = 'wrong_invoice' where amount_cents = 20050
  `.execute(house.db);
  const after = await get(`/payments/${receipt}`);
  expect(after.allocations[1]).toMatchObject({
    amount: 200.5,
    reversed_at: expect.stringMatching(/\+03:00$/),
    reversed_for: 'wrong_invoice',
  });
});

test('invoices are found by customer, status, amount, day and text', async () => {
  await paid({ TransAmount: '1500', BillRefNumber: 'INV-20260210-0002' });
  const numbers = async (filter: string) =>
    (await get(`/invoices?${filter}`)).data.map((it: { number: string }) => it.number);
  const [first, second] = ['INV-20260203-0001', 'INV-20260210-0002'];
  expect(await numbers('customer=CUST-001')).toEqual([second, first]);
  expect(await numbers('customer=CUST-009')).toEqual([]);
  expect(await numbers('phone=254700000004')).toEqual([second, first]);
  expect(await numbers('status=PAID')).toEqual([second]);
  expect(await numbers('status=UNPAID')).toEqual([first]);
  expect(await numbers('status=OPEN')).toEqual([first]);
  expect(await numbers('status=OVERDUE')).toEqual([first]);
  expect(await numbers('status=PARTIALLY_PAID')).toEqual([]);
  expect(await numbers('amount=1500')).toEqual([second]);
  expect(await numbers('to=2026-02-03')).toEqual([first]);
  expect(await numbers('from=2026-02-04')).toEqual([second]);
  expect(await numbers('text=kamau')).toEqual([second, first]);
  expect(await get(`/invoices/${second}`)).toMatchObject({
    total: 1500,
    outstanding: 0,
    status: 'PAID',
    overdue: false,
    paid_by: [{ amount: 1500, currency: 'KES', reversed_at: null }],
  });
});

test('a customer is found by phone, name and standing, with what they owe and paid ahead', async () => {
  const numbers = async (filter: string) =>
    (await get(`/customers?${filter}`)).data.map((it: { number: string }) => it.number);
  expect(await numbers('phone=254700000004')).toEqual(['CUST-001']);
  expect(await numbers('phone=254700000005')).toEqual([]);
  expect(await numbers('text=kam')).toEqual(['CUST-001']);
  expect(await numbers('status=owing')).toEqual(['CUST-001']);
  await paid({ TransAmount: '7000' });
  expect(await numbers('status=ahead')).toEqual(['CUST-001']);
  expect(await get('/customers/CUST-001')).toMatchObject({
    owed: 0,
    credit: 500,
    balance: -500,
    open_invoices: 0,
    phone: '254700000004',
  });
});

test('a statement opens and closes with the balance of its time, line by line', async () => {
  const [receipt] = await paid({ TransAmount: '7000', TransTime: '20260215120000' });
  const at = '/customers/CUST-001/statement';
  const whole = await get(at);
  expect([whole.opening_balance, whole.closing_balance, whole.invoiced, whole.paid]).toEqual([
    0, -500, 6500, 7000,
  ]);
  const balances = whole.lines.map((it: { balance: number }) => it.balance);
  expect(balances.at(-1)).toBe(-500);
  const february = await get(`${at}?from=2026-02-10&to=2026-02-10`);
  expect(february).toMatchObject({
    from: '2026-02-10T00:00:00+03:00',
    until: '2026-02-11T00:00:00+03:00',
    opening_balance: 5000,
    closing_balance: 6500,
    lines: [{ reference: 'INV-20260210-0002', amount: 1500, balance: 6500 }],
  });
  const after = await get(`${at}?from=2026-02-15`);
  expect(after.opening_balance).toBe(6500);
  expect(new Set(after.lines.map((it: { reference: string }) => it.reference))).toEqual(
    new Set([receipt]),
  );
  expect(await get(`${at}?from=2030-01-01`)).toMatchObject({
    opening_balance: -500,
    closing_balance: -500,
    lines: [],
  });
});

test('the ledger is read by account and key, and its balances agree with the trial balance', async () => {
  const [receipt] = await paid({ TransAmount: '500.25' });
  const { data } = await get('/ledger/transactions?account=2040');
  expect(data.map((it: { kind: string }) => it.kind)).toEqual(['invoice_paid', 'payment_received']);
  expect(await get(`/ledger/transactions/payment:${receipt}:received`)).toMatchObject({
    effective_at: '2026-11-20T14:30:00+03:00',
    reverses: null,
    postings: [{ debit: '1010:600000:utility', credit: '2040', amount: 500.25, currency: 'KES' }],
  });
  expect((await get('/ledger/transactions?amount=500.25')).data).toHaveLength(2);
  expect((await get('/ledger/transactions?kind=invoice_issued&to=2026-02-05')).data).toHaveLength(
    1,
  );
  const accounts = (await get('/ledger/accounts?text=1200')).data;
  expect(accounts).toMatchObject([{ code: '1200:CUST-001', type: 'asset', balance: 5999.75 }]);
  const balance = await get('/reports/balance');
  expect([balance.balanced, balance.debits === balance.credits]).toEqual([true, true]);
  const of = (code: string) =>
    balance.accounts.find((it: { account: string }) => it.account === code).balance;
  expect([of('1200'), of('1010'), of('2040'), of('4000')]).toEqual([5999.75, 500.25, 0, 6500]);
});

test('the figures of a time are those of its days', async () => {
  await paid(
    { TransTime: '20260210010000', TransAmount: '100.50' },
    { TransTime: '20260211235959' },
  );
  await sql`
    insert into prompts (reference, token, person_id, msisdn, shortcode, due_kind, due_id, due_reference,
      amount_cents, asked_by, asked_key, state, created_at, ended_at)
    select 'PAY-000000' || n, 'a-token-of-the-test-' || n, 1, '254700000001', '600000', 'invoice', n, 'INV',
      100, 1, 'key' || n, state, '2026-02-11T12:00:00+03:00', case when state = 'failed' then now() end
    from (values (1, 'failed'), (2, 'waiting')) as it(n, state)
  `.execute(house.db);
  const figures = await get('/stats?from=2026-02-10&to=2026-02-11');
  expect(figures).toEqual({
    from: '2026-02-10',
    to: '2026-02-11',
    currency: 'KES',
    revenue: 1500,
    payment_revenue: 600.5,
    payments: { total: 4, completed: 2, failed: 1, pending: 1 },
    days: [
      {
        day: '2026-02-10',
        revenue: 1500,
        payment_revenue: 100.5,
        payments: { total: 1, completed: 1, failed: 0, pending: 0 },
      },
      {
        day: '2026-02-11',
        revenue: 0,
        payment_revenue: 500,
        payments: { total: 3, completed: 1, failed: 1, pending: 1 },
      },
    ],
  });
  expect((await get('/prompts?status=failed')).data).toMatchObject([{ reference: 'PAY-0000001' }]);
  expect((await get('/prompts?to=2026-02-10')).data).toEqual([]);
});

test('the last check of the books is told as it was', async () => {
  expect(await get('/reports/verify')).toMatchObject({ checked_at: null, right: null });
  const named = JSON.stringify([{ check: 'kept balances', found: '2040' }]);
  await sql`
    insert into book_checks (hour, started_at, took_ms, findings, named)
    values ('2026-02-03T10:00:00Z', '2026-02-03T10:00:01Z', 12, 1, ${named}::jsonb)
  `.execute(house.db);
  expect(await get('/reports/verify')).toEqual({
    checked_at: '2026-02-03T13:00:01+03:00',
    took_ms: 12,
    right: false,
    findings: 1,
    named: [{ check: 'kept balances', found: '2040' }],
  });
});

test('the inbox says from which address each came, and its bodies are apart', async () => {
  const [receipt = ''] = await paid({});
  const { data } = await get('/inbox?source=c2b_confirmation&status=done');
  expect(data).toMatchObject([
    { from_ip: '127.0.0.1', status: 'done', source: 'c2b_confirmation' },
  ]);
  expect(JSON.stringify(data)).not.toContain(receipt);
  const [{ id }] = data;
  expect(JSON.stringify(await get(`/inbox/${id}`))).not.toContain(receipt);
  expect((await get(`/inbox/${id}/body`)).body).toContain(receipt);
  expect((await get('/inbox?from_ip=127.0.0.1')).data).toHaveLength(1);
  expect((await get('/inbox?from_ip=127.0.0.2')).data).toEqual([]);
  expect((await get('/inbox?to=2020-01-01')).data).toEqual([]);
  await house.hook('c2b/confirmation', 'not json');
  const rejected = (await get('/inbox/rejected')).data;
  expect(rejected).toMatchObject([{ source: 'c2b_confirmation', from_ip: '127.0.0.1', length: 8 }]);
});
