import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { recordDeliveries } from '../../src/outbox/delivery.ts';
import { notify } from '../../src/outbox/notify.ts';
import { followMerged, leaseMessages, recordSent } from '../../src/outbox/take.ts';
import { becomeOne } from '../../src/people/become-one.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { belongings } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { otieno } from '../helpers/admins.ts';
import { anybodys, cloud_alone, type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const kamau = '254700000004';
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
const leased = async () =>
  (await leaseMessages(house.db, { ...anybodys, count: 20 })).map((it) => it.words);
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
    { id: one!.id, attempts: 1, by: 'whatsapp', outcome: 'sent', provider_id: 'wamid.1' },
  ]);
  expect(await leased()).toEqual(['two']);
  // Who held them was killed: they are another's when the lease is over.
  await over();
  expect(await leased()).toEqual(['other', 'two']);
});

test('a message committed late does not join the one in flight', async () => {
  const person_id = await idOf(kamau);
  // The queue writes the name of a task down when it first hears it, and one waits for the other.
  await tell(otieno, 'other');
  await inTransaction(house.db, async (tx) => {
    // Numbered first, and committed after the other has been leased.
    await notify(tx, [{ key: 'test:first', person_id, words: 'first' }]);
    await tell(kamau, 'second');
    expect(await leased()).toEqual(['other', 'second']);
  });
  expect(await leased()).toEqual([]);
  await over();
  expect(await leased()).toEqual(['other', 'first']);
});

test('whoever lost the lease records nothing', async () => {
  await tell(kamau, 'one');
  const [slow] = await leaseMessages(house.db, { ...anybodys, count: 1 });
  await over();
  await leaseMessages(house.db, { ...anybodys, count: 1 });
  await recordSent(house.db, [
    { id: slow!.id, attempts: 1, by: 'whatsapp', outcome: 'later', error: 'late' },
  ]);
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
        house: { values: {}, keyed: () => '', sms: false, numbers: cloud_alone },
        whatsapp: (to) =>
          Promise.reject(new ProviderError(outcomes.get(to as typeof kamau)!, 'no')),
        sender: 'others',
        sms: undefined,
      },
      () => true,
      new AbortController().signal,
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

test('two senders at once never hold the same message', async () => {
  await tell(kamau, 'one');
  await inTransaction(house.db, async (tx) => {
    expect(await leaseMessages(tx, { ...anybodys, count: 20 })).toHaveLength(1);
    // The other has nothing to wait for either: the message is being leased.
    const other = inTransaction(house.db, async (other_tx) => {
      await sql`set local lock_timeout = '2s'`.execute(other_tx);
      return leaseMessages(other_tx, { ...anybodys, count: 20 });
    });
    expect(await other).toEqual([]);
  });
});

test('what a provider answers can be recorded, whatever is in it', async () => {
  await tell(kamau, 'one');
  await tell(otieno, 'two');
  const [two, one] = await leaseMessages(house.db, { ...anybodys, count: 20 });
  await recordSent(house.db, [
    { id: one!.id, attempts: 1, by: 'whatsapp', outcome: 'sent', provider_id: 'wamid.\0\ud83d1' },
    {
      id: two!.id,
      attempts: 1,
      by: 'whatsapp',
      outcome: 'never',
      error: 'no\0\nsuch \ud83dnumber',
    },
  ]);
  expect(await rows()).toMatchObject([
    { words: 'one', state: 'sent', provider_id: expect.stringContaining('wamid.') },
    { words: 'two', state: 'failed', error: expect.stringContaining('no such') },
  ]);
});

test('what is on its way to who is found to be another reaches the one who goes on', async () => {
  await tell(otieno, 'comes back', 'not delivered');
  const merge = async () => {
    const [keep, other] = [await idOf(kamau), await idOf(otieno)];
    await inTransaction(house.db, (tx) => becomeOne(tx, belongings, { keep, other }));
  };
  const next = async () => {
    await followMerged(house.db);
    const [it] = await leaseMessages(house.db, { ...anybodys, count: 20 });
    return [it?.words, it?.person_id];
  };
  const [keep, other] = [await idOf(kamau), await idOf(otieno)];
  expect(await next()).toEqual(['comes back', other]);
  const [back, undelivered] = await rows();
  await sql`
    update outbox set state = 'sent', sent_by = 'whatsapp', sent_at = now(), provider_id = 'wamid.9'
    where id = ${undelivered!.id}`.execute(house.db);
  await inTransaction(house.db, async (tx) => {
    // Whoever tells this does not know yet.
    await notify(tx, [{ key: 'test:late', person_id: other, words: 'late' }]);
    await merge();
  });
  const failed = { provider_id: 'wamid.9', outcome: 'failed', error: 'no' } as const;
  await inTransaction(house.db, (tx) => recordDeliveries(tx, [failed]));
  await recordSent(house.db, [
    { id: back!.id, attempts: 1, by: 'whatsapp', outcome: 'later', error: 'not now' },
  ]);
  await over();
  // Nobody takes what has no address yet.
  expect(await leased()).toEqual(['comes back']);
  for (const words of ['comes back', 'not delivered', 'late']) {
    await over();
    expect(await next()).toEqual([words, keep]);
    await sql`update outbox set state = 'sent' where state = 'sending'`.execute(house.db);
  }
});
