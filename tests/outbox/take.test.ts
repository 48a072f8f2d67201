import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { notify } from '../../src/outbox/notify.ts';
import { leaseMessages, recordSent } from '../../src/outbox/take.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { flows_folder } from '../../src/serve.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const kamau = '254700000004';
const otieno = '254700000002';
const idOf = async (number: string) =>
  inTransaction(house.db, async (tx) => (await lockPersonAt(tx, 'msisdn', number)).id);
const tell = async (number: string, ...words: string[]) => {
  const person_id = await idOf(number);
  await inTransaction(house.db, (tx) =>
    notify(
      tx,
      words.map((it) => ({ key: `test:${it}`, person_id, words: it })),
    ),
  );
};
const rows = () => house.db.selectFrom('outbox').selectAll().orderBy('id').execute();
const leased = async () => (await leaseMessages(house.db, 20)).map((it) => it.words);
const over = () =>
  sql`update outbox set due_at = now() - interval '1 second',
  lease_until = now() - interval '1 second'`.execute(house.db);

test('the same message is queued once', async () => {
  await tell(kamau, 'one');
  await tell(kamau, 'one', 'two');
  expect((await rows()).map((it) => it.words)).toEqual(['one', 'two']);
});

test('a person has one message in flight, and the next when it has ended', async () => {
  await tell(kamau, 'one', 'two');
  await tell(otieno, 'other');
  expect(await leased()).toEqual(['other', 'one']);
  expect(await leased()).toEqual([]);
  const [one] = await rows();
  await recordSent(house.db, [
    { id: one!.id, attempts: 1, outcome: 'sent', provider_id: 'wamid.1' },
  ]);
  expect(await leased()).toEqual(['two']);
  // Who held them was killed: they are another's when the lease is over.
  await over();
  expect(await leased()).toEqual(['other', 'two']);
});

test('a message committed late does not join the one in flight', async () => {
  await tell(kamau, 'first', 'second');
  await sql`update outbox set due_at = now() + interval '1 hour' where words = 'first'`.execute(
    house.db,
  );
  await sql`update outbox set id = default where words = 'first'`.execute(house.db);
  expect(await leased()).toEqual(['second']);
  // As if it had been numbered before and committed only now.
  await sql`update outbox set due_at = now() where words = 'first'`.execute(house.db);
  expect(await leased()).toEqual([]);
});

test('whoever lost the lease records nothing', async () => {
  await tell(kamau, 'one');
  const [slow] = await leaseMessages(house.db, 1);
  await over();
  await leaseMessages(house.db, 1);
  await recordSent(house.db, [{ id: slow!.id, attempts: 1, outcome: 'later', error: 'late' }]);
  expect((await rows())[0]).toMatchObject({ state: 'sending', attempts: 2 });
});

test('what was not sent is tried for a day, what may have been sent four times, a refusal once', async () => {
  const messages = await loadMessages(flows_folder);
  const outcomes = new Map([
    [kamau, 'retryable'],
    [otieno, 'refused'],
    ['254700000001', 'unknown'],
  ] as const);
  const sending = () =>
    sendOutbox(
      {
        db: house.db,
        messages,
        house: { values: {} },
        send: (to) => Promise.reject(new ProviderError(outcomes.get(to as typeof kamau)!, 'no')),
      },
      () => true,
    );
  for (const number of outcomes.keys()) await tell(number, number);
  for (let n = 0; n < 10; n += 1) {
    await sending();
    await over();
  }
  expect(await rows()).toMatchObject([
    { state: 'waiting', attempts: 10, error: 'no', sent_at: null },
    { state: 'failed', attempts: 1 },
    { state: 'failed', attempts: 4, doubts: 4 },
  ]);
  await sql`update outbox set created_at = now() - interval '2 days'`.execute(house.db);
  await sending();
  expect((await rows())[0]).toMatchObject({ state: 'failed', attempts: 11 });
});
