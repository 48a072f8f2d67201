import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { changeNumber } from '../../src/people/change-number.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { proveOldNumber } from '../../src/people/number-proof.ts';
import { belongings } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { asked, codeOf, otieno, personOf, wanjiru } from '../helpers/admins.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

const kamau = '254700000004';
const fresh = '254722000555';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const messages = await loadMessages(flows_folder);

/** Sends what waits; what went by SMS, as "to: text". */
async function sms(): Promise<string[]> {
  const sent: string[] = [];
  const give_up = new AbortController().signal;
  const it = { db: house.db, messages, house: house.conversations, sender: 'others' as const };
  const send = async (to: string, { text }: { text: string }) => {
    sent.push(`${to}: ${text}`);
    return `sms.${Math.random()}`;
  };
  const whatsapp = async () => `wamid.${Math.random()}`;
  await sendOutbox({ ...it, whatsapp, sms: send }, () => true, give_up);
  return sent;
}

/** Dials, says that the number is new and what the old one was; what is shown, and how to go on. */
async function dial(phone: string, session: string, old: string) {
  const menu = await house.keys(phone, session, '');
  const keyed = [/(\d+) I have a new number/.exec(menu)?.[1] ?? ''];
  const key = (answer: string) => {
    keyed.push(answer);
    return house.keys(phone, session, keyed.join('*'));
  };
  await house.keys(phone, session, keyed.join('*'));
  return { shows: await key(old), key };
}

/** Kamau's number as it is by now. */
async function current(): Promise<string> {
  const { rows } = await sql<{ value: string }>`
    select a.value from addresses a join customers c on c.person_id = a.person_id
    where a.kind = 'msisdn' and c.number = 'CUST-001'
  `.execute(house.db);
  return rows[0]?.value ?? '';
}

const local = (msisdn: string) => msisdn.replace(/^254/, '0');

const codeIn = (sent: string[]) => /code: (\d{6})\./.exec(sent.join())?.[1] ?? '';
const other = (code: string) => (code === '000000' ? '111111' : '000000');

/** As if a day had passed: whoever asked may ask again. */
const nextDay = () =>
  sql`update link_proofs set created_at = created_at - interval '1 day'`.execute(house.db);

test('from a new phone, a code sent to the old one makes the new number theirs', async () => {
  const { shows, key } = await dial(fresh, 'ATUid_1', 'CUST-001');
  expect(shows).toMatch(/^CON If we know it, a code is on/);
  const sent = await sms();
  expect(sent).toEqual([
    expect.stringMatching(
      /^254700000004: Duka code: \d{6}\. It moves your account from 0700000004/,
    ),
  ]);
  const code = codeIn(sent);
  expect(await key(other(code))).toMatch(/^CON That code is not right/);
  const owner = await personOf(house, kamau);
  expect(await key(code)).toMatch(/^END Thank you Kamau\. This is your number now/);
  expect(await personOf(house, fresh)).toBe(owner);
  expect(await personOf(house, kamau)).toBe(0n);
  // The old number is told, and it, and the WhatsApp under it, are nobody's now.
  expect((await sms()).join('\n')).toContain(
    '254700000004: Duka: 0700000004 is no longer the number of your account with us.',
  );
  expect((await house.writes(kamau, 'balance')).at(-1)).toMatch(/^This is not open/);
  expect(await house.keys(kamau, 'ATUid_old', '')).toMatch(/^CON Welcome to Duka\. We do not know/);
  expect(await house.keys(fresh, 'ATUid_2', '')).toMatch(/^CON Hello Kamau\. To pay: KES 6,500/);
  const { rows } = await sql<{ all: string }>`
    select string_agg(i::text, '') || (select string_agg(o::text, '') from outbox o)
      || (select string_agg(u::text, '') from ussd_sessions u) as all from inbox i
  `.execute(house.db);
  expect(rows[0]?.all).not.toContain(code);
});

test('an unknown number, one that works here, and a known one are answered alike', async () => {
  await nextDay();
  const answers = [];
  const olds = ['0799123123', 'CUST-999', '0700000001', local(await current())];
  for (const [n, old] of olds.entries()) {
    answers.push((await dial(`25473300001${n}`, `ATUid_a${n}`, old)).shows);
  }
  expect(new Set(answers).size).toBe(1);
  // Only the known one that may move so is written to.
  expect((await sms()).map((it) => it.slice(0, 12))).toEqual([await current()]);
  // Counted alike too: by who asks, and by what was said.
  await sql`delete from sessions`.execute(house.db);
  for (const [n, old] of olds.entries()) {
    expect((await dial(`25473300002${n}`, `ATUid_b${n}`, old)).shows).toMatch(
      /^END That was asked/,
    );
    expect((await dial(`25473300001${n}`, `ATUid_c${n}`, '0799123124')).shows).toMatch(
      /^END That was/,
    );
  }
  // A number is not written to more often because it is asked for under another name.
  expect((await dial('254733000030', 'ATUid_d', 'CUST-001')).shows).toBe(answers[0]);
  expect(await sms()).toEqual([]);
});

test('guessing ends with the fifth wrong code, and a number in use is not changed but merged', async () => {
  await nextDay();
  const { key } = await dial('254733000040', 'ATUid_g', local(await current()));
  const code = codeIn(await sms());
  for (let n = 0; n < 4; n += 1) {
    expect(await key(other(code))).toMatch(/^CON That code is not right/);
  }
  expect(await key(other(code))).toMatch(/^END That code is no longer good/);
  const right_at_last = await inTransaction(house.db, async (tx) => {
    const actor = await lockPersonAt(tx, 'msisdn', '254733000040');
    const typed = local(await current());
    return proveOldNumber(tx, belongings, { actor, keyed: house.conversations.keyed, typed, code });
  });
  expect(right_at_last).toBe('over');

  const trade = trading(house);
  const mary = await trade.register('Mary', '254733000050');
  await trade.issue(mary.id, 900);
  expect((await house.writes('254733000050', 'new number')).at(-1)).toMatch(
    /^This number has an account of its own\. To make two accounts one, call/,
  );
  expect((await house.writes(wanjiru, 'change number CUST-001 0733000050')).at(-1)).toMatch(
    /^The new number has an account of its own\. Write MERGE/,
  );
  const from = await current();
  const owner = await personOf(house, from);
  await expect(
    inTransaction(house.db, (tx) => {
      const it = { owner, from, to: '254733000050', key: 'test' };
      return changeNumber(tx, belongings, it);
    }),
  ).rejects.toThrow('own_account');
});

test('on WhatsApp the new number is proven first, and then the old one', async () => {
  await nextDay();
  const whatsapp = '254766000001';
  expect((await house.writes(whatsapp, 'nambari mpya')).at(-1)).toMatch(
    /^To show your account here/,
  );
  await house.writes(whatsapp, '0766000001');
  await house.writes(whatsapp, '1');
  const confirmed = await house.writes(whatsapp, codeIn(await sms()));
  expect(confirmed.at(-1)).toMatch(/is confirmed for this WhatsApp\.\n+What was your old number/);
  const owner = await personOf(house, await current());
  await house.writes(whatsapp, local(await current()));
  const done = await house.writes(whatsapp, codeIn(await sms()));
  expect(done.at(-1)).toMatch(/^Thank you Kamau\. This is your number now/);
  expect(await personOf(house, '254766000001')).toBe(owner);
  expect((await house.writes(whatsapp, 'balance')).at(-1)).toMatch(/^To pay: KES 6,500/);
});

test('who has the old phone no more asks the shop, where two admins change the number', async () => {
  const from = await current();
  expect((await house.writes(wanjiru, 'change number CUST-001 0733 000 060')).at(-1)).toMatch(
    new RegExp(`^Kamau: 0733000060, no longer ${local(from)}\\? Another admin`),
  );
  expect((await house.writes(wanjiru, '1')).at(-1)).toMatch(/^The other admins are asked/);
  const owner = await personOf(house, from);
  const [question = ''] = await asked(house);
  await house.writes(otieno, '1');
  await house.writes(otieno, await codeOf(house, otieno));
  expect(question).toMatch(/^254700000002: RQ/);
  expect(await personOf(house, '254733000060')).toBe(owner);
  expect((await sms()).join('\n')).toContain(
    `${from}: Duka: ${local(from)} is no longer the number`,
  );
  expect((await house.writes('254733000060', 'balance')).at(-1)).toMatch(/^To pay: KES 6,500/);
  // Of who works here too, but not of an admin whom the configuration names.
  await sql`update roles set by_configuration = true where role = 'admin'`.execute(house.db);
  expect((await house.writes(wanjiru, 'change number 0700000002 0733000061')).at(-1)).toMatch(
    /^That number is set in the configuration/,
  );
  expect(await house.findings()).toEqual([]);
});
