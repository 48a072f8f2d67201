import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { askQuestions } from '../../src/conversation/questions.ts';
import { reconciled } from '../../src/payments/reconcile.ts';
import { wanjiru } from '../helpers/admins.ts';
import { apiOf } from '../helpers/api.ts';
import { standingOf } from '../helpers/attacks.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { hook_secret } from '../helpers/house.ts';
import { isStk } from '../helpers/prompts.ts';
import { openRecoveryHouse } from '../helpers/recovery.ts';

// Somebody posts what M-Pesa never said: without the secret of the addresses, and with it.

const kamau = '254700000004';

let house: Awaited<ReturnType<typeof openRecoveryHouse>>;

beforeAll(async () => {
  house = await openRecoveryHouse();
});
afterAll(() => house.close());

let since = 0n;
beforeEach(async () => {
  const last = await house.db
    .selectFrom('outbox')
    .select('id')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  since = last?.id ?? 0n;
});

const templates = async () => (await house.told(since)).map((row) => row.template);

const payment = (receipt: string) =>
  house.db.selectFrom('payments').selectAll().where('receipt', '=', receipt).executeTakeFirst();

/** What M-Pesa says that everybody has. */
const atMpesa = async () => (await house.world.get('/sim/mpesa/accounts')).json;

const stkPaid = (checkout_id: string, it: { receipt: string; amount: number; token: string }) => {
  const Item = [
    { Name: 'Amount', Value: it.amount },
    { Name: 'MpesaReceiptNumber', Value: it.receipt },
    { Name: 'TransactionDate', Value: 20260320101500 },
    { Name: 'PhoneNumber', Value: 254700000004 },
  ];
  const stkCallback = { CheckoutRequestID: checkout_id, ResultCode: 0, CallbackMetadata: { Item } };
  return house.hook(`stk/${it.token}`, { Body: { stkCallback } });
};

/** Kamau asks for the prompt of his second invoice, and it is on his phone. */
async function ask() {
  await house.writes(kamau, 'pay');
  await house.writes(kamau, '2');
  await house.writes(kamau, '1');
  await house.send();
  return house.prompt();
}

test('without the secret no callback is there, and how many came is counted', async () => {
  const before = await standingOf(house.db);
  const body = JSON.stringify(confirmation());
  const doors = ['c2b/confirmation', 'c2b/validation', 'stk', 'stk/x', 'status/result/x', 'ussd'];
  for (const door of doors) {
    for (const secret of ['wrong', hook_secret.slice(1), `${hook_secret}x`, '%00', ' ']) {
      const url = `${house.url}/hooks/${secret}/${door}`;
      expect((await fetch(url, { method: 'POST', body })).status).toBe(404);
    }
  }
  await house.drain();
  expect(await standingOf(house.db)).toEqual(before);
  expect(await house.db.selectFrom('inbox').select('id').execute()).toEqual([]);
  const metrics = await (await fetch(`${house.url}/metrics`)).text();
  expect(metrics).toContain(
    `karani_callbacks_total{door="unknown",status="404"} ${doors.length * 5}`,
  );
});

test('what M-Pesa was never paid stays unproven, and no refund draws on it', async () => {
  const had = await atMpesa();
  const forged = confirmation({
    TransID: 'FORGED0001',
    TransAmount: '9000.00',
    BillRefNumber: 'SEND IT BACK',
    MSISDN: '254799999999',
  });
  expect((await house.hook('c2b/confirmation', forged)).status).toBe(200);
  expect((await house.hook('c2b/confirmation', forged)).status).toBe(200);
  await house.drain();
  await askQuestions(house.db, house.conversations, () => true);

  // Who sent it asks for it back, and so does the customer whom it names.
  for (const from of ['254799999999', kamau]) {
    for (const words of ['refund', 'rudisha', 'refund FORGED0001', 'UM1 refund']) {
      expect((await house.writes(from, words)).join()).not.toMatch(/9,000|FORGED0001/);
    }
  }
  // An admin believes it: it is marked, once, and nothing leaves.
  expect((await house.writes(wanjiru, 'UM1 refund'))[0]).toMatch(/^Mark KES 9,000/);
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/marked for refund/);
  const api = apiOf(house);
  const again = await api.post('/payments/FORGED0001/mark-refund', await api.token(), {});
  expect([again.status, again.json.code]).toEqual([409, 'over']);
  expect(await payment('FORGED0001')).toMatchObject({ verified_at: null, allocated_cents: 0n });

  // M-Pesa knows nothing of it, however it is asked.
  await house.due();
  await house.pull();
  expect(await payment('FORGED0001')).toMatchObject({ verified_at: null });
  const before = house.world.app.received.length;
  await house.ask();
  const results = (await house.world.app.hears(before + 1)).slice(before);
  await house.deliver(...results);
  expect(await payment('FORGED0001')).toMatchObject({ verified_at: null });
  expect((await templates()).filter((it) => it === 'payment_contradicted')).toHaveLength(2);
  expect(await atMpesa()).toEqual(had);
  const { unverified } = await reconciled(house.db);
  expect(unverified).toMatchObject([{ receipt: 'FORGED0001', asked: 'contradicted' }]);
  expect(await house.findings()).toEqual([]);
});

test('a prompt that was not paid is paid by no callback that is made up', async () => {
  const { token, checkout_id } = await ask();
  const before = await standingOf(house.db);
  const forged = { receipt: 'FORGED0002', amount: 1_500 };
  // The id is the right one, and the token is not; then the token, and not the id.
  await stkPaid(checkout_id!, { ...forged, token: 'guessed-token-0123456789' });
  await stkPaid('ws_CO_guessed', { ...forged, token });
  await stkPaid('ws_CO_guessed', { ...forged, token: `${token}x` });
  await house.drain();
  expect(await standingOf(house.db)).toEqual(before);
  expect((await house.prompt()).state).toBe('sent');

  // With both it is credited, of whatever amount, and M-Pesa's yes proves none but the one asked for.
  await house.answer(kamau, 'pin');
  await stkPaid(checkout_id!, { ...forged, token, amount: 15_000 });
  await house.drain();
  await house.look();
  expect(await payment('FORGED0002')).toMatchObject({
    amount_cents: 1_500_000n,
    verified_at: null,
  });
  expect(await house.findings()).toEqual([]);
});

test('what really comes counts beside what was made up, once however often it is posted', async () => {
  const real = house.world.app.received.filter(({ path, body }) => {
    return path.includes('/stk/') || (path === '/confirmation' && body.includes('PAY-'));
  });
  expect(real).toHaveLength(2);
  for (let times = 0; times < 3; times += 1) await house.deliver(...real);
  // The same said in another way is the same.
  const stk = real.find(isStk)!;
  await house.deliver({ ...stk, body: JSON.stringify(JSON.parse(stk.body), undefined, 2) });
  await house.due();
  await house.pull();
  const rows = await house.db
    .selectFrom('payments')
    .select(['receipt', 'amount_cents', 'verified_by'])
    .orderBy('id')
    .execute();
  expect(rows).toEqual([
    { receipt: 'FORGED0001', amount_cents: 900_000n, verified_by: null },
    { receipt: 'FORGED0002', amount_cents: 1_500_000n, verified_by: null },
    { receipt: expect.any(String), amount_cents: 150_000n, verified_by: 'pull' },
  ]);
  // The same receipt with another amount is kept, told, and posts nothing.
  const { receipt } = rows[2]!;
  const before = await standingOf(house.db);
  await house.hook('c2b/confirmation', confirmation({ TransID: receipt, TransAmount: '99999.00' }));
  await house.drain();
  const { hearings: _, ...others } = await standingOf(house.db);
  expect(before).toMatchObject(others);
  expect(await templates()).toContain('payment_conflict');
  expect(await house.findings()).toEqual([]);
});

test('an answer to what was never asked, and a proof that is made up, prove nothing', async () => {
  const before = await standingOf(house.db);
  const Result = {
    ResultType: 0,
    ResultCode: 0,
    ResultDesc: 'The service request is processed successfully.',
    OriginatorConversationID: 'a',
    ConversationID: 'b',
    TransactionID: 'FORGED0009',
    ResultParameters: {
      ResultParameter: [
        { Key: 'ReceiptNo', Value: 'FORGED0001' },
        { Key: 'TransactionStatus', Value: 'Completed' },
        { Key: 'Amount', Value: 9_000 },
      ],
    },
  };
  const asked = await house.db.selectFrom('status_questions').select('token').execute();
  expect(asked.length).toBeGreaterThan(0);
  for (const token of ['guessed', `${asked[0]!.token}x`, "' or true --", '%25']) {
    const { status } = await house.hook(`status/result/${encodeURIComponent(token)}`, { Result });
    expect([token, status]).toEqual([token, 200]);
  }
  await house.drain();
  expect(await standingOf(house.db)).toEqual(before);
});
