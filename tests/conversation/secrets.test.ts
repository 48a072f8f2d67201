import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { Refusal } from '../../src/base/errors.ts';
import { heardNow, UssdRequest } from '../../src/channels/ussd/africas-talking.ts';
import { takeReports } from '../../src/conversation/reports.ts';
import { takeSms } from '../../src/conversation/sms.ts';
import { action } from '../../src/flow/action.ts';
import { actions } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { type House, openHouse, postSigned, webhook } from '../helpers/house.ts';
import { logLines } from '../helpers/log-lines.ts';

const kamau = '254700000004';
const pin = '739164';

const flow = `
flow: secret
start: { words: { en: [secret], sw: [siri] }, menu: { en: Secret, sw: Siri } }
steps:
  code:
    ask: { en: Enter the code., sw: Weka code. }
    type: code
  use: { do: test.use, with: { code: code }, as: used, else: { wrong_code: code, down: $down } }
  done: { end: { en: "It was right.", sw: "Ni sahihi." } }
`;

let house: House;
let folder: string;
const used: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karani-flows-'));
  cpSync(flows_folder, folder, { recursive: true });
  writeFileSync(join(folder, 'secret.yaml'), flow);
  const menu = join(folder, 'menu.yaml');
  writeFileSync(menu, readFileSync(menu, 'utf8').replaceAll(/\bmenu:\s*\[/g, 'menu: [secret, '));
  house = await openHouse(
    {},
    {
      flows_folder: folder,
      actions: {
        ...actions,
        'test.use': action({
          input: z.object({ code: z.string() }),
          output: z.object({ ok: z.boolean() }),
          refusals: ['wrong_code'],
          run: (_, { input }) => {
            used.push(input.code);
            return input.code === pin
              ? Promise.resolve({ ok: true })
              : Promise.reject(new Refusal('wrong_code'));
          },
        }),
      },
    },
  );
});
afterAll(async () => {
  await house.close();
  rmSync(folder, { recursive: true });
});

async function everywhereInTheDatabase(): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('public', 'graphile_worker')
  `.execute(house.db);
  let dump = '';
  for (const { name } of rows) {
    const found = await sql<{ row: string }>`select t::text as row from ${sql.raw(name)} t`.execute(
      house.db,
    );
    dump += found.rows.map((it) => it.row).join('\n');
  }
  return dump;
}

test('a code on WhatsApp reaches its action and no row', async () => {
  expect((await house.writes(kamau, 'secret'))[0]).toContain('Enter the code.');
  expect((await house.writes(kamau, '111222'))[0]).toContain('Enter the code.');
  expect(await house.writes(kamau, pin, 'wamid.pin')).toEqual([
    expect.stringContaining('It was right.'),
  ]);
  expect(used.splice(0)).toEqual(['111222', pin]);
  // Meta repeats a webhook that it thinks was lost, when nobody waits for a secret any more.
  expect(await house.writes(kamau, pin, 'wamid.pin')).toEqual([]);
  expect(await house.writes(kamau, 'menu')).toHaveLength(1);
  const dump = await everywhereInTheDatabase();
  expect(dump).toContain('[cut]');
  expect(dump).not.toContain(pin);
  expect(dump).not.toContain('111222');
});

test('a code on USSD reaches its action and no row, though every later request repeats it', async () => {
  const session = 'ATUid_secret';
  const menu = await house.keys(kamau, session, '');
  const number = /(\d+) Secret/.exec(menu)?.[1];
  if (number) {
    await house.keys(kamau, session, number);
    await house.keys(kamau, session, `${number}*333444`);
    expect(await house.keys(kamau, session, `${number}*333444*${pin}`)).toBe('END It was right.');
    expect(used.splice(0)).toEqual(['333444', pin]);
  }
  expect(number).toBeDefined();
  const dump = await everywhereInTheDatabase();
  expect(dump).not.toContain(pin);
  expect(dump).not.toContain('333444');
});

test('a code is cut out however the phone wrote it, and when it overtakes the question', async () => {
  await house.writes(kamau, 'secret');
  expect(await house.writes(kamau, `${pin} \n`)).toEqual([expect.stringContaining('right')]);
  // The word that leads to the question waits in the inbox when the code is already there.
  const first = webhook(kamau, 'secret', 'wamid.slow');
  await postSigned(house.url, JSON.stringify(first));
  expect(await house.writes(kamau, pin, 'wamid.quick')).toEqual([
    expect.stringContaining('Enter the code.'),
    expect.stringContaining('right'),
  ]);
  used.splice(0);
  expect(await everywhereInTheDatabase()).not.toContain(pin);
});

test('a PIN that nobody asked for is in no row, no log and no figure, on whatever channel it came', async () => {
  const logged = logLines();
  try {
    const warned = /^Please never (?:write|enter) your M-Pesa PIN/;
    expect((await house.writes(kamau, 'menu'))[0]).toContain('Hello Kamau');
    // With a menu open, with nothing open, and to a person of the house.
    expect((await house.writes(kamau, pin))[0]).toMatch(warned);
    await house.writes(kamau, 'stop');
    expect((await house.writes(kamau, ` ${pin} `))[0]).toMatch(warned);
    await house.writes(kamau, 'mhudumu');
    await house.writes(kamau, pin);
    const sms = { id: 'ATXid_pin', from: `+${kamau}`, to: '20880', text: pin };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const texted = await house.hook('sms/inbound', new URLSearchParams(sms).toString(), form);
    expect(texted.status).toBe(200);
    await takeSms(house.db, house.conversations, () => true);
    await house.keys(kamau, 'ATUid_pin', '');
    expect(await house.keys(kamau, 'ATUid_pin', pin)).toMatch(/^CON Please never enter/);
    expect(await house.keys(kamau, 'ATUid_pin', `${pin}*00`)).toMatch(/^CON/);
    expect(await house.keys(kamau, 'ATUid_deep', `${pin}*1`)).toMatch(/^CON/);
    const event = { sessionId: 'ATUid_pin', status: 'Failed', input: pin, lastAppResponse: pin };
    await house.hook('ussd/events', new URLSearchParams(event).toString(), form);
    await takeReports(house.db, () => true);
    // What is turned away or cannot be answered is logged.
    const unsigned = await house.hook('whatsapp', webhook(kamau, pin, 'wamid.unsigned'));
    expect(unsigned.status).toBe(403);
    await sql`alter table ussd_sessions rename to away`.execute(house.db);
    expect(await house.keys(kamau, 'ATUid_away', pin)).toMatch(/^END Sorry/);
  } finally {
    await sql`alter table if exists away rename to ussd_sessions`.execute(house.db);
    await sql`delete from handoffs`.execute(house.db);
  }
  expect(logged.join('')).toMatch(/not signed by Meta[^]*a USSD request failed/);
  const figures = await (await fetch(`${house.url}/metrics`)).text();
  const everything = [await everywhereInTheDatabase(), figures, ...logged].join('\n');
  expect(everything).toContain('000000');
  expect(everything).not.toContain(pin);
});

test('a code in one webhook with what leads to it, or again beside something new, is cut out', async () => {
  const both = (...ids: [string, string][]) => {
    const [first, ...others] = ids.map(([id, text]) => webhook(kamau, text, id)) as Webhook[];
    const value = first!.entry[0]!.changes[0]!.value;
    value.messages.push(...others.flatMap((it) => it.entry[0]!.changes[0]!.value.messages));
    return JSON.stringify(first);
  };
  await postSigned(house.url, both(['wamid.q1', 'secret'], ['wamid.a1', pin]));
  expect(used.splice(0)).toEqual([pin]);
  await postSigned(house.url, both(['wamid.a1', pin], ['wamid.new', 'menu']));
  expect(used.splice(0)).toEqual([]);
  expect(await everywhereInTheDatabase()).not.toContain(pin);
});

interface Webhook {
  entry: { changes: { value: { messages: unknown[] } }[] }[];
}

test('what is kept of a code on USSD cannot be guessed without our key', () => {
  const request = UssdRequest.parse({
    sessionId: 'ATUid_guess',
    serviceCode: '*384*1#',
    phoneNumber: `+${kamau}`,
    text: `1*${pin}`,
  });
  const kept = ['our key', 'another'].map((key) => heardNow(key, request).text_hash);
  expect(kept[0]).not.toBe(kept[1]);
});
