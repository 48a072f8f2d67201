import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import type { LinkedMessage } from '../../src/channels/whatsapp-linked/payloads.ts';
import { keepMessage, keepStatuses } from '../../src/conversation/linked.ts';
import { tellOfTrouble } from '../../src/conversation/linked-device.ts';
import { takeReports } from '../../src/conversation/reports.ts';
import { sendOutbox, wordsSent } from '../../src/conversation/send.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { keeper } from '../../src/inbox/keep.ts';
import { copyUndelivered, giveUpUnsent } from '../../src/outbox/delivery.ts';
import { freeLinked, leaseMessages } from '../../src/outbox/take.ts';
import { inTransaction, openDatabase } from '../../src/base/db.ts';
import { enrol } from '../../src/people/enrol.ts';
import { flows_folder } from '../../src/serve.ts';
import { otieno, wanjiru } from '../helpers/admins.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { cloud_alone, type House, openHouse } from '../helpers/house.ts';

// What is written to the linked number, and what leaves by it: everything but the socket.

const kamau = '254700000004';
const numbers = { ...cloud_alone, cloud: false, linked: true };

let house: House;
let database: ReturnType<typeof openDatabase>;
const messages = await loadMessages(flows_folder);

beforeEach(async () => {
  house = await openHouse();
  house.conversations = { ...house.conversations, numbers };
  database = openDatabase(house.settings.database_url ?? '', 2);
  return async () => {
    await database.db.destroy();
    await house.close();
  };
});

let ids = 0;

/** Somebody writes; what waits in the outbox after the worker has answered. */
async function writes(
  from: string,
  text: string,
  change: Partial<LinkedMessage> = {},
): Promise<string[]> {
  const message = messageFrom(from, text, change);
  await keepMessage(doors(), message);
  await takeTurns(house.db, house.conversations);
  return waiting();
}

const doors = () => ({
  db: house.db,
  house: house.conversations,
  keep: keeper(database.pool, 'take_turns'),
});

function messageFrom(
  from: string,
  text: string,
  change: Partial<LinkedMessage> = {},
): Omit<LinkedMessage, 'from'> {
  ids += 1;
  const number = /^\d+$/.test(from) ? from : null;
  return {
    id: `3A${String(ids).padStart(6, '0')}`,
    chat: number === null ? from : `${number}@s.whatsapp.net`,
    number,
    lid: number === null ? from : null,
    from_me: false,
    stale: false,
    name: 'Somebody',
    timestamp: 1_771_000_000,
    type: 'text',
    text,
    answers: null,
    sent: null,
    ...change,
  };
}

/** What leaves by the linked number, as "chat: words", and by the worker, as "sms to: words". */
async function sent(): Promise<string[]> {
  const left: string[] = [];
  const by = (prefix: string) => async (to: string, it: { text: string; id: string }) => {
    left.push(`${prefix}${to}: ${it.text}`);
    return `${prefix}${it.id}`;
  };
  const it = { db: house.db, messages, house: house.conversations };
  const quiet = new AbortController().signal;
  const linked = { sender: 'linked', whatsapp: by(''), sms: undefined } as const;
  const others = { sender: 'others', whatsapp: undefined, sms: by('sms ') } as const;
  await sendOutbox({ ...it, ...linked }, () => true, quiet);
  await sendOutbox({ ...it, ...others }, () => true, quiet);
  return left;
}

async function waiting(): Promise<string[]> {
  const { rows } = await sql<{ words: string | null; template: string | null }>`
    select words, template from outbox where state = 'waiting' order by id
  `.execute(house.db);
  return rows.map((row) => row.words ?? `{${row.template}}`);
}

const everything = async () => {
  const { rows } = await sql<{ dump: string }>`
    select string_agg(query_to_xml('select * from ' || quote_ident(tablename), true, false, '')::text, '') as dump
    from pg_tables where schemaname = 'public'
  `.execute(house.db);
  return rows[0]?.dump ?? '';
};

test('who writes is answered in the chat in which they wrote, once', async () => {
  const hello = messageFrom(kamau, 'salio');
  await keepMessage(doors(), hello);
  await keepMessage(doors(), { ...hello, name: 'Another' });
  await takeTurns(house.db, house.conversations);
  expect(await sent()).toEqual([`${kamau}@s.whatsapp.net: ${(await words())[0]}`]);
  expect((await words()).length).toBe(1);
});

const words = async () => {
  const rows = await house.db.selectFrom('outbox').select('words').orderBy('id').execute();
  return rows.map((row) => row.words);
};

test('who has not written there is told by SMS, and from then on in that chat', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '100.00' }));
  await house.drain();
  const by_sms = await sent();
  expect(by_sms.filter((it) => it.startsWith(`sms ${kamau}: `))).toHaveLength(1);
  expect(by_sms.filter((it) => !it.startsWith('sms '))).toEqual([]);
  await writes(kamau, 'menu');
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '150.00' }));
  await house.drain();
  const by_chat = (await sent()).filter((it) => it.startsWith(`${kamau}@s.whatsapp.net: `));
  expect(by_chat).toHaveLength(2);
});

test('what the linked number cannot send for half an hour goes by SMS, an answer in a chat does not', async () => {
  await writes(kamau, 'menu');
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '100.00' }));
  await house.drain();
  await copyUndelivered(house.db, numbers);
  expect((await channels()).filter((it) => it === 'sms')).toEqual([]);
  await sql`
    update outbox set due_at = due_at - interval '31 minutes', created_at = created_at - interval '31 minutes'
  `.execute(house.db);
  await copyUndelivered(house.db, numbers);
  expect(await sent()).toEqual([
    expect.stringContaining(`${kamau}@s.whatsapp.net: `),
    ...(await admins()).map((it) => expect.stringContaining(`sms ${it}: `)),
    expect.stringContaining(`sms ${kamau}: Thank you`),
  ]);
});

const channels = async () =>
  (await house.db.selectFrom('outbox').select('channel').execute()).map((row) => row.channel);
const admins = async () => [wanjiru, otieno];

test('what the linked number was not there to send for a day is given up', async () => {
  await writes(kamau, 'menu');
  await giveUpUnsent(house.db, numbers);
  expect(await waiting()).toHaveLength(1);
  await sql`update outbox set due_at = due_at - interval '25 hours'`.execute(house.db);
  await giveUpUnsent(house.db, numbers);
  const [row] = await house.db.selectFrom('outbox').selectAll().execute();
  expect([row?.state, row?.error]).toEqual([
    'failed',
    'the linked number was not connected for a day',
  ]);
});

test('what waits for the linked number holds up no SMS', async () => {
  await writes(kamau, 'menu');
  await sql`
    insert into outbox (key, person_id, words, channel)
    select 'by-sms', person_id, 'by SMS', 'sms' from addresses where value = ${kamau} limit 1
  `.execute(house.db);
  const lease = (sender: 'others' | 'linked') =>
    leaseMessages(house.db, { count: 5, after: 0n, sender, numbers });
  expect((await lease('others')).map((it) => it.words)).toEqual(['by SMS']);
});

test('who takes the number over sends at once what the one before was sending', async () => {
  await writes(kamau, 'menu');
  const lease = () => leaseMessages(house.db, { count: 5, after: 0n, sender: 'linked', numbers });
  expect(await lease()).toHaveLength(1);
  expect(await lease()).toEqual([]);
  await freeLinked(house.db, numbers);
  expect(await lease()).toHaveLength(1);
});

test('a delivery is recorded, and what a phone asks for again is said again for a while', async () => {
  await writes(kamau, 'menu');
  await sent();
  const id = (await house.db.selectFrom('outbox').select('provider_id').executeTakeFirstOrThrow())
    .provider_id!;
  await keepStatuses(keeper(database.pool, 'take_reports'), [
    { id, outcome: 'delivered', error: null },
  ]);
  await takeReports(house.db, () => true);
  const row = await house.db.selectFrom('outbox').selectAll().executeTakeFirstOrThrow();
  expect(row.delivered_at).not.toBeNull();
  const it = { db: house.db, messages, house: house.conversations };
  expect(await wordsSent(it, id)).toBe(row.words);
  await sql`update outbox set sent_at = sent_at - interval '16 minutes'`.execute(house.db);
  expect(await wordsSent(it, id)).toBeUndefined();
});

test('what waited for hours at WhatsApp does nothing, and its words are not kept', async () => {
  await writes(kamau, 'language');
  const answers = await writes(kamau, '2', { stale: true });
  expect(answers.at(-1)).toMatch(/^We were away when you wrote/);
  expect(await writes(kamau, '2', { stale: true })).toEqual(answers);
  // Nor does what was typed on the phone then take the chat over now, or give it back.
  await writes(kamau, 'I will call you', { stale: true, from_me: true });
  await writes(kamau, 'DONE', { stale: true, from_me: true });
  expect(await waiting()).toEqual(answers);
  // Of all this only the first was written now.
  const { rows } = await sql`select left_milli from rates`.execute(house.db);
  expect(rows).toEqual([{ left_milli: 59_000 }]);
  const person = await house.db
    .selectFrom('people')
    .select('language')
    .where('name', '=', 'Kamau')
    .executeTakeFirstOrThrow();
  expect(person.language).toBe('en');
});

test('what reads as no message is kept aside without its words, and holds nothing up', async () => {
  await keepMessage(doors(), messageFrom(kamau, '739164', { timestamp: NaN }));
  await takeTurns(house.db, house.conversations);
  expect(await waiting()).toEqual([]);
  const rejected = await house.db.selectFrom('inbox_rejected').selectAll().execute();
  expect(rejected.map((it) => [it.source, it.reason])).toEqual([
    ['whatsapp_linked', 'it could not be kept'],
  ]);
  expect(rejected[0]?.head.toString()).not.toContain('739164');
});

test('a PIN on the linked number is in no row', async () => {
  await writes(kamau, '739164');
  await writes('99887766554433@lid', ' 739164 ');
  expect(/.{0,40}739164.{0,40}/.exec(await everything())?.[0]).toBeUndefined();
});

test('who answers on the phone takes the chat over, the admins are told, and DONE gives it back', async () => {
  await writes(kamau, 'menu');
  const phone = { from_me: true, name: null };
  await writes(kamau, 'It is me, Wanjiru. 739164', phone);
  expect(await waiting()).toEqual([
    expect.stringMatching(/^Hello Kamau/),
    '{person_taken}',
    '{person_taken}',
  ]);
  expect(/.{0,40}It is me.{0,40}/.exec(await everything())?.[0]).toBeUndefined();
  expect(await writes(kamau, 'thank you, Wanjiru')).toHaveLength(3);
  expect((await writes(kamau, 'menu')).at(-1)).toMatch(/answers you here, so the menu is off/);
  await writes(kamau, 'and again', phone);
  expect(await waiting()).toHaveLength(4);
  await writes(kamau, 'Done', phone);
  expect((await writes(kamau, 'menu')).at(-1)).toMatch(/^Hello Kamau/);
});

test('an admin who quotes what told of it answers in that chat, with digits too', async () => {
  await writes(wanjiru, 'menu');
  await writes(kamau, 'menu');
  await writes(kamau, 'It is me', { from_me: true, name: null });
  await sent();
  const { provider_id } = await house.db
    .selectFrom('outbox')
    .select('provider_id')
    .where('template', '=', 'person_taken')
    .where('key', 'like', '%:1')
    .executeTakeFirstOrThrow();
  expect(await writes(wanjiru, '4455', { answers: provider_id })).toContain('Wanjiru: 4455');
});

test('that the number needs a person is told to the admins by SMS, once a day for each reason', async () => {
  const tell = (trouble: 'logged_out' | 'blocked') =>
    tellOfTrouble(house.db, '254722000000', trouble);
  await tell('logged_out');
  await tell('logged_out');
  const told = await sent();
  expect(told.map((it) => it.slice(0, 16))).toEqual([`sms ${wanjiru}`, `sms ${otieno}`]);
  expect(told[0]).toContain('0722000000');
  await tell('blocked');
  expect(await sent()).toHaveLength(2);
});

test('a number and the id that stands for it are one person, whichever they write with', async () => {
  const lid = '77001122334455@lid';
  const both = { chat: lid, number: kamau, lid };
  await writes(lid, 'menu');
  expect((await waiting()).at(-1)).toMatch(/^Welcome/);
  await writes(kamau, 'menu', both);
  expect((await waiting()).at(-1)).toMatch(/^Hello Kamau/);
  await writes(lid, 'menu', { chat: lid });
  expect((await waiting()).at(-1)).toMatch(/^Hello Kamau/);
  expect((await sent()).filter((it) => it.startsWith(`${lid}: Hello Kamau`))).toHaveLength(2);
});

test('a new id behind a known number is a stranger until they prove it; its owner is told by SMS', async () => {
  const before = { chat: '71@lid', lid: '7100000@lid' };
  await writes(kamau, 'menu', before);
  expect((await waiting()).at(-1)).toMatch(/^Hello Kamau/);
  const answers = await writes(kamau, 'menu', { chat: '72@lid', lid: '7200000@lid' });
  expect(answers.at(-1)).not.toMatch(/KES|balance/i);
  const left = await sent();
  expect(left.filter((it) => it.startsWith(`sms ${kamau}: `))).toEqual([
    expect.stringContaining('a new WhatsApp is now linked to your number 0700000004'),
  ]);
  // What is said to Kamau no longer goes to that chat.
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '100.00' }));
  await house.drain();
  const later = await sent();
  expect(later.filter((it) => it.includes('Thank you'))).toEqual([
    expect.stringContaining(`sms ${kamau}: `),
  ]);
});

test('a WhatsApp that shows no number proves one by dialling, and is that person’s from then on', async () => {
  const lid = '77001122334466@lid';
  const named = { name: 'Kamau 0700 000 004' };
  await writes(lid, 'link', named);
  await writes(lid, '0700000004', named);
  await writes(lid, '2', named);
  const asked = await house.keys(kamau, 'ATUid_lid', '');
  expect(asked).toMatch(/^CON Is the WhatsApp Kamau yours\?/);
  await house.keys(kamau, 'ATUid_lid', '2');
  expect((await writes(lid, 'menu', named)).at(-1)).toMatch(/^Hello Kamau/);
});

test('a new id behind an admin’s number is a stranger after a restart too', async () => {
  await writes(wanjiru, 'today', { chat: '71@lid', lid: '7100000@lid' });
  expect((await waiting()).at(-1)).toBe('No payment has come in today yet.');
  const other = { chat: '72@lid', lid: '7200000@lid' };
  expect((await writes(wanjiru, 'today', other)).at(-1)).toMatch(
    /This is not open for your number/,
  );
  await inTransaction(house.db, (tx) => enrol(tx, [{ msisdn: wanjiru, roles: ['admin'] }]));
  expect((await writes(wanjiru, 'today', other)).at(-1)).toMatch(
    /This is not open for your number/,
  );
});

test('a number and an id of two whom we know: the id is certain', async () => {
  const lid = '77001122334455@lid';
  const named = { name: 'Mwangi' };
  await writes(kamau, 'menu', { lid: null });
  await writes(lid, 'link', named);
  await writes(lid, '0700000005', named);
  await writes(lid, '2', named);
  await house.keys('254700000005', 'ATUid_both', '');
  await house.keys('254700000005', 'ATUid_both', '2');
  const both = { chat: lid, number: kamau, lid };
  expect((await writes(kamau, 'balance', both)).at(-1)).toMatch(/This is not open for your number/);
  expect((await writes(lid, 'balance', { chat: lid })).at(-1)).toMatch(
    /This is not open for your number/,
  );
});

test('what we typed ourselves teaches nothing about whose a number is', async () => {
  await writes(kamau, 'menu', { lid: '7100000@lid' });
  await writes(kamau, 'hello', { from_me: true, lid: '7200000@lid' });
  await writes(kamau, 'DONE', { from_me: true, lid: '7200000@lid' });
  expect((await writes(kamau, 'menu', { lid: '7100000@lid' })).at(-1)).toMatch(/^Hello Kamau/);
});
