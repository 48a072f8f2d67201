import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { notify } from '../../src/outbox/notify.ts';
import { becomeOne } from '../../src/people/become-one.ts';
import { enrol } from '../../src/people/enrol.ts';
import { personById, setReminders } from '../../src/people/find.ts';
import { endOldRequests } from '../../src/people/requests.ts';
import { peopleCommands } from '../../src/people-commands.ts';
import { belongings } from '../../src/registry.ts';
import { asked, codeOf, otieno, personOf, told, wanjiru } from '../helpers/admins.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

const kamau = '254700000004';
const second = '254733000000';
const third = '254734000000';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

/** Asks for it as Wanjiru and approves it as Otieno; what each of them read last. */
async function merge(keep: string, other: string): Promise<string[]> {
  const [shown = ''] = await house.writes(wanjiru, `merge ${keep} ${other}`);
  await house.writes(wanjiru, '1');
  const [question = ''] = await asked(house);
  const ref = question.split(': ')[1] ?? '';
  await house.writes(otieno, `${ref} 1`);
  const said = await house.writes(otieno, `${ref} ${await codeOf(house, otieno)}`);
  return [shown, said.at(-1) ?? ''];
}

test('two who are one have all that either had, and the books do not move', async () => {
  const trade = trading(house);
  const two = await trade.register('Kamau Njoroge', second);
  const three = await trade.register('K. Njoroge', third);
  await trade.issue(two.id, 700);
  await trade.pay('CUST-002', 200);
  await trade.pay('CUST-003', 300);
  await trade.pay('CUST-001', 500);
  // In the middle of something, with a prompt under way, and with words said.
  await house.writes(second, 'pay');
  await house.writes(second, '1');
  await house.writes(third, 'language');
  const [old_second, old_third] = [await personOf(house, second), await personOf(house, third)];
  await inTransaction(house.db, (tx) => setReminders(tx, old_third, 'off'));
  const ledger = () => house.db.selectFrom('postings').selectAll().execute();
  const before = await ledger();

  const [shown, approved] = await merge('0700000004', '0733000000');
  expect(shown).toBe(
    'A. Kamau, 0700000004: CUST-001, to pay KES 6,000, paid ahead KES 0\n' +
      'B. Kamau Njoroge, 0733000000: CUST-002, to pay KES 500, paid ahead KES 0\n' +
      "All of B becomes A's, numbers too. The accounts of customers stay apart.\n" +
      'Are they one? Another admin has to approve it.\n1 Yes\n2 No',
  );
  expect(approved).toMatch(/^Approved: RQ\d/);
  await merge('CUST-001', '0734000000');

  const keep = await personOf(house, kamau);
  expect([await personOf(house, second), await personOf(house, third)]).toEqual([keep, keep]);
  for (const id of [old_second, old_third]) {
    expect((await personById(house.db, id)).id).toBe(keep);
  }
  const { rows } = await sql<{ left: string }>`
    select 'customer' as left from customers where person_id in (${old_second}, ${old_third})
    union all select 'prompt' from prompts where person_id in (${old_second}, ${old_third})
    union all select 'role' from roles where person_id in (${old_second}, ${old_third})
    union all select 'session' from sessions where person_id in (${old_second}, ${old_third})
  `.execute(house.db);
  expect(rows).toEqual([]);
  const { rows: prompts } = await sql<{ person_id: bigint }>`
    select person_id from prompts where due_reference in (
      select number from invoices where customer_id = ${two.id})`.execute(house.db);
  expect(prompts).toEqual([{ person_id: keep }]);
  expect((await told(house)).filter((it) => it.includes('persons_merged'))).toHaveLength(2);
  expect(await ledger()).toEqual(before);
  expect(await house.findings()).toEqual([]);
  // Who has said STOP from one of them has said it.
  expect((await personById(house.db, keep)).stopped).toBe(true);
  expect((await house.writes(second, 'balance')).at(-1)).toMatch(
    /^To pay: KES 6,500\. Paid ahead: KES 300/,
  );

  // Each customer's credit stays its own, and pays its own next invoice.
  await trade.issue(three.id, 100);
  expect(await trade.invoicesOf(three.id)).toEqual(['PAID 0.00']);
  // Without a reference nobody can say which of the accounts is meant.
  for (const MSISDN of [kamau, second]) {
    await house.hook('c2b/confirmation', confirmation({ MSISDN, BillRefNumber: 'x' }));
  }
  await house.drain();
  expect((await paymentsOf(house.db)).slice(-2)).toEqual(['500.00 unmatched', '500.00 unmatched']);
  expect(await house.findings()).toEqual([]);
});

test('what is told to an old id reaches who goes on, and nobody is merged twice', async () => {
  const old = await personOf(house, '254700000005');
  const keep = await personOf(house, kamau);
  await inTransaction(house.db, (tx) => becomeOne(tx, belongings, { keep, other: old }));
  await inTransaction(house.db, (tx) =>
    notify(tx, [{ key: 'to an old id', person_id: old, words: 'Hello' }]),
  );
  const { person_id } = await house.db
    .selectFrom('outbox')
    .select('person_id')
    .where('key', '=', 'to an old id')
    .executeTakeFirstOrThrow();
  expect(person_id).toBe(keep);
  const again = { keep: await personOf(house, otieno), other: old };
  await expect(inTransaction(house.db, (tx) => becomeOne(tx, belongings, again))).rejects.toThrow(
    'over',
  );
  expect((await house.writes(wanjiru, 'merge 0700000005 CUST-001')).at(-1)).toMatch(
    /^They are one person already/,
  );
  // Then somebody else is kept, and the oldest ids lead there too.
  const nekesa = await personOf(house, '254700000006');
  await inTransaction(house.db, (tx) => becomeOne(tx, belongings, { keep: nekesa, other: keep }));
  expect((await personById(house.db, old)).id).toBe(nekesa);
  expect(await house.findings()).toEqual([]);
});

test('nobody comes to a role by a merge: whoever works here is not merged, in chat or by command', async () => {
  const [friend, cashier] = ['254735000001', '254735000002'];
  await inTransaction(house.db, (tx) =>
    enrol(tx, [
      { msisdn: friend, name: 'Otieno', roles: [] },
      { msisdn: cashier, name: 'Zuhura', roles: [] },
    ]),
  );
  const rolesOf = async (msisdn: string) =>
    sql<{ role: string }>`
      select role from roles where person_id = ${await personOf(house, msisdn)}
    `.execute(house.db);
  const refused = /^One of them works here\. Take the role away first: write REMOVE/;
  for (const two of ['0735000001 0700000002', '0700000002 0735000001']) {
    await house.writes(wanjiru, `merge ${two}`);
    expect((await house.writes(wanjiru, '1')).at(-1)).toMatch(refused);
    expect(await command('people merge', two.split(' '), wanjiru)).toMatch(/^One of them works/);
  }
  // The role comes after it was asked for.
  await house.writes(wanjiru, 'merge 0735000001 0735000002');
  await house.writes(wanjiru, '1');
  const [question = ''] = await asked(house);
  await inTransaction(house.db, (tx) => enrol(tx, [{ msisdn: cashier, roles: ['cashier'] }]));
  const ref = question.split(': ')[1] ?? '';
  await house.writes(otieno, `${ref} 1`);
  const code = await codeOf(house, otieno);
  expect((await house.writes(otieno, `${ref} ${code}`)).at(-1)).toMatch(refused);
  expect((await rolesOf(friend)).rows).toEqual([]);
  expect((await rolesOf(cashier)).rows).toEqual([{ role: 'cashier' }]);
  await sql`update people_requests set expires_at = now() where state = 'waiting'`.execute(
    house.db,
  );
  await endOldRequests(house.db);
});

/** What a command of the terminal says. */
async function command(name: string, positionals: string[], by: string): Promise<string> {
  const said: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((it) => said.push(String(it)) > 0),
  );
  const commands = peopleCommands((work) => work(house.db, house.settings));
  await commands.find((it) => it.name === name)?.run({ by }, positionals);
  for (const spy of spies) spy.mockRestore();
  return said.join('');
}

test('who asks from a terminal is told at once that it was asked in their name', async () => {
  expect(await command('people add', ['cashier', '0735000003'], wanjiru)).toMatch(
    /^RQ\d+: waits for another admin; asked in chat: 1\.\n$/,
  );
  expect((await told(house)).at(-1)).toBe(`${wanjiru}: asked_from_terminal`);
  await sql`update people_requests set expires_at = now() where state = 'waiting'`.execute(
    house.db,
  );
  await endOldRequests(house.db);
});

test('roles and questions go with a person: what they asked for is asked by nobody any more', async () => {
  await house.writes(otieno, 'add cashier 0712000009 Zuhura');
  await house.writes(otieno, '1');
  expect(await asked(house)).toEqual([expect.stringMatching(`${wanjiru}: RQ`)]);
  const [admin, other] = [await personOf(house, otieno), await personOf(house, '254700000007')];
  await inTransaction(house.db, (tx) => becomeOne(tx, belongings, { keep: other, other: admin }));
  expect(await asked(house)).toEqual([]);
  expect((await house.writes(otieno, 'menu')).at(-1)).toContain('Staff and people');
  const { rows } = await sql<{ state: string; codes: boolean }>`
    select state, exists (select from one_time_codes where person_id in (${admin}, ${other})) as codes
    from people_requests order by id desc limit 1
  `.execute(house.db);
  expect(rows).toEqual([{ state: 'expired', codes: false }]);
});
