import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { log } from '../../src/base/log.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { countSteps } from '../../src/conversation/step-counts.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { otieno, personOf, wanjiru } from '../helpers/admins.ts';
import { hers, mary, seedVictims, standingOf, waiting_receipt } from '../helpers/attacks.ts';
import { type House, openHouse, postSigned, webhook } from '../helpers/house.ts';

// Customers, strangers and somebody who was an admin, who mean to see or move what is not theirs.

const kamau = '254700000004';
const stranger = '254733000111';

let house: House;
/** What was logged of refusals. */
let lines: object[] = [];

beforeAll(async () => {
  house = await openHouse();
  await seedVictims(house);
  // As the admins' phones have it.
  await sql`update outbox set state = 'sent', provider_id = 'sent:' || key`.execute(house.db);
});
afterAll(() => house.close());

beforeEach(async () => {
  lines = [];
  vi.spyOn(log, 'warn').mockImplementation((line: unknown) => void lines.push(line as object));
  await sql`delete from sessions`.execute(house.db);
  await sql`delete from rates`.execute(house.db);
  return () => vi.restoreAllMocks();
});

/** A message with more in it than words, or other than words, as Meta posts it. */
async function sends(from: string, message: object): Promise<string[]> {
  const body = webhook(from, '', `wamid.attack.${(sent += 1)}`) as {
    entry: [{ changes: [{ value: { messages: [object] } }] }];
  };
  Object.assign(body.entry[0].changes[0].value.messages[0], message);
  const before = await lastWords();
  expect((await postSigned(house.url, JSON.stringify(body))).status).toBe(200);
  await takeTurns(house.db, house.conversations);
  return (await wordsSince(before)).map((row) => row.words ?? '');
}
let sent = 0;

const lastWords = async () =>
  (await house.db
    .selectFrom('outbox')
    .select(sql<bigint>`max(id)`.as('id'))
    .executeTakeFirst())!.id;
const wordsSince = (id: bigint) =>
  house.db
    .selectFrom('outbox')
    .select(['words', 'paper', 'person_id'])
    .where('id', '>', id)
    .orderBy('id')
    .execute();

const texts = (from: string, text: string) => house.texts(from, text);

/** Dials and keys one after the other; what the phone shows last. */
async function dials(phone: string, ...keys: string[]): Promise<string> {
  const session = `attack-${(sent += 1)}`;
  let shown = await house.keys(phone, session, '');
  for (let count = 1; count <= keys.length; count += 1) {
    shown = await house.keys(phone, session, keys.slice(0, count).join('*'));
  }
  return shown;
}

const refused = 'This is not open for your number. Questions? Call 0700000001.';

const admins_words = [
  'unmatched',
  'hayajatambulika',
  `move ${waiting_receipt}`,
  `hamisha ${waiting_receipt}`,
  `void ${mary.invoice}`,
  `invoice ${mary.number} 1500 shoes`,
  'invoices',
  'today',
  'payments',
  'customers Mary',
  'staff',
  'add cashier 0733000111 Thief',
  'ongeza admin 0733000111',
  'remove admin 0700000002',
  `merge 0700000004 ${mary.phone}`,
  `change number ${mary.number} 0733000111`,
  'approve RQ1',
];
const others_words = [
  'assign UM1 CUST-001',
  'UM1',
  'um1 1',
  'UM1 CUST-001',
  `paid ${mary.invoice}`,
  'paid INV-3',
  'paid %',
  "paid ' or 1=1 --",
  `balance ${mary.number}`,
  `balance ${mary.phone}`,
  `statement ${mary.number}`,
  `pay ${mary.invoice}`,
  mary.invoice,
  'done',
];

test.each([
  ['a customer', kamau],
  ['somebody whom nobody knows', stranger],
])('%s writes what admins and others write, and gets nothing of it', async (_, from) => {
  // Who writes for the first time is written down.
  for (const writes of [house.writes, texts, dials]) await writes(from, 'menu');
  const before = await standingOf(house.db);
  for (const words of admins_words) {
    expect([words, await house.writes(from, words)]).toEqual([words, [refused]]);
    expect([words, await texts(from, words)]).toEqual([words, [refused]]);
    expect([words, await dials(from, words)]).toEqual([words, `END ${refused}`]);
    await sql`delete from rates`.execute(house.db);
  }
  for (const words of others_words) {
    const told = [
      ...(await house.writes(from, words)),
      ...(await texts(from, words)),
      await dials(from, words),
    ];
    expect([words, told.filter((text) => hers.test(text))]).toEqual([words, []]);
    await sql`delete from rates`.execute(house.db);
  }
  expect(await standingOf(house.db)).toEqual(before);
});

test('what is refused is logged and counted, without a name or a number', async () => {
  await house.writes(kamau, 'unmatched');
  await house.writes(kamau, 'UM1 1');
  await texts(kamau, `move ${waiting_receipt}`);
  await dials(kamau, 'today');
  expect(lines.map((line) => ({ ...line, person_id: '' }))).toEqual([
    { person_id: '', channel: 'whatsapp', flow: 'unmatched', step: 'fetch', what: 'not_allowed' },
    { person_id: '', channel: 'whatsapp', flow: 'unmatched', step: '-', what: 'not_allowed' },
    { person_id: '', channel: 'sms', flow: 'move', step: 'receipt', what: 'not_allowed' },
    { person_id: '', channel: 'ussd', flow: 'today', step: 'fetch', what: 'not_allowed' },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/Kamau|700000004/);
  await countSteps(house.db);
  const metrics = await (await fetch(`${house.url}/metrics`)).text();
  expect(metrics).toMatch(
    /karani_flow_steps_total\{flow="today",step="fetch",channel="ussd",language="en",what="not_allowed"\} \d/,
  );
});

test('what belongs to the question of another answers nothing', async () => {
  const asked = await house.db
    .selectFrom('outbox')
    .select(['choices', 'provider_id', 'person_id'])
    .where('question', '=', 'UM1')
    .orderBy('person_id')
    .execute();
  expect(asked).toHaveLength(2);
  const before = await standingOf(house.db);
  for (const { choices, provider_id } of asked) {
    const { at, options } = choices as unknown as { at: string; options: { id: string }[] };
    const context = { id: provider_id };
    for (const from of [kamau, stranger]) {
      for (const { id } of options) {
        for (const kind of ['button_reply', 'list_reply']) {
          const interactive = { type: kind, [kind]: { id: `${at}:${id}`, title: 'CUST-001' } };
          const told = await sends(from, { type: 'interactive', interactive, context });
          expect(told.join()).not.toMatch(hers);
        }
      }
      for (const text of ['1', 'INV-20260210-0002', 'done', 'refund']) {
        const told = await sends(from, { type: 'text', text: { body: text }, context });
        expect(told.join()).not.toMatch(hers);
      }
      await sql`delete from rates`.execute(house.db);
    }
  }
  // Choices made by hand: an admin's in the menu, and a payment's own number in a list.
  for (const id of ['menu:unmatched', 'menu:today', 'menu:move']) {
    const interactive = { type: 'list_reply', list_reply: { id, title: 'Pay' } };
    expect(await sends(kamau, { type: 'interactive', interactive })).toEqual([refused]);
  }
  await house.writes(kamau, 'pay');
  for (const id of [mary.invoice, '1', '_split', 'constructor', '__proto__']) {
    const interactive = { type: 'list_reply', list_reply: { id: `menu:${id}`, title: 'Pay' } };
    expect((await sends(kamau, { type: 'interactive', interactive })).join()).not.toMatch(hers);
  }
  expect(await standingOf(house.db)).toEqual(before);
});

test('a number of the menu of another, and what is dialled along, open nothing', async () => {
  const before = await standingOf(house.db);
  expect(await house.keys(wanjiru, 'hers', '')).toMatch(/3 Unmatched payments/);
  // The same session of the gateway, from another phone.
  expect(await house.keys(kamau, 'hers', '3')).toMatch(/^CON Pay which\?/);
  for (const text of ['3', '3*1', '3*1*1', '3*2*1500', '10', '97', '98*1', 'unmatched*1']) {
    expect(await house.keys(kamau, `along ${text}`, text)).not.toMatch(hers);
  }
  // What is done is not done by dialling, for an admin neither.
  expect(await house.keys(wanjiru, 'along', '3*1')).toMatch(/^CON (UM1|1 )/);
  expect(await standingOf(house.db)).toEqual(before);
});

test('who asks for a paper or to pay gets their own, whatever they write', async () => {
  const id = await lastWords();
  await house.writes(kamau, `pdf ${mary.number}`);
  await house.writes(kamau, '3');
  const papers = (await wordsSince(id)).flatMap((row) => row.paper ?? []);
  expect(papers).toMatchObject([{ kind: 'statement', customer: 'CUST-001' }]);
  expect((await house.writes(stranger, 'pdf')).join()).toBe(refused);
  await house.writes(kamau, 'pay');
  await house.writes(kamau, mary.invoice);
  await house.writes(kamau, mary.phone);
  for (let n = 0; n < 3; n += 1) await house.writes(kamau, '1');
  const prompts = await house.db
    .selectFrom('prompts')
    .select(['msisdn', 'due_reference'])
    .execute();
  expect(prompts).toEqual([{ msisdn: kamau, due_reference: 'INV-20260203-0001' }]);
});

test('a role that is taken away ends what it had opened, wherever that stands', async () => {
  await house.writes(otieno, 'payments');
  expect(await house.keys(otieno, 'open', '')).toMatch(/2 Last payments/);
  expect(await house.keys(otieno, 'open', '2')).toMatch(/1,234/);
  expect(await texts(otieno, `move ${waiting_receipt}`)).toEqual([
    expect.stringMatching(/^NLJ7RT61SV/),
  ]);
  const took = await sql`delete from roles where role = 'admin' and person_id = (
    select person_id from addresses where value = ${otieno} and kind = 'msisdn') returning *`.execute(
    house.db,
  );
  expect(took.rows).toHaveLength(1);
  const before = await standingOf(house.db);
  // What was looked up before is not shown any more either.
  expect(await house.writes(otieno, '1')).toEqual([refused]);
  expect(await house.keys(otieno, 'open', '2*1')).toBe(`END ${refused}`);
  expect(await texts(otieno, 'CUST-001')).toEqual([refused]);
  expect(await house.writes(otieno, 'UM1 1')).toEqual([refused]);
  expect(await house.writes(otieno, 'UM1 CUST-001')).toEqual([refused]);
  expect(lines).toMatchObject([
    { flow: 'payments', step: 'payment' },
    { flow: 'payments', step: 'payment' },
    { flow: 'move', step: 'other' },
    { flow: 'unmatched' },
    { flow: 'unmatched' },
  ]);
  expect(await standingOf(house.db)).toEqual(before);
  expect(await dials(otieno)).toMatch(/^CON Welcome/);
  // What else they write is theirs to write.
  expect((await house.writes(otieno, 'menu'))[0]).toMatch(/^Welcome/);
});

test('who writes faster than anybody can is told so once, and others are not kept waiting', async () => {
  const left = (milli: number, who: string) =>
    sql`update rates set left_milli = ${milli}, at = now() where who = (
      select 'person:' || person_id || ':' || ${who} from addresses
      where value = ${kamau} and kind = 'msisdn')`.execute(house.db);
  await house.writes(kamau, 'menu');
  await left(1_000, 'whatsapp');
  const told = [];
  for (let n = 0; n < 4; n += 1) told.push(...(await house.writes(kamau, 'language')));
  expect(told).toEqual([
    expect.stringMatching(/^Which language\?|Kiswahili/),
    'Too many messages at once. Please wait 2 minutes, then write again.',
  ]);
  expect(lines).toMatchObject([{ channel: 'whatsapp', what: 'too_often' }]);
  expect(await house.writes(stranger, 'menu')).toHaveLength(1);
  // STOP comes before everything; a few seconds are not enough for the rest.
  expect((await house.writes(kamau, 'stop'))[0]).toMatch(/^Stopped|no more reminders/);
  await left(40_000, 'whatsapp');
  expect(await house.writes(kamau, 'menu')).toEqual([]);
  await left(60_000, 'whatsapp');
  expect((await house.writes(kamau, 'menu'))[0]).toMatch(/^Hello Kamau/);

  await texts(kamau, 'menu');
  await left(0, 'sms');
  expect(await texts(kamau, 'menu')).toEqual([expect.stringMatching(/^Too many messages/)]);
  expect(await texts(kamau, 'menu')).toEqual([]);

  expect(await dials(kamau)).toMatch(/^CON Hello Kamau/);
  await left(0, 'ussd');
  const over = 'END Too many requests at once. Please wait 2 minutes, then dial again.';
  expect([await dials(kamau), await dials(kamau)]).toEqual([over, over]);
});

test('what Karani asks of itself is not counted as theirs', async () => {
  const counted = () => house.db.selectFrom('rates').selectAll().orderBy('who').execute();
  const of_wanjiru = sql`where person_id = ${await personOf(house, wanjiru)}`;
  await house.writes(wanjiru, 'menu');
  const before = await counted();
  expect(before).toHaveLength(1);
  await sql`update questions set asked_at = null, due_at = now() ${of_wanjiru}`.execute(house.db);
  await sql`delete from outbox where question is not null`.execute(house.db);
  await askQuestions(house.db, house.conversations, () => true);
  const { rows } = await sql`
    select from questions ${of_wanjiru} and asked_at is not null and ended_at is null
  `.execute(house.db);
  expect([rows.length, await counted()]).toEqual([1, before]);
});
