import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inTransaction, type Tx } from '../../src/base/db.ts';
import { Refusal } from '../../src/base/errors.ts';
import { keepConfiguredAdmins } from '../../src/people/configured.ts';
import { approveRequest, refuseRequest } from '../../src/people/decide.ts';
import { enrol } from '../../src/people/enrol.ts';
import { confirmCodes, offerCodes, spendCode } from '../../src/people/one-time-codes.ts';
import { askRole, expireOldRequests } from '../../src/people/requests.ts';
import { belongings } from '../../src/registry.ts';
import {
  asked,
  codeOf,
  halima,
  otieno,
  personOf,
  told,
  wanjiru,
  withThirdAdmin,
  wrongCode,
} from '../helpers/admins.ts';
import { type House, openHouse, webhook } from '../helpers/house.ts';
import { logLines } from '../helpers/log-lines.ts';

const njeri = '254712345678';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const transaction = <T>(work: (tx: Tx) => Promise<T>) => inTransaction(house.db, work);
const keyed = (purpose: string, text: string) => house.conversations.keyed(purpose, text);

async function rolesOf(msisdn: string): Promise<string[]> {
  const { rows } = await sql<{ role: string }>`
    select role from roles where person_id = ${await personOf(house, msisdn)} order by role
  `.execute(house.db);
  return rows.map((row) => row.role);
}

/** Everything that every table holds, as text. */
async function everything(): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('public', 'graphile_worker')
  `.execute(house.db);
  let all = '';
  for (const { name } of rows) {
    const { rows: found } = await sql<{ row: string }>`
      select t::text as row from ${sql.raw(name)} t`.execute(house.db);
    all += found.map((it) => it.row).join('\n');
  }
  return all;
}

/** Asks for a role as Wanjiru; the request's id. */
async function ask(role: 'admin' | 'officer' | 'cashier', msisdn: string, kind = 'grant') {
  const words = kind === 'grant' ? 'add' : 'remove';
  const [confirm] = await house.writes(wanjiru, `${words} ${role} ${msisdn} Somebody`);
  expect(confirm).toMatch(/Another admin has to approve it/);
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^The other admins are asked/);
  const { rows } = await sql<{ id: bigint }>`select max(id) as id from people_requests`.execute(
    house.db,
  );
  return rows[0]?.id ?? 0n;
}

const codeOfRefusal = (error: unknown) => (error instanceof Refusal ? error.code : String(error));
const settle = (work: (tx: Tx) => Promise<object>) =>
  transaction(work).then((it) => ('result' in it ? it.result : 'done'), codeOfRefusal);

const approve = async (id: bigint, msisdn: string) => {
  const it = { id, by: await personOf(house, msisdn), code: await codeOf(house, msisdn), keyed };
  return settle((tx) => approveRequest(tx, belongings, it));
};

test('a cashier is added by two admins: one asks, another approves with a code, all are told', async () => {
  const [confirm] = await house.writes(wanjiru, 'add keshia 0712 345 678');
  expect(confirm).toMatch(/^What is the name of 0712345678\?/);
  expect((await house.writes(wanjiru, 'Njeri'))[0]).toMatch(
    /^Role: cashier\nAdd Njeri, 0712345678\? Another/,
  );
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^The other admins are asked/);
  expect(await rolesOf(njeri)).toEqual([]);
  expect(await asked(house)).toEqual([`${otieno}: RQ1`]);
  // Asked twice, it is the same.
  await house.writes(wanjiru, 'add cashier 0712345678 Njeri');
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^The other admins are asked/);
  expect(await asked(house)).toEqual([`${otieno}: RQ1`]);

  const logged = logLines();
  const wrong = await wrongCode(house, otieno);
  expect((await house.writes(otieno, '1'))[0]).toMatch(/^Enter the 6-digit code from your Auth/);
  expect(await texted(`RQ1 ${wrong}`)).toMatch(/^This cannot be done by SMS/);
  expect((await house.writes(otieno, wrong))[0]).toMatch(/^That code is not right\. Tries left: 4/);
  const code = await codeOf(house, otieno);
  // What fails, and what nobody signed, is logged.
  await sql`alter table roles add constraint full_up check (role <> 'cashier') not valid`.execute(
    house.db,
  );
  expect((await house.writes(otieno, `RQ1 ${code}`)).at(-1)).toMatch(/problem on our side/);
  await sql`alter table roles drop constraint full_up`.execute(house.db);
  const unsigned = await house.hook('whatsapp', webhook(otieno, `RQ1 ${code}`, 'wamid.unsigned'));
  expect(unsigned.status).toBe(403);
  expect((await house.writes(otieno, 'RQ1'))[0]).toMatch(/^RQ1: Wanjiru wants to add Njeri/);
  expect((await house.writes(otieno, '1'))[0]).toMatch(/^Enter the 6-digit code/);
  expect((await house.writes(otieno, `RQ1 ${code}`)).at(-1)).toMatch(/^Approved: RQ1\./);
  expect(await rolesOf(njeri)).toEqual(['cashier']);
  expect((await told(house)).slice(-3)).toEqual([
    `${njeri}: role_given`,
    `${wanjiru}: role_granted`,
    `${otieno}: role_granted`,
  ]);
  const { rows } = await sql<{ values: object }>`
    select values from outbox where template = 'role_given' order by id desc limit 1
  `.execute(house.db);
  expect(rows[0]?.values).toMatchObject({ cashier: '0712345678' });
  // The question is over, and the code is worth nothing more.
  expect((await house.writes(otieno, `RQ1 ${code}`))[0]).toMatch(/^RQ1 is settled already/);
  expect(await transaction(async (tx) => spendCode(tx, keyed, await otienoId(), code))).toEqual({
    result: 'used',
  });
  expect(await texted(`RQ1 ${code}`)).toMatch(/^RQ1 is settled already/);
  expect(logged.join('')).toMatch(/action failed[^]*not signed by Meta/);
  const figures = await (await fetch(`${house.url}/metrics`)).text();
  const all = [await everything(), figures, ...logged].join('\n');
  for (const secret of [wrong, code]) expect(all).not.toContain(secret);
  expect(all).toContain('[cut]');
});

/** Otieno sends an SMS; what he hears. */
const texted = async (text: string) => (await house.texts(otieno, text))[0] ?? '';

const otienoId = () => personOf(house, otieno);

test('who asked never approves, on whatever channel, nor whom it is about; on USSD another does', async () => {
  // About Otieno, asked by Wanjiru: nobody is left but a third.
  await house.writes(wanjiru, 'add officer 0700000002');
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^No other admin can approve this\. Add a/);
  await withThirdAdmin(house);
  const id = await ask('officer', otieno);
  expect(await approve(id, wanjiru)).toBe('own_request');
  expect(await approve(id, otieno)).toBe('about_you');
  const by = await personOf(house, wanjiru);
  await expect(
    sql`update people_requests set state = 'approved', decided_at = now(), decided_by = ${by}
        where id = ${id}`.execute(house.db),
  ).rejects.toThrow(/people_requests_check/);
  await expect(
    sql`update people_requests set state = 'approved', decided_at = now(), decided_by = person_id
        where id = ${id}`.execute(house.db),
  ).rejects.toThrow(/people_requests_check/);

  const menu = await house.keys(wanjiru, 'ATUid_own', '');
  const staff = await pressed(wanjiru, 'ATUid_own', menu, 'Staff and people', []);
  const own = await pressed(wanjiru, 'ATUid_own', staff.shows, 'Approve requests', staff.text);
  expect(own.shows).toBe('END Nothing is waiting for you.');

  const first = await house.keys(halima, 'ATUid_3', '');
  const second = await pressed(halima, 'ATUid_3', first, 'Staff and people', []);
  const third = await pressed(halima, 'ATUid_3', second.shows, 'Approve requests', second.text);
  expect(third.shows).toContain(`RQ${id}: Wanjiru wants to add Otieno, 0700000002.\nRole: officer`);
  const code = await codeOf(house, halima);
  const text = [...third.text, '1'];
  expect(await house.keys(halima, 'ATUid_3', text.join('*'))).toMatch(/^CON Enter the 6-digit/);
  const done = await house.keys(halima, 'ATUid_3', [...text, code].join('*'));
  expect(done).toMatch(/^END Approved: RQ/);
  expect(await rolesOf(otieno)).toEqual(['admin', 'officer']);
  expect(await everything()).not.toContain(code);
});

/** Chooses the option of that name on a USSD screen, turning pages. */
async function pressed(
  phone: string,
  session: string,
  screen: string,
  name: string,
  text: string[],
) {
  let [shows, keyed_so_far] = [screen, text];
  for (let page = 0; page < 4 && !shows.includes(name); page += 1) {
    keyed_so_far = [...keyed_so_far, '98'];
    shows = await house.keys(phone, session, keyed_so_far.join('*'));
  }
  const number = new RegExp(`(\\d+) ${name}`).exec(shows)?.[1];
  expect(number, shows).toBeDefined();
  const next = [...keyed_so_far, number ?? ''];
  return { shows: await house.keys(phone, session, next.join('*')), text: next };
}

test('of two who decide at once one wins, and the other hears that it is decided', async () => {
  await withThirdAdmin(house);
  const first = await ask('cashier', '254712000001');
  expect(await asked(house)).toEqual([`${otieno}: RQ${first}`, `${halima}: RQ${first}`]);
  const both = await Promise.all([approve(first, otieno), approve(first, halima)]);
  expect(both.toSorted()).toEqual(['decided', 'right']);
  expect((await house.writes(halima, `RQ${first} 1`))[0]).toMatch(/is settled already/);

  const second = await ask('officer', '254712000001');
  await asked(house);
  const [refuser, approver] = [await personOf(house, halima), await personOf(house, otieno)];
  const code = await codeOf(house, otieno);
  const results = await Promise.all([
    settle((tx) => approveRequest(tx, belongings, { id: second, by: approver, code, keyed })),
    settle(async (tx) => {
      await refuseRequest(tx, { id: second, by: refuser, reason: 'not yet' });
      return { result: 'refused' };
    }),
  ]);
  const won = results[0] === 'right' ? ['right', 'decided'] : ['decided', 'refused'];
  expect(results).toEqual(won);
  expect((await rolesOf('254712000001')).includes('officer')).toBe(results[0] === 'right');

  // Refused in chat, with a reason that everybody reads.
  const third = await ask('admin', '254712000001');
  await asked(house);
  await house.writes(otieno, `RQ${third} 2`);
  expect((await house.writes(otieno, 'We know her too little')).at(-1)).toMatch(/^Refused: RQ/);
  const { rows } = await sql<{ values: unknown }>`
    select values from outbox where template = 'request_refused' order by id desc limit 1
  `.execute(house.db);
  expect(rows[0]?.values).toMatchObject({ by: 'Otieno', reason: 'We know her too little' });
});

test('a role that is taken is gone from the next message on, in the middle of a conversation too', async () => {
  await withThirdAdmin(house);
  await house.writes(halima, 'invoice CUST-001 1500 shoes');
  const id = await ask('admin', halima, 'revoke');
  expect(await approve(id, otieno)).toBe('right');
  expect((await house.writes(halima, '1'))[0]).toMatch(/^This is not open for your number/);
  expect((await told(house)).slice(-3)).toEqual([
    `${halima}: role_taken`,
    `${wanjiru}: role_revoked`,
    `${otieno}: role_revoked`,
  ]);
  // What she had approved before counts; what waits for her does not.
  expect(await approve(await ask('cashier', '254712000002'), halima)).toBe('not_allowed');
});

test('admins of the configuration are removed only there, and the last admin not at all', async () => {
  // Whoever else was added is none of it.
  await sql`
    delete from roles where role = 'admin' and person_id = ${await personOf(house, halima)}
  `.execute(house.db);
  await transaction((tx) => keepConfiguredAdmins(tx, [wanjiru]));
  await house.writes(wanjiru, 'remove admin 0700000001');
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^Wanjiru is an admin by the config/);
  // What the configuration does not name any more ends with the next start.
  await transaction((tx) => keepConfiguredAdmins(tx, [otieno]));
  expect(await rolesOf(wanjiru)).toEqual([]);
  await sql`update roles set by_configuration = false`.execute(house.db);
  const by = await personOf(house, otieno);
  const last = { by, kind: 'revoke', role: 'admin', msisdn: otieno } as const;
  expect(await settle(async (tx) => ({ ...(await askRole(tx, last)) }))).toBe('last_admin');
  await transaction((tx) => keepConfiguredAdmins(tx, [wanjiru, otieno]));
});

test('five wrong codes lock them for a while, whatever the channel, and the admins are told', async () => {
  const id = await ask('cashier', '254712000004');
  const by = await otienoId();
  await sql`update one_time_codes set wrong = 0`.execute(house.db);
  const wrong = await wrongCode(house, otieno);
  const said = [];
  for (let n = 0; n < 5; n += 1) {
    said.push(await settle((tx) => approveRequest(tx, belongings, { id, by, code: wrong, keyed })));
  }
  expect(said).toEqual(['wrong', 'wrong', 'wrong', 'wrong', 'locked']);
  expect(await approve(id, otieno)).toBe('locked');
  expect(await told(house)).toEqual(
    expect.arrayContaining([`${wanjiru}: codes_locked`, `${otieno}: codes_locked`]),
  );
  await sql`update one_time_codes set locked_until = now()`.execute(house.db);
  expect(await approve(id, otieno)).toBe('right');
});

test('new codes make the old ones worthless, once the first of them is confirmed', async () => {
  const person_id = await otienoId();
  const offer = () =>
    transaction((tx) =>
      offerCodes(tx, keyed, { person_id, label: 'x', shop: 'Duka', fresh: true }),
    );
  const [dropped, offered] = [await offer(), await offer()];
  expect(offered.address).toMatch(/^otpauth:\/\/totp\/Duka:x\?issuer=Duka&secret=[A-Z2-7]{32}&alg/);
  expect(offered.address).not.toBe(dropped.address);
  const old = await codeOf(house, otieno);
  expect(await transaction((tx) => confirmCodes(tx, keyed, offered, old))).toBe(false);
  // Still good, since the new ones are not confirmed; then no more.
  expect(await transaction((tx) => spendCode(tx, keyed, person_id, old))).toEqual({
    result: 'right',
  });
  await sql`update one_time_codes set generation = offered where person_id = ${person_id}`.execute(
    house.db,
  );
  const fresh = await codeOf(house, otieno);
  await sql`update one_time_codes set generation = 1 where person_id = ${person_id}`.execute(
    house.db,
  );
  expect(await transaction((tx) => confirmCodes(tx, keyed, dropped, fresh))).toBe(false);
  expect(await transaction((tx) => confirmCodes(tx, keyed, offered, fresh))).toBe(true);
  expect(await transaction((tx) => spendCode(tx, keyed, person_id, fresh))).toEqual({
    result: 'used',
  });
  expect((await told(house)).at(-1)).toBe(`${otieno}: codes_made`);
});

test('what nobody approves within a day is over, and who asked is told', async () => {
  const id = await ask('officer', '254712000005');
  await asked(house);
  await sql`update people_requests set expires_at = now() where id = ${id}`.execute(house.db);
  expect(await approve(id, otieno)).toBe('decided');
  await expireOldRequests(house.db);
  expect((await told(house)).at(-1)).toBe(`${wanjiru}: request_expired`);
  expect((await house.writes(otieno, `RQ${id} 1`))[0]).toMatch(/is settled already/);
});

test('codes are made for admins alone', async () => {
  const amina = { msisdn: '254712000009', name: 'Amina', roles: ['cashier' as const] };
  const [cashier = 0n] = await transaction((tx) => enrol(tx, [amina]));
  const it = { person_id: cashier, label: 'x', shop: 'Duka', fresh: true };
  expect(await settle((tx) => offerCodes(tx, keyed, it))).toBe('not_admin');
  const { rows } = await sql`
    select from one_time_codes where person_id = ${cashier}
  `.execute(house.db);
  expect(rows).toEqual([]);
});

test('what a removed admin had asked for is over, and another asks for it anew', async () => {
  await withThirdAdmin(house);
  const ask_as = async (msisdn: string) => {
    await house.writes(msisdn, 'add officer 0712000077 Zuhura');
    return (await house.writes(msisdn, '1'))[0];
  };
  expect(await ask_as(halima)).toMatch(/^The other admins are asked/);
  // It waits for Wanjiru, and is not hers.
  expect(await ask_as(wanjiru)).toMatch(
    /^Another request about this waits for an admin\. Write AP/,
  );
  expect(await ask_as(halima)).toMatch(/^The other admins are asked/);
  expect(await approve(await ask('admin', halima, 'revoke'), otieno)).toBe('right');
  expect(await ask_as(wanjiru)).toMatch(/^The other admins are asked/);
  // The configuration takes one out.
  await sql`delete from people_requests where state = 'waiting'`.execute(house.db);
  await transaction((tx) => keepConfiguredAdmins(tx, [wanjiru, otieno]));
  expect(await ask_as(wanjiru)).toMatch(/^The other admins are asked/);
  await transaction((tx) => keepConfiguredAdmins(tx, [otieno, halima]));
  const { rows } = await sql`select from people_requests where state = 'waiting'`.execute(house.db);
  expect(rows).toEqual([]);
});
