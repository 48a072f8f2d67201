import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { askStatuses } from '../../src/payments/ask-status.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { hook_secret, paymentsOf } from '../helpers/house.ts';
import { openRecoveryHouse } from '../helpers/recovery.ts';
import type { Received } from '../simulator/world.ts';

// A payment that only its callback has told of is asked about.

let house: Awaited<ReturnType<typeof openRecoveryHouse>>;

beforeEach(async () => {
  house = await openRecoveryHouse();
  return () => house.close();
});

const isResult = ({ path }: Received) => path.includes('/status/result/');
const results = () => house.world.app.received.filter(isResult);
const questions = () => house.db.selectFrom('status_questions').selectAll().orderBy('id').execute();
const asked = async () => (await questions()).filter((q) => q.asked_at !== null);

/** A payment of which its callback has told, and nothing else. */
async function confirmed(change: Record<string, unknown> = {}): Promise<string> {
  const receipt = await house.pay(change);
  await house.deliver(await heard(({ body }) => body.includes(receipt)));
  return receipt;
}

async function heard(is: (it: Received) => boolean): Promise<Received> {
  for (let count = 1; ; count += 1) {
    const found = (await house.world.app.hears(count)).find(is);
    if (found) return found;
  }
}

/** M-Pesa is asked, and its next answer is worked through. */
async function askAndHear(): Promise<Received> {
  const before = results().length;
  await house.ask();
  await heard(() => results().length > before);
  const it = results().at(-1)!;
  await house.deliver(it);
  return it;
}

test('a payment that nothing has proven is asked about after half an hour, and proven', async () => {
  const receipt = await confirmed();
  await askStatuses(house.db, house.asking);
  expect(await questions()).toEqual([]);

  const result = await askAndHear();
  expect(result.path).toBe(`/hooks/${hook_secret}/status/result/${(await questions())[0]!.token}`);
  expect(await house.verified()).toEqual(['status']);
  expect(await house.hearings()).toEqual(['c2b first', 'status repeat']);
  expect((await questions())[0]).toMatchObject({ verdict: 'verified', result_code: '0' });
  const [payment] = await house.db.selectFrom('payments').selectAll().execute();
  expect(payment).toMatchObject({ receipt, payer_msisdn: '254700000004', payer_name: 'Kamau' });
  // It is asked about no more.
  await house.due();
  await house.ask();
  expect(await questions()).toHaveLength(1);
  expect(await house.findings()).toEqual([]);
});

test('a question that an earlier version has asked holds up no other', async () => {
  await confirmed();
  await house.ask();
  await sql`update payments set status_asked_at = null`.execute(house.db);
  await confirmed({ amount: 300 });
  await house.ask();
  expect(new Set((await questions()).map((it) => it.payment_id)).size).toBe(2);
});

test('what was proven meanwhile is not asked about', async () => {
  await confirmed();
  await house.pull();
  await house.ask();
  expect(await questions()).toEqual([]);
});

test('a receipt that M-Pesa does not know stays unproven, and the admins are told once', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'FORGED0001' }));
  await house.drain();
  const before = (await house.told()).length;
  await askAndHear();
  await house.due();
  await askAndHear();
  expect(await house.verified()).toEqual([null]);
  expect((await asked()).map((q) => q.verdict)).toEqual(['contradicted', 'contradicted']);
  expect((await house.told()).slice(before)).toMatchObject([
    { template: 'payment_contradicted', values: { receipt: 'FORGED0001', amount: '500.00' } },
    { template: 'payment_contradicted' },
  ]);
});

test('a callback that named another amount is contradicted, whatever the receipt', async () => {
  const receipt = await house.pay({ amount: 50 });
  await house.hook('c2b/confirmation', confirmation({ TransID: receipt }));
  await house.drain();
  await askAndHear();
  expect(await house.verified()).toEqual([null]);
  expect((await house.told()).at(-1)).toMatchObject({ template: 'payment_contradicted' });
  expect(await paymentsOf(house.db)).toEqual(['500.00 reference INV-20260203-0001=500.00']);
});

test('an answer to what was never asked changes nothing', async () => {
  await confirmed();
  await askAndHear();
  const [forged] = results();
  await sql`update payments set verified_at = null, verified_by = null`.execute(house.db);
  const { status } = await house.hook(
    'status/result/guessed-token-0123456789',
    forged!.body.replaceAll('Completed', 'Declined'),
  );
  expect(status).toBe(200);
  await house.drain();
  expect(await house.verified()).toEqual([null]);
  expect((await house.told()).map((row) => row.template)).not.toContain('payment_contradicted');
  // Nor one at a question that has not left yet.
  const next = (await questions()).find((q) => q.asked_at === null);
  await house.hook(`status/result/${next!.token}`, `${forged!.body} `);
  await house.drain();
  expect(await house.verified()).toEqual([null]);
  const waiting = house.db.selectFrom('inbox').select('id').where('state', '<>', 'done');
  expect(await waiting.execute()).toEqual([]);
});

test('a question whose answer is lost is asked again later', async () => {
  await confirmed();
  await house.world.post('/sim/faults', { drop: 1 });
  await house.ask();
  const [first, second] = await questions();
  expect(first!.asked_at).not.toBeNull();
  expect(second!.asked_at).toBeNull();
  expect(second!.ask_at.getTime() - first!.asked_at!.getTime()).toBe(90 * 60_000);
  await house.world.post('/sim/faults', {});
  // An hour has passed.
  await sql`
    update status_questions set asked_at = asked_at - interval '1 hour' where asked_at is not null
  `.execute(house.db);
  await house.due();
  await askAndHear();
  expect(await house.verified()).toEqual(['status']);
  expect((await questions()).map((q) => q.n)).toEqual([1, 2, 3]);
});

test('what provably did not arrive is asked again soon', async () => {
  await confirmed();
  await house.world.post('/sim/faults', { refuse: 1 });
  await house.ask();
  const [first, second] = await questions();
  expect(first).toMatchObject({ error: expect.any(String), verdict: null });
  expect(second!.ask_at.getTime() - first!.asked_at!.getTime()).toBeLessThan(6 * 60_000);
});

test('until one is answered, one question goes alone; a refused initiator then rests', async () => {
  house.initiator.credential = 'no base64!';
  for (let n = 0; n < 4; n += 1) await confirmed({ amount: 10 + n });
  await askAndHear();
  expect(await asked()).toHaveLength(1);
  expect((await questions())[0]).toMatchObject({ verdict: 'refused', result_code: '2001' });
  expect((await house.told()).at(-1)).toMatchObject({
    template: 'initiator_refused',
    values: { shortcode: '600000', code: '2001' },
  });
  await house.due();
  await house.ask();
  expect(await asked()).toHaveLength(1);
  expect(await house.verified()).toEqual([null, null, null, null]);

  // Another credential is another matter: one goes first, and then the others.
  house.initiator.credential = btoa('another password');
  await askAndHear();
  expect(await asked()).toHaveLength(2);
  await house.ask();
  await heard(() => results().length === 5);
  await house.deliver(...results().slice(2));
  expect((await house.verified()).filter((by) => by === 'status')).toHaveLength(4);
});

test('two processes at once ask each question once', async () => {
  await confirmed();
  await sql`update payments set created_at = created_at - interval '1 hour'`.execute(house.db);
  await Promise.all([1, 2, 3].map(() => askStatuses(house.db, house.asking)));
  await heard(isResult);
  expect(await asked()).toHaveLength(1);
  expect(results()).toHaveLength(1);
});

test('a question that M-Pesa gives up keeps no credential, and is asked again', async () => {
  await confirmed();
  await house.world.post('/sim/faults', { drop: 1 });
  await house.ask();
  const [question] = await questions();
  const { credential } = house.initiator;
  const body = `{"Initiator":"karani","SecurityCredential" : "${credential}","CommandID":"TransactionStatusQuery"}`;
  expect((await house.hook(`status/timeout/${question!.token}`, body)).status).toBe(200);
  await house.drain();
  const row = await house.db
    .selectFrom('inbox')
    .select(['body', 'state'])
    .where('source', '=', 'status_timeout')
    .executeTakeFirstOrThrow();
  expect(row.state).toBe('done');
  expect(row.body).not.toContain(credential);
  expect(row.body).toContain('"SecurityCredential" : "[cut]"');
  expect((await questions())[0]).toMatchObject({ error: 'given up by M-Pesa', verdict: null });
  expect(await house.verified()).toEqual([null]);
});

test.each(['Initiated', 'Pending Authorized', 'Something'])(
  'while M-Pesa says %s nothing is proven or denied',
  async (state) => {
    await confirmed();
    await house.ask();
    const result = await heard(isResult);
    await house.deliver({ ...result, body: result.body.replace('Completed', state) });
    expect((await questions())[0]!.verdict).toBe('unclear');
    expect(await house.verified()).toEqual([null]);
  },
);

test('a payment that M-Pesa has taken back is reversed, and its due is open again', async () => {
  const receipt = await confirmed();
  await house.ask();
  const result = await heard(isResult);
  await house.deliver({ ...result, body: result.body.replace('Completed', 'Reversed') });
  const [payment] = await house.db.selectFrom('payments').selectAll().execute();
  expect(payment).toMatchObject({ receipt, state: 'reversed', verified_by: null });
  expect(await paymentsOf(house.db)).toEqual([expect.not.stringContaining('INV-')]);
  expect((await house.told()).map((row) => row.template)).toContain('payment_reversed');
  // It is asked about no more.
  await house.due();
  await house.ask();
  expect(await asked()).toHaveLength(1);
  expect(await house.findings()).toEqual([]);
});
