import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { becomeOne } from '../../src/people/become-one.ts';
import { enrol } from '../../src/people/enrol.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { codeOf, proveByCode } from '../../src/people/link.ts';
import { sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { belongings } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const kamau = '254700000004';
const new_whatsapp = '254722000123';
const messages = await loadMessages(flows_folder);

/** Sends what waits; what was sent by SMS, and to which WhatsApp, as "to: text". */
async function sent(): Promise<{ sms: string[]; whatsapp: string[] }> {
  const left = { sms: [] as string[], whatsapp: [] as string[] };
  const by =
    (name: 'sms' | 'whatsapp') =>
    async (to: string, { text }: { text: string }) => {
      left[name].push(`${to}: ${text}`);
      return `${name}.${Math.random()}`;
    };
  const it = { db: house.db, messages, house: house.conversations, sender: 'others' as const };
  await sendOutbox(
    { ...it, whatsapp: by('whatsapp'), sms: by('sms') },
    () => true,
    new AbortController().signal,
  );
  return left;
}

/** Asks for a code for Kamau's number from another WhatsApp; the code, as the SMS has it. */
async function askForCode(): Promise<string> {
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000004');
  expect((await house.writes(new_whatsapp, '1')).join()).toContain('We sent an SMS with a code');
  const { sms } = await sent();
  const code = /^254700000004: Duka code: (\d{6})\. Write it in WhatsApp/.exec(sms.join())?.[1];
  expect(code).toBeDefined();
  return code ?? '';
}

const dump = async () => {
  const { rows } = await sql<{ all: string }>`
    select query_to_xml('select * from outbox', true, false, '')::text
      || query_to_xml('select * from inbox', true, false, '')::text
      || query_to_xml('select * from sessions', true, false, '')::text
      || query_to_xml('select * from link_proofs', true, false, '')::text as all
  `.execute(house.db);
  return rows[0]?.all ?? '';
};

test('a code sent to the number makes this WhatsApp its own, and the earlier one is told', async () => {
  expect((await house.writes(new_whatsapp, 'balance'))[0]).toMatch(/^This is not open/);
  const code = await askForCode();
  expect(await dump()).not.toContain(code);
  const wrong = code === '000000' ? '111111' : '000000';
  expect((await house.writes(new_whatsapp, wrong))[0]).toMatch(/^That code is not right\./);
  expect((await house.writes(new_whatsapp, code)).at(-1)).toBe(
    'Thank you Kamau. Number 0700000004 is confirmed for this WhatsApp.',
  );
  expect(await dump()).not.toContain(code);

  const told = await sent();
  const moved =
    /a new WhatsApp is now linked to your number 0700000004, \d\d:\d\d\. Not you\? Call/;
  expect(told.sms.join()).toMatch(moved);
  expect(told.whatsapp.filter((it) => moved.test(it))).toEqual([
    expect.stringMatching(/^254700000004: /),
  ]);
  expect(told.whatsapp.at(-1)).toMatch(/^254722000123: Thank you Kamau/);
  // One person now, with what was the number's; the earlier WhatsApp is a stranger's.
  expect((await house.writes(new_whatsapp, 'balance'))[0]).toMatch(/^To pay: KES 6,500/);
  expect((await house.writes(kamau, 'balance'))[0]).toMatch(/^This is not open/);
});

test('the same code is good once, five wrong ones end it, and codes are not had for the asking', async () => {
  const code = await askForCode();
  const wrong = code === '000000' ? '111111' : '000000';
  for (let n = 0; n < 4; n += 1) {
    expect((await house.writes(new_whatsapp, wrong))[0]).toMatch(/^That code is not right/);
  }
  expect((await house.writes(new_whatsapp, wrong))[0]).toMatch(/^That code is no longer good/);
  const right_at_last = await inTransaction(house.db, async (tx) => {
    const actor = await lockPersonAt(tx, 'whatsapp', new_whatsapp);
    return proveByCode(tx, house.conversations.keyed, actor, { msisdn: kamau, code });
  });
  expect(right_at_last).toBe('over');
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000004');
  expect((await house.writes(new_whatsapp, '1'))[0]).toMatch(/^That was asked for a moment ago/);
  // Neither from another WhatsApp for the same number.
  await house.writes('254722000124', 'link');
  await house.writes('254722000124', '0700000004');
  expect((await house.writes('254722000124', '1'))[0]).toMatch(/^That was asked for a moment ago/);
});

test('a code is no good after ten minutes, nor for whom it was not sent', async () => {
  const code = await askForCode();
  await sql`update link_proofs set expires_at = now() - interval '1 second'`.execute(house.db);
  expect((await house.writes(new_whatsapp, code))[0]).toMatch(/^That code is no longer good/);
  const keyed = house.conversations.keyed;
  expect(codeOf(keyed, '1')).not.toBe(codeOf(() => '0'.repeat(64), '1'));
});

test('the number dials and says yes, and its WhatsApp is confirmed', async () => {
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000004');
  expect((await house.writes(new_whatsapp, '2'))[0]).toMatch(/^Now dial \*384\*123456# from 0700/);
  expect(await house.keys(kamau, 'ATUid_1', '')).toMatch(/^CON Is the WhatsApp 0722xxx123 yours\?/);
  expect(await house.keys(kamau, 'ATUid_1', '2')).toMatch(
    /^CON Your WhatsApp is confirmed\.\nHello Kamau/,
  );
  expect((await house.writes(new_whatsapp, 'balance')).at(-1)).toMatch(/^To pay: KES 6,500/);
  expect((await sent()).whatsapp.join()).toContain(
    '254722000123: Thank you Kamau. Number 0700000004 is confirmed for this WhatsApp.',
  );
});

test('the number says no, and nothing is confirmed', async () => {
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000004');
  await house.writes(new_whatsapp, '2');
  await house.keys(kamau, 'ATUid_1', '');
  expect(await house.keys(kamau, 'ATUid_1', '1')).toMatch(/^CON It was not confirmed\./);
  expect(await house.keys(kamau, 'ATUid_2', '')).toMatch(/^CON Hello Kamau/);
  expect((await house.writes(new_whatsapp, 'balance'))[0]).toMatch(/^This is not open/);
});

test('who has a number does not go over into somebody else, and a start brings nothing back', async () => {
  expect((await house.writes(kamau, 'link'))[0]).toContain('Which number is it?');
  await house.writes(kamau, '0722000999');
  expect((await house.writes(kamau, '1'))[0]).toMatch(/^A number is confirmed for this WhatsApp/);

  const wanjiru = '254700000001';
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000001');
  await house.writes(new_whatsapp, '1');
  const code = /code: (\d{6})/.exec((await sent()).sms.join())?.[1] ?? '';
  await house.writes(new_whatsapp, code);
  expect((await house.writes(new_whatsapp, 'menu'))[0]).toMatch(/^Today KES/);
  // The earlier WhatsApp shows the admin's number, and is nobody's.
  await inTransaction(house.db, (tx) => enrol(tx, [{ msisdn: wanjiru, roles: ['admin'] }]));
  expect((await house.writes(wanjiru, 'menu'))[0]).toMatch(/^Welcome! This is Duka/);
  expect((await house.writes(new_whatsapp, 'menu'))[0]).toMatch(/^Today KES/);
});

test('a yes is for the WhatsApp that was shown, not for one that asked since', async () => {
  const asks = async (from: string) => {
    await sql`update link_proofs set created_at = now() - interval '2 minutes'`.execute(house.db);
    await house.writes(from, 'link');
    await house.writes(from, '0700000004');
    return (await house.writes(from, '2'))[0];
  };
  expect(await asks(new_whatsapp)).toMatch(/^Now dial/);
  expect(await house.keys(kamau, 'ATUid_1', '')).toMatch(/0722xxx123/);
  expect(await asks('254722000666')).toMatch(/^Now dial/);
  await house.keys(kamau, 'ATUid_1', '2');
  expect((await house.writes('254722000666', 'balance'))[0]).toMatch(/^This is not open/);
  expect((await house.writes(new_whatsapp, 'balance')).at(-1)).toMatch(/^To pay: KES 6,500/);
});

test('what is dialled along with the code answers no question about another WhatsApp', async () => {
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0700000004');
  await house.writes(new_whatsapp, '2');
  expect(await house.keys(kamau, 'ATUid_deep', '2')).toMatch(/^CON Is the WhatsApp 0722xxx123/);
  expect((await house.writes(new_whatsapp, 'balance'))[0]).toMatch(/^This is not open/);
});

test('of two numbers the one is texted and asked that it is about, or that dials', async () => {
  const second = '254733000000';
  await inTransaction(house.db, async (tx) => {
    const [keep = 0n, other = 0n] = await enrol(tx, [
      { msisdn: kamau, roles: [] },
      { msisdn: second, roles: [] },
    ]);
    await becomeOne(tx, belongings, { keep, other });
  });
  // The number that was proved last is the other one.
  const menu = await house.keys(kamau, 'ATUid_two', '');
  let text = /(\d) Pay/.exec(menu)?.[1] ?? '';
  for (
    let n = 0;
    n < 5 && !(await house.keys(kamau, 'ATUid_two', text)).startsWith('END');
    n += 1
  ) {
    text += '*1';
  }
  const { rows } = await sql<{ msisdn: string }>`select msisdn from prompts order by id`.execute(
    house.db,
  );
  expect(rows).toEqual([{ msisdn: kamau }]);

  await sent();
  await house.writes(new_whatsapp, 'link');
  await house.writes(new_whatsapp, '0733000000');
  await house.writes(new_whatsapp, '1');
  const code = /^254733000000: Duka code: (\d{6})/.exec((await sent()).sms.join())?.[1] ?? '';
  expect((await house.writes(new_whatsapp, code)).at(-1)).toContain('0733000000 is confirmed');
  const { sms } = await sent();
  expect(sms.map((it) => it.slice(0, 48))).toEqual([
    expect.stringContaining('254733000000: Duka: a new WhatsApp is now linked'),
    expect.stringContaining('254733000000: Duka: a new WhatsApp is now linked'),
  ]);
});
