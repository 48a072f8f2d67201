import { once } from 'node:events';
import { createServer } from 'node:http';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { sendMessage } from '../../src/channels/whatsapp-cloud/send.ts';
import { type Send, sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { notify } from '../../src/outbox/notify.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { flows_folder } from '../../src/serve.ts';
import { cloud_alone, type House, openHouse } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const numberOf = (n: number) => `2547220${String(n).padStart(5, '0')}`;
const slow = numberOf(0);

/** Queues words for people by their number on WhatsApp. */
const tell = (...said: [number: string, words: string][]) =>
  inTransaction(house.db, async (tx) => {
    for (const [number, words] of said) {
      const { id } = await lockPersonAt(tx, 'whatsapp', number);
      await notify(tx, [{ key: `test:${words}`, person_id: id, words }]);
    }
  });

const messages = await loadMessages(flows_folder);
const unhurried = new AbortController().signal;
const sending = (send: Send, more = () => true, give_up = unhurried) =>
  sendOutbox(
    {
      db: house.db,
      messages,
      house: { values: {}, keyed: () => '', sms: false, numbers: cloud_alone },
      whatsapp: send,
      sender: 'others',
      sms: undefined,
    },
    more,
    give_up,
  );

const rows = () => house.db.selectFrom('outbox').selectAll().orderBy('id').execute();
const sent = async () => (await rows()).filter((it) => it.state === 'sent').map((it) => it.words);
const untilSent = (count: number) => eventually(sent, (it) => it.length === count, 20_000);

test('a slow recipient holds nobody else, not even who is written to later', async () => {
  const answer = Promise.withResolvers<void>();
  const send: Send = async (to) => {
    if (to === slow) await answer.promise;
    return `wamid.${to}`;
  };
  const people = Array.from({ length: 45 }, (_, n) => numberOf(n));
  await tell(...people.map((number): [string, string] => [number, `first to ${number}`]));
  await tell([slow, 'second to the slow one'], [numberOf(1), 'second to another']);

  const over = sending(send);
  await untilSent(45);
  await tell([numberOf(50), 'to somebody new']);
  expect(await untilSent(46)).toContain('to somebody new');
  expect((await rows())[0]).toMatchObject({ state: 'sending', attempts: 1 });
  answer.resolve();
  await over;
  expect(await sent()).toHaveLength(48);
});

test('twenty are under way at most, one of them a person, and in order', async () => {
  const heard = new Map<string, string[]>();
  const under_way = new Set<string>();
  let most = 0;
  const send: Send = async (to, { text }) => {
    expect(under_way.has(to)).toBe(false);
    under_way.add(to);
    most = Math.max(most, under_way.size);
    await new Promise(setImmediate);
    heard.set(to, [...(heard.get(to) ?? []), text]);
    under_way.delete(to);
    return `wamid.${to}`;
  };
  for (const nth of ['1', '2', '3']) {
    await tell(
      ...Array.from({ length: 30 }, (_, n): [string, string] => [numberOf(n), `${nth} to ${n}`]),
    );
  }
  await sending(send);
  expect(most).toBe(20);
  expect(heard.size).toBe(30);
  expect(heard.get(numberOf(7))).toEqual(['1 to 7', '2 to 7', '3 to 7']);
});

test('what was sent and could not be recorded at once is recorded later, and not sent again', async () => {
  // A sequence counts on although what counted is undone.
  await sql`create sequence records`.execute(house.db);
  await sql`
    create function refuse_once() returns trigger language plpgsql as $$
    begin
      if nextval('records') = 1 then raise exception 'the disk is full' using errcode = '53100'; end if;
      return new;
    end $$`.execute(house.db);
  await sql`create trigger refuse_once before update on outbox for each row
    when (new.state = 'sent') execute function refuse_once()`.execute(house.db);
  const asked: string[] = [];
  await tell([slow, 'once']);
  await sending(async (to) => {
    asked.push(to);
    return 'wamid.1';
  });
  expect(await rows()).toMatchObject([{ state: 'sent', attempts: 1, provider_id: 'wamid.1' }]);
  expect(asked).toEqual([slow]);
  const { rows: tries } = await sql<{ last_value: bigint }>`
    select last_value from records`.execute(house.db);
  expect(tries).toEqual([{ last_value: 2n }]);
});

test('a message that hangs is given up when it is to be, and may have been sent', async () => {
  const whatsapp = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(whatsapp, 'listening');
  const address = whatsapp.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const number = {
    base_url: `http://127.0.0.1:${port}`,
    graph_version: 'v25.0',
    phone_number_id: '1',
    access_token: 't',
  };
  await tell([slow, 'into the void']);
  const stopping = new AbortController();
  const over = sending(
    (to, message, give_up) => sendMessage(number, { to, message, give_up }),
    () => !stopping.signal.aborted,
    stopping.signal,
  );
  await once(whatsapp, 'request');
  stopping.abort();
  await over;
  expect(await rows()).toMatchObject([{ state: 'waiting', attempts: 1, doubts: 1 }]);
  whatsapp.closeAllConnections();
  whatsapp.close();
});

test('below a reminder stands what may be tapped, and its words are the question', async () => {
  const heard: unknown[] = [];
  const choices = { body: '', open: '', at: 'menu', options: [{ id: 'pay', label: 'Pay' }] };
  await inTransaction(house.db, async (tx) => {
    const { id: person_id } = await lockPersonAt(tx, 'whatsapp', numberOf(1));
    const values = { ref: 'INV-1', amount: '100.00' };
    const message = { key: 'test:tap', person_id, template: 'invoice_void', values, choices };
    await notify(tx, [message]);
  });
  await sendOutbox(
    {
      db: house.db,
      messages,
      house: {
        values: { shop: 'Duka', help: '0700000001' },
        keyed: () => '',
        sms: false,
        numbers: cloud_alone,
      },
      whatsapp: async (_, message) => {
        heard.push(message.choices);
        return 'wamid.1';
      },
      sender: 'others',
      sms: undefined,
    },
    () => true,
    unhurried,
  );
  const body =
    'Duka: invoice INV-1 of KES 100.00 is cancelled. Please do not pay it. Questions? Call 0700000001.';
  expect(heard).toEqual([{ ...choices, body }]);
});
