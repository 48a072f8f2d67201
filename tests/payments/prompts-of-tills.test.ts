import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { followConfirmed } from '../../src/payments/follow-confirmed.ts';
import { followPrompt } from '../../src/payments/follow-prompts.ts';
import { reversedAtMpesa } from '../../src/payments/reverse.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { paymentsOf } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';
import { isStk, openPromptHouse } from '../helpers/prompts.ts';

// A till's confirmation says nothing of the prompt that caused it.

const kamau = '254700000004';

let house: Awaited<ReturnType<typeof openPromptHouse>>;

beforeEach(async () => {
  house = await openPromptHouse('600001');
  return () => house.close();
});

/** Kamau asks for part of his second invoice: by his number alone it would be his first. */
async function ask(): Promise<void> {
  for (const text of ['pay', '2', '2', '700']) await house.writes(kamau, text);
  await house.send();
}

const invoices = async () =>
  (await house.db.selectFrom('invoices').select('outstanding_cents').orderBy('id').execute()).map(
    (it) => it.outstanding_cents,
  );

test('a payment that was matched by its payer moves to the due of its prompt', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  await house.deliver(...callbacks.filter((it) => !isStk(it)));
  expect(await paymentsOf(house.db)).toEqual(['700.00 oldest INV-20260203-0001=700.00']);
  await house.deliver(...callbacks.filter(isStk));
  expect(await paymentsOf(house.db)).toEqual(['700.00 prompt INV-20260210-0002=700.00']);
  expect(await invoices()).toEqual([500_000n, 80_000n]);
  expect((await house.prompt()).state).toBe('paid');
  expect((await house.told()).map((row) => row.template)).toEqual([
    ...['payment_part', 'payment_part', 'paid_part'],
    ...['paid_moved', 'payment_moved', 'payment_moved'],
  ]);
  expect(await house.findings()).toEqual([]);
});

test('of two who let a payment follow its prompt at once, one moves it', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  await house.deliver(...callbacks.filter((it) => !isStk(it)));
  const { reference } = await house.prompt();
  const follow = () =>
    inTransaction(house.db, (tx) => followPrompt(tx, house.receive.dues, 1n, reference));
  const both = await inTransaction(house.db, async (tx) => {
    await sql`select from payments for no key update`.execute(tx);
    const going = [follow(), follow()];
    await eventually(
      () => waitingForLocks(house.db),
      (n) => n === going.length,
      20_000,
    );
    return going;
  });
  await Promise.all(both);
  expect(await house.db.selectFrom('allocations').select('due_reference').execute()).toEqual([
    { due_reference: 'INV-20260203-0001' },
    { due_reference: 'INV-20260210-0002' },
  ]);
  expect(await house.findings()).toEqual([]);
});

test('heard of first by its prompt, it is never matched by its payer', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  callbacks.sort((a) => (isStk(a) ? -1 : 1));
  await house.deliver(...callbacks);
  expect(await paymentsOf(house.db)).toEqual(['700.00 prompt INV-20260210-0002=700.00']);
  expect(await invoices()).toEqual([500_000n, 80_000n]);
});

test('whose callback is lost is found by its phone and amount, once M-Pesa says that it is paid', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  await house.deliver(...callbacks.filter((it) => !isStk(it)));
  // He is somebody who pays more, and the same at another time; others pay the same.
  const [c2b] = callbacks.filter((it) => !isStk(it));
  const { TransID, MSISDN, ...more } = JSON.parse(c2b!.body);
  const others = [
    { MSISDN, TransAmount: '701.00' },
    { MSISDN, TransTime: '20260101120000' },
    { MSISDN: '254711000001' },
    { MSISDN: '2547 ***** 004' },
  ].map((other, n) => ({
    ...c2b!,
    body: JSON.stringify({ ...more, TransID: `ZZ${n}0000000`, ...other }),
  }));
  await house.deliver(...others);
  await followConfirmed(house.db, house.receive);
  expect((await house.prompt()).state).toBe('sent');
  await house.db
    .updateTable('prompts')
    .set({ look_at: new Date(0) })
    .execute();
  await house.look();
  expect((await house.prompt()).state).toBe('confirmed');
  await followConfirmed(house.db, house.receive);
  const prompt = await house.prompt();
  const payment = await house.db
    .selectFrom('payments')
    .selectAll()
    .where('receipt', '=', TransID)
    .executeTakeFirstOrThrow();
  expect(prompt).toMatchObject({ state: 'paid', payment_id: payment.id });
  expect(payment.rule).toBe('prompt');
  await house.look();
  expect((await house.told()).map((row) => row.template)).toContain('payment_moved');
  expect(await house.findings()).toEqual([]);
});

test('of two payments that it can be, a person has to say which', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  const [c2b] = callbacks.filter((it) => !isStk(it));
  const second = { ...JSON.parse(c2b!.body), TransID: 'ZZ00000000' };
  await house.deliver(c2b!, { ...c2b!, body: JSON.stringify(second) });
  await house.db
    .updateTable('prompts')
    .set({ look_at: new Date(0) })
    .execute();
  await house.look();
  await followConfirmed(house.db, house.receive);
  expect((await house.prompt()).state).toBe('confirmed');
});

test('what M-Pesa took back, or is to be refunded, does not follow its prompt', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  await house.deliver(...callbacks.filter((it) => !isStk(it)));
  const { receipt } = await house.db
    .selectFrom('payments')
    .select('receipt')
    .executeTakeFirstOrThrow();
  await inTransaction(house.db, (tx) =>
    reversedAtMpesa(tx, house.receive, [{ receipt, reversal_receipt: null, at: new Date() }]),
  );
  await house.deliver(...callbacks.filter(isStk));
  expect(await invoices()).toEqual([500_000n, 150_000n]);
  expect((await house.prompt()).state).toBe('paid');
  expect(await house.findings()).toEqual([]);
});

test('a question about a payment is answered when its prompt is heard of', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  // M-Pesa hides who paid.
  const [c2b] = callbacks.filter((it) => !isStk(it));
  const hidden = { ...JSON.parse(c2b!.body), MSISDN: '2547 ***** 004', FirstName: '' };
  await house.deliver({ ...c2b!, body: JSON.stringify(hidden) });
  const open = () =>
    house.db.selectFrom('questions').select('ref').where('ended_at', 'is', null).execute();
  expect(await open()).toHaveLength(2);
  await house.deliver(...callbacks.filter(isStk));
  expect(await paymentsOf(house.db)).toEqual(['700.00 prompt INV-20260210-0002=700.00']);
  expect(await open()).toEqual([]);
});
