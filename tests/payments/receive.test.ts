import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { msisdnHash } from '../../src/base/phone.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { sendDigest } from '../../src/payments/jobs.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

async function pay(...changes: Record<string, unknown>[]): Promise<void> {
  for (const change of changes) {
    const response = await house.hook('c2b/confirmation', confirmation(change));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ResultCode: 0, ResultDesc: 'Accepted' });
  }
  await house.drain();
}

const outbox = async (template?: string) =>
  house.db
    .selectFrom('outbox')
    .select(['template', 'values', 'person_id'])
    .$if(template !== undefined, (q) => q.where('template', '=', template!))
    .orderBy('id')
    .execute();

const invoices = () =>
  house.db
    .selectFrom('invoices')
    .select(['number', 'outstanding_cents', 'state'])
    .orderBy('id')
    .execute();

test('a payment pays its invoice, is on the books, and both admins and the payer are told', async () => {
  await pay({ TransID: 'NLJ7RT61SV' });

  expect(await paymentsOf(house.db)).toEqual(['500.00 reference INV-20260203-0001=500.00']);
  expect(await invoices()).toMatchObject([
    { outstanding_cents: 450_000n, state: 'PARTIALLY_PAID' },
    { outstanding_cents: 150_000n, state: 'UNPAID' },
  ]);
  const balances = await balancesOf(house.db, [
    '1010:600000:utility',
    '2040',
    '1200:CUST-001',
    '2010:CUST-001',
  ]);
  expect(Object.fromEntries(balances)).toEqual({
    '1010:600000:utility': 50_000n,
    '2040': 0n,
    '1200:CUST-001': 600_000n,
    '2010:CUST-001': 0n,
  });
  const told = await outbox();
  expect(told.map((row) => row.template)).toEqual(['payment_part', 'payment_part', 'paid_part']);
  expect(told[0]!.values).toMatchObject({
    invoice: 'INV-20260203-0001',
    amount: '500.00',
    receipt: 'NLJ7RT61SV',
    customer: '+254700000004 (KAMAU)',
    of: '-',
    left: '4500.00',
  });
  expect(await house.findings()).toEqual([]);
});

test('a repeated confirmation answers the same and changes nothing', async () => {
  const again = confirmation();
  await pay(again);
  await pay(again);
  // The same payment in other words: another balance of the shortcode, another spelling of nothing.
  await pay({ ...again, OrgAccountBalance: '1.00', InvoiceNumber: null });

  expect(await paymentsOf(house.db)).toHaveLength(1);
  expect(await outbox()).toHaveLength(3);
  const hearings = await house.db
    .selectFrom('hearings')
    .select('verdict')
    .orderBy('inbox_id')
    .execute();
  expect(hearings.map((h) => h.verdict)).toEqual(['first', 'repeat']);
  expect(await house.findings()).toEqual([]);
});

test('the same payment twice in one batch is one payment', async () => {
  const it = confirmation();
  await house.hook('c2b/confirmation', it);
  await house.hook('c2b/confirmation', { ...it, OrgAccountBalance: '1.00' });
  await house.drain();
  expect(await paymentsOf(house.db)).toHaveLength(1);
  expect(await house.findings()).toEqual([]);
});

test.each([
  ['another amount', { TransAmount: '900.00' }],
  ['another shortcode', { BusinessShortCode: '600001' }],
])('the same receipt with %s is kept and flagged, and posts nothing', async (_, change) => {
  const first = confirmation();
  await pay(first);
  const before = await balancesOf(house.db, [
    '1010:600000:utility',
    '1010:600001:merchant',
    '2040',
  ]);
  await pay({ ...first, ...change });

  expect(await paymentsOf(house.db)).toHaveLength(1);
  expect(
    await balancesOf(house.db, ['1010:600000:utility', '1010:600001:merchant', '2040']),
  ).toEqual(before);
  const hearings = await house.db.selectFrom('hearings').selectAll().orderBy('inbox_id').execute();
  expect(hearings.map((h) => h.verdict)).toEqual(['first', 'conflict']);
  expect(await outbox('payment_conflict')).toHaveLength(2);
});

test('what exceeds an invoice pays the next, and what exceeds all is credit', async () => {
  await pay({ TransAmount: '7000.00' });
  expect(await paymentsOf(house.db)).toEqual([
    '7000.00 reference INV-20260203-0001=5000.00 INV-20260210-0002=1500.00 credit=500.00',
  ]);
  const balances = await balancesOf(house.db, ['1200:CUST-001', '2010:CUST-001']);
  expect([...balances.values()].sort()).toEqual([0n, 50_000n]);
  expect((await outbox()).map((row) => row.template)).toEqual([
    'payment_several',
    'payment_several',
    'overpaid',
  ]);
  expect(await house.findings()).toEqual([]);
});

test('payments of one batch see what those before them have paid', async () => {
  for (const TransAmount of ['4000.00', '4000.00', '4000.00']) {
    await house.hook('c2b/confirmation', confirmation({ TransAmount }));
  }
  await house.drain();
  expect(await paymentsOf(house.db)).toEqual([
    '4000.00 reference INV-20260203-0001=4000.00',
    '4000.00 reference INV-20260203-0001=1000.00 INV-20260210-0002=1500.00 credit=1500.00',
    // What is paid already names its customer.
    '4000.00 customer credit=4000.00',
  ]);
  // All in the one commit: no row had to be tried by itself.
  const commits = await sql`select distinct xmin::text from payments`.execute(house.db);
  expect(commits.rows).toHaveLength(1);
  expect(await house.findings()).toEqual([]);
});

test('a hashed number finds its customer, and a masked one finds nobody', async () => {
  await pay(
    { BillRefNumber: '', MSISDN: msisdnHash('254700000004'), TransAmount: '5000.00' },
    { BillRefNumber: '', MSISDN: '2547 ***** 004', FirstName: null },
  );
  expect(await paymentsOf(house.db)).toEqual([
    '5000.00 amount INV-20260203-0001=5000.00',
    '500.00 unmatched',
  ]);
  expect((await balancesOf(house.db, ['2040'])).get('2040')).toBe(50_000n);
  // Each admin is asked whose it is.
  const questions = await house.db.selectFrom('questions').select(['ref', 'flow']).execute();
  const question = { ref: 'UM2', flow: 'unmatched' };
  expect(questions).toEqual([question, question]);
  expect((await outbox('payment_full'))[0]!.values).toMatchObject({
    customer: '+254700000004 (KAMAU)',
  });
  expect(await house.findings()).toEqual([]);
});

test('when M-Pesa hides who paid, whoever owed is thanked', async () => {
  await pay({ MSISDN: '2547 ***** 004', FirstName: null });
  const [thanks] = await outbox('paid_part');
  const kamau = await house.db
    .selectFrom('addresses')
    .select('person_id')
    .where('value', '=', '254700000004')
    .executeTakeFirstOrThrow();
  expect(thanks!.person_id).toBe(kamau.person_id);
});

test('a payment for a shortcode that is not ours is recorded, flagged, and waits for a person', async () => {
  await pay({ BusinessShortCode: '700700' });
  const payment = await house.db.selectFrom('payments').selectAll().executeTakeFirstOrThrow();
  expect(payment).toMatchObject({
    flag: 'unknown_shortcode',
    state: 'unmatched',
    shortcode: '700700',
  });
  expect((await balancesOf(house.db, ['1015', '2040'])).get('1015')).toBe(50_000n);
  expect(await house.findings()).toEqual([]);
});

test('a till names no account, so its payer decides', async () => {
  await pay({
    TransactionType: 'Customer Merchant Payment',
    BusinessShortCode: '600001',
    BillRefNumber: '',
    TransAmount: '1490',
  });
  expect(await paymentsOf(house.db)).toEqual(['1490.00 amount INV-20260210-0002=1490.00']);
  expect((await balancesOf(house.db, ['1010:600001:merchant'])).get('1010:600001:merchant')).toBe(
    149_000n,
  );
});

test('a row that cannot be worked on does not hold the others', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'GOODONE001' }));
  await house.db
    .insertInto('inbox')
    .values({
      source: 'c2b_confirmation',
      body: '{"broken": true}',
      body_hash: Buffer.alloc(32, 1),
      from_ip: null,
      error: null,
      done_at: null,
    })
    .execute();
  await house.hook('c2b/confirmation', confirmation({ TransID: 'GOODONE002' }));
  await house.drain();
  expect(await paymentsOf(house.db)).toHaveLength(2);
  const bad = await house.db.selectFrom('inbox').selectAll().where('state', '=', 'new').execute();
  expect(bad).toHaveLength(1);
  expect(bad[0]!.attempts).toBe(1);
});

test('two workers at once on the same callbacks make each payment once', async () => {
  const bodies = Array.from({ length: 60 }, () => confirmation({ TransAmount: '10.00' }));
  await Promise.all(bodies.map((body) => house.hook('c2b/confirmation', body)));
  await Promise.all([house.drain(), house.drain(), house.drain(), house.drain()]);
  expect(await paymentsOf(house.db)).toHaveLength(60);
  expect(await house.findings()).toEqual([]);
});

test('more than ten payments a minute become a digest for each admin', async () => {
  for (let n = 0; n < 14; n += 1) {
    await house.hook(
      'c2b/confirmation',
      confirmation({ TransAmount: '20.00', MSISDN: '254799999999' }),
    );
  }
  await house.drain();
  const alone = await outbox('payment_part');
  expect(alone).toHaveLength(20);

  await sendDigest(house.db);
  expect(await outbox('payment_digest')).toHaveLength(0);
  // A minute later, told by moving the payments back instead of waiting.
  await house.db
    .updateTable('payments')
    .set((eb) => ({
      created_at: eb.fn<Date>('date_subtract', ['created_at', eb.val('61 seconds')]),
    }))
    .execute();
  await sendDigest(house.db);
  await sendDigest(house.db);
  const digests = await outbox('payment_digest');
  expect(digests.map((d) => d.values)).toMatchObject([
    { n: '4', total: '80.00', matched: '4', unmatched: '0' },
    { n: '4', total: '80.00', matched: '4', unmatched: '0' },
  ]);
});

test('payments at once on one invoice each see what the other has paid', async () => {
  const left = async () =>
    (await outbox('paid_part')).map((row) => (row.values as { left: string }).left);
  const drains: Promise<number>[] = [];
  await inTransaction(house.db, async (tx) => {
    await sql`select 1 from invoices for no key update`.execute(tx);
    for (const TransAmount of ['1000.00', '2000.00']) {
      await house.hook('c2b/confirmation', confirmation({ TransAmount }));
      drains.push(house.drain());
      await waiting(drains.length);
    }
  });
  await Promise.all(drains);
  expect((await left()).sort()).toEqual(['2000.00', '4000.00']);
  expect(await paymentsOf(house.db)).toHaveLength(2);
});

/** Until this many connections wait for a lock. */
const waiting = (count: number) =>
  eventually(
    () => waitingForLocks(house.db),
    (n) => n >= count,
    20_000,
  );

test('a reference that names nothing beside one that does is for a person', async () => {
  await house.hook(
    'c2b/confirmation',
    confirmation({ BillRefNumber: 'INV-20260203-0001 INV-20260203-9999' }),
  );
  await house.drain();
  expect(await paymentsOf(house.db)).toEqual(['500.00 unmatched']);
});

async function aMinuteLater(it: House): Promise<void> {
  await sql`update payments set created_at = created_at - interval '61 seconds'`.execute(it.db);
}

test('a payment is in one digest, and the next one in the next', async () => {
  const quiet = await openHouse({ alerts: { digest_above_per_minute: 0 } });
  try {
    for (const TransAmount of ['20.00', '30.00']) {
      await quiet.hook('c2b/confirmation', confirmation({ TransAmount }));
      await quiet.drain();
      await aMinuteLater(quiet);
      await sendDigest(quiet.db);
    }
    const rows = await quiet.db
      .selectFrom('outbox')
      .select('values')
      .where('template', '=', 'payment_digest')
      .orderBy('id')
      .execute();
    expect(rows.map((row) => (row.values as { total: string }).total)).toEqual([
      '20.00',
      '20.00',
      '30.00',
      '30.00',
    ]);
  } finally {
    await quiet.close();
  }
});

test('the ten a minute are counted over batches', async () => {
  for (let n = 0; n < 12; n += 1) {
    await house.hook('c2b/confirmation', confirmation({ TransAmount: '20.00' }));
    if (n % 6 === 5) await house.drain();
  }
  const rows = await house.db.selectFrom('payments').select('told').orderBy('id').execute();
  expect(rows.filter((row) => row.told === 'alone')).toHaveLength(10);
});

test('who pays what another owes is thanked, and reads nothing of what they owe', async () => {
  await pay({
    BillRefNumber: 'CUST-001',
    MSISDN: '254700000006',
    FirstName: 'NEKESA',
    TransAmount: '1.00',
  });
  const [other] = await outbox('paid_for_another');
  expect(other!.values).toMatchObject({ account: 'CUST-001', amount: '1.00', name: 'Nekesa' });
  expect(await outbox('paid_part')).toMatchObject([{ values: { left: '4999.00', name: '' } }]);
});

test('an account that names nothing is shown when the number decided instead', async () => {
  await pay({ BillRefNumber: 'WRONG 77' });
  expect((await outbox('payment_part'))[0]!.values).toMatchObject({ typed: 'WRONG 77' });
});

test.each([
  ['a payment allocated beyond itself', 'payments', 'allocated_cents = amount_cents + 1'],
  ['a payment allocated below nothing', 'payments', 'allocated_cents = -1'],
  ['an invoice paid beyond its total', 'invoices', 'outstanding_cents = -1'],
  ['an invoice that owes more than its total', 'invoices', 'outstanding_cents = total_cents + 1'],
])('%s cannot be written down', async (_, table, change) => {
  await pay({});
  await expect(sql.raw(`update ${table} set ${change}`).execute(house.db)).rejects.toThrow(
    /never_over_/,
  );
});
