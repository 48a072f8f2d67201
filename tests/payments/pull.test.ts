import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { drainPayments } from '../../src/payments/jobs.ts';
import { pullPayments } from '../../src/payments/pull.ts';
import { paymentsOf } from '../helpers/house.ts';
import { isStk } from '../helpers/prompts.ts';
import { confirmationOf, openRecoveryHouse } from '../helpers/recovery.ts';
import { openApp } from '../simulator/world.ts';

// What callbacks lost is found by asking M-Pesa, and what they said is proven.

const kamau = '254700000004';

let house: Awaited<ReturnType<typeof openRecoveryHouse>>;

beforeEach(async () => {
  house = await openRecoveryHouse();
  return () => house.close();
});

const pulled = async () =>
  house.db.selectFrom('inbox').select('body').where('source', '=', 'pull_transaction').execute();
const state = () => house.db.selectFrom('pulls').selectAll().executeTakeFirstOrThrow();

test('a payment whose callback never came is found, posted once, proven, and told as always', async () => {
  await house.world.post('/sim/faults', { drop: 1 });
  const receipt = await house.pay();
  await house.pull();
  expect(await paymentsOf(house.db)).toEqual(['500.00 reference INV-20260203-0001=500.00']);
  expect(await house.verified()).toEqual(['pull']);
  expect((await house.told()).map((row) => row.template)).toEqual([
    'payment_part',
    'payment_part',
    'paid_part',
  ]);
  const [payment] = await house.db.selectFrom('payments').selectAll().execute();
  expect(payment).toMatchObject({ receipt, payer_msisdn: kamau, payer_name: 'Kamau' });
  expect(Math.abs(payment!.paid_at.getTime() - Date.now())).toBeLessThan(60_000);

  // The next one finds the same, and that is all.
  await house.due();
  await house.pull();
  expect(await pulled()).toHaveLength(1);
  expect(await house.hearings()).toEqual(['pull first']);
  expect(await house.findings()).toEqual([]);
});

test.each(['callback first', 'pull first', 'at once'] as const)(
  'heard of by callback and by pull, %s, it is one payment, and proven',
  async (order) => {
    const receipt = await house.pay();
    await house.world.app.hears(1);
    const hearCallback = () => house.deliver(confirmationOf(house, receipt));
    if (order === 'callback first') await hearCallback();
    if (order === 'at once') await Promise.all([hearCallback(), house.pull()]);
    else await house.pull();
    if (order === 'pull first') await hearCallback();
    await house.drain();
    expect(await paymentsOf(house.db)).toEqual(['500.00 reference INV-20260203-0001=500.00']);
    expect(await house.verified()).toEqual(['pull']);
    expect((await house.hearings()).sort().map((it) => it.split(' ')[0])).toEqual(['c2b', 'pull']);
    expect(await house.told()).toHaveLength(3);
    expect(await house.findings()).toEqual([]);
  },
);

test('a prompt of which only the receipt is awaited is ended by a pull that is asked for at once', async () => {
  await house.pull();
  expect((await state()).due_at.getTime()).toBeGreaterThan(Date.now() + 600_000);
  for (const text of ['pay', '1', '1']) await house.writes(kamau, text);
  await house.send();
  // Both of its callbacks are lost.
  await house.answer(kamau, 'pin');
  await house.later();
  await house.look();
  expect((await house.prompt()).state).toBe('confirmed');
  expect((await state()).due_at.getTime()).toBeLessThanOrEqual(Date.now());

  await house.pull();
  expect(await house.prompt()).toMatchObject({ state: 'paid', result_code: null });
  expect(await paymentsOf(house.db)).toEqual(['5000.00 prompt INV-20260203-0001=5000.00']);
  expect(await house.verified()).toEqual(['pull']);
  expect((await house.told()).at(-1)).toMatchObject({ template: 'paid_full' });
});

test('while M-Pesa has no receipt yet for such a prompt, it is asked again within a minute', async () => {
  for (const text of ['pay', '1', '1']) await house.writes(kamau, text);
  await house.send();
  await house.db.updateTable('prompts').set({ state: 'confirmed', look_at: null }).execute();
  await house.pull();
  expect((await state()).due_at.getTime()).toBeLessThan(Date.now() + 70_000);
});

test('what a prompt was paid is found although it was given up', async () => {
  await house.world.post('/sim/faults', { lost_response: 1 });
  for (const text of ['pay', '1', '1']) await house.writes(kamau, text);
  await house.send();
  await house.world.post('/sim/faults', {});
  await house.answer(kamau, 'pin');
  await house.later();
  await house.look();
  expect((await house.prompt()).state).toBe('failed');
  await house.pull();
  expect((await house.prompt()).state).toBe('paid');
  expect((await house.told()).at(-1)).toMatchObject({ template: 'paid_late' });
});

test('of 300 payments, some dropped, doubled and late, each is posted once and proven', async () => {
  await house.world.post('/sim/faults', { drop: 0.2, duplicate: 0.2, delay_ms: 300, seed: 7 });
  const pays = Array.from({ length: 300 }, (_, n) =>
    house.pay({ amount: 1 + (n % 7), phone: '0700000005', account: `X${n}` }),
  );
  const receipts = await Promise.all(pays);
  // Callbacks come while pulls are worked through.
  let delivered = 0;
  const deliverSome = async () => {
    const fresh = house.world.app.received.slice(delivered);
    delivered += fresh.length;
    await Promise.all(fresh.map(({ body }) => house.hook('c2b/confirmation', body)));
    await house.drain();
  };
  await Promise.all([house.pull(), deliverSome()]);
  await house.due();
  await Promise.all([deliverSome(), house.pull()]);
  await deliverSome();
  await house.drain();

  const truth = (await house.world.get('/sim/mpesa/transactions')).json as { receipt: string }[];
  expect(truth).toHaveLength(300);
  const payments = await house.db.selectFrom('payments').selectAll().execute();
  expect(new Set(payments.map((p) => p.receipt))).toEqual(new Set(receipts));
  expect(payments).toHaveLength(300);
  expect(payments.filter((p) => p.verified_by !== 'pull')).toEqual([]);
  expect((await house.hearings()).filter((it) => it.endsWith('conflict'))).toEqual([]);
  expect(await pulled()).toHaveLength(300);
  expect(await house.findings()).toEqual([]);
});

test('two processes at once ask one question, and a shortcode without Pull is left alone', async () => {
  await house.pay();
  let asked = 0;
  const daraja = await openApp(({ path }) => {
    if (path.startsWith('/pulltransactions')) asked += 1;
    if (path.startsWith('/oauth')) return token;
    return { status: 200, text: JSON.stringify({ ResponseCode: '1001' }) };
  });
  house.app.base_url = daraja.url;
  await sql`insert into pulls (shortcode) values ('600001')`.execute(house.db);
  await Promise.all([1, 2, 3].map(() => pullPayments(house.db, house.pulling)));
  daraja.close();
  expect(asked).toBe(1);
  const other = house.db.selectFrom('pulls').selectAll().where('shortcode', '=', '600001');
  expect(await other.executeTakeFirstOrThrow()).toMatchObject({ fence: 0n, complete_to: null });
});

const token = { status: 200, text: '{"access_token":"t","expires_in":"3599"}' };

test.each([
  ['refuses', { status: 500, text: '{"errorCode":"500.003.02","errorMessage":"Spike arrest"}' }],
  ['does not know the shortcode', { status: 400, text: '{"errorCode":"400.001"}' }],
  ['answers a page', { status: 200, text: '<html>Sorry</html>' }],
  ['answers nonsense', { status: 200, text: '{"ResponseCode":"1000","Response":{"no":"list"}}' }],
  ['answers a code that nobody knows', { status: 200, text: '{"ResponseCode":"7"}' }],
  ['answers nothing', { status: 502, text: '' }],
])('where Daraja %s nothing is lost, and it is asked again from there', async (_, reply) => {
  const receipt = await house.pay();
  const daraja = await openApp(({ path }) => (path.startsWith('/oauth') ? token : reply));
  const { base_url } = house.app;
  house.app.base_url = daraja.url;
  await house.pull();
  const failed = await state();
  expect(failed).toMatchObject({ complete_to: null, failures: 1, lease_until: null });
  expect(failed.error).toEqual(expect.any(String));
  expect(failed.due_at.getTime()).toBeGreaterThan(Date.now());
  await house.due();
  await house.pull();
  // Said once: it is the same.
  expect(await state()).toMatchObject({ failures: 2, error: failed.error });
  daraja.close();

  house.app.base_url = base_url;
  await house.due();
  await house.pull();
  expect(await state()).toMatchObject({ failures: 0, error: null });
  const payments = await house.db.selectFrom('payments').select('receipt').execute();
  expect(payments).toEqual([{ receipt }]);
});

test('an answer that breaks off keeps what came before, and the next begins anew', async () => {
  const good = {
    transactionId: 'TKLPULL001',
    trxDate: '2026-03-20T10:15:00Z',
    msisdn: 722000000,
    sender: 'UAT2',
    transactiontype: 'c2b-pay-bill-debit',
    billreference: 37_207_636_392,
    amount: '168.00',
  };
  let pages = 0;
  let turned = false;
  const daraja = await openApp(({ path }) => {
    if (path.startsWith('/oauth')) return token;
    pages += 1;
    if (pages > 1) return { status: 500, text: '' };
    const odd = [{ ...good, amount: 'much' }, { ...good, transactiontype: 'c2b-reversal' }, 'x'];
    const first = turned ? Object.fromEntries(Object.entries(good).toReversed()) : good;
    const text = JSON.stringify({ ResponseCode: 1000, Response: [[first, ...odd]] });
    return { status: 200, text };
  });
  house.app.base_url = daraja.url;
  await house.pull();
  expect(await paymentsOf(house.db)).toEqual(['168.00 unmatched']);
  const [payment] = await house.db.selectFrom('payments').selectAll().execute();
  expect(payment).toMatchObject({
    payer_msisdn: '254722000000',
    account_typed: '37207636392',
    paid_at: new Date('2026-03-20T10:15:00Z'),
    verified_by: 'pull',
  });
  expect((await state()).complete_to).toBeNull();
  // What cannot be read is kept, and told once; the same item in another order is the same.
  await house.due();
  pages = 0;
  turned = true;
  await house.pull();
  daraja.close();
  const rejected = await house.db.selectFrom('inbox_rejected').selectAll().execute();
  expect(rejected.map((it) => it.reason)).toEqual([
    'not a payment, see amount',
    'not a payment, see transactiontype',
    'not a payment, see its shape',
  ]);
  expect((await house.told()).filter((row) => row.template === 'callback_rejected')).toHaveLength(
    2,
  );
  expect(await pulled()).toHaveLength(1);
});

test('who gives the first page for ever is not asked for ever', async () => {
  let pages = 0;
  const item = { transactionId: 'TKLPULL001', trxDate: '2026-03-20T10:15:00Z', amount: 5 };
  const daraja = await openApp(({ path }) => {
    if (path.startsWith('/oauth')) return token;
    pages += 1;
    return { status: 200, text: JSON.stringify({ ResponseCode: '1000', Response: [[item]] }) };
  });
  house.app.base_url = daraja.url;
  await house.pull();
  daraja.close();
  expect(pages).toBe(2);
  expect(await house.verified()).toEqual(['pull']);
});

test('times that are three hours ahead are Nairobi time under a wrong letter', async () => {
  const paid_at = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000);
  const wrong = new Date(paid_at.getTime() + 3 * 3_600_000);
  const item = {
    transactionId: 'TKLPULL001',
    trxDate: `${wrong.toISOString().slice(0, 19)}Z`,
    amount: '5.00',
  };
  const daraja = await openApp(({ path }) => {
    if (path.startsWith('/oauth')) return token;
    return { status: 200, text: JSON.stringify({ ResponseCode: '1000', Response: [[item]] }) };
  });
  house.app.base_url = daraja.url;
  await house.pull();
  daraja.close();
  const [payment] = await house.db.selectFrom('payments').select('paid_at').execute();
  expect(payment!.paid_at).toEqual(paid_at);
});

test('each pull begins two hours before what is complete, and a start two days back', async () => {
  const windows: string[][] = [];
  const daraja = await openApp(({ path, body }) => {
    if (path.startsWith('/oauth')) return token;
    const { StartDate, EndDate } = JSON.parse(body) as { StartDate: string; EndDate: string };
    windows.push([StartDate, EndDate]);
    return { status: 200, text: '{"ResponseCode":"1001"}' };
  });
  house.app.base_url = daraja.url;
  await house.pull();
  await house.due();
  await house.pull();
  daraja.close();
  const hours = windows.map(([from, to]) => {
    const at = (text: string) => Date.parse(`${text.replace(' ', 'T')}+03:00`);
    return Math.round((at(to!) - at(from!)) / 3_600_000);
  });
  expect(hours).toEqual([48, 2]);
  expect(
    Math.abs(Date.parse(`${windows[0]![1]!.replace(' ', 'T')}+03:00`) - Date.now()),
  ).toBeLessThan(120_000);
});

test('who lost the lease while asking ends nothing', async () => {
  const daraja = await openApp(({ path }) => {
    if (path.startsWith('/oauth')) return token;
    return { status: 200, text: '{"ResponseCode":"1001"}' };
  });
  house.app.base_url = daraja.url;
  const { pulling } = house;
  const slow = {
    ...pulling,
    tokens: {
      tokenFor: async (...args: Parameters<typeof pulling.tokens.tokenFor>) => {
        await sql`update pulls set fence = fence + 1`.execute(house.db);
        return pulling.tokens.tokenFor(...args);
      },
    },
  };
  await pullPayments(house.db, slow);
  daraja.close();
  expect(await state()).toMatchObject({ complete_to: null, lease_until: expect.any(Date) });
});

test('a prompt that was confirmed by its callbacks already is moved to nothing by a pull', async () => {
  for (const text of ['pay', '1', '1']) await house.writes(kamau, text);
  await house.send();
  await house.deliver(...(await house.answer(kamau, 'pin')).filter(isStk));
  await house.pull();
  expect(await paymentsOf(house.db)).toEqual(['5000.00 prompt INV-20260203-0001=5000.00']);
  expect(await house.hearings()).toEqual(['stk first', 'pull repeat']);
  expect(await house.told()).toHaveLength(3);
});

test('a till that is called by its head office in a callback is the till of the pull', async () => {
  // As the configuration has it: both keep their money in one account.
  const accounts = new Map(house.receive.money_accounts);
  accounts.set('600009', accounts.get('600000')!);
  const receive = { ...house.receive, money_accounts: accounts };
  const receipt = await house.pay();
  await house.world.app.hears(1);
  const callback = confirmationOf(house, receipt);
  const body = callback.body.replace(
    '"BusinessShortCode":"600000"',
    '"BusinessShortCode":"600009"',
  );
  expect(body).not.toBe(callback.body);
  await house.hook('c2b/confirmation', body);
  await drainPayments(house.db, receive);
  await pullPayments(house.db, house.pulling);
  await drainPayments(house.db, receive);
  expect(await house.hearings()).toEqual(['c2b first', 'pull repeat']);
  expect(await house.verified()).toEqual(['pull']);
});
