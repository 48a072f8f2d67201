import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Db, inTransaction } from '../../src/base/db.ts';
import { openAccounts, openChart } from '../../src/ledger/accounts.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { postLedger } from '../../src/ledger/post.ts';
import { ledgerChecks, verify } from '../../src/ledger/verify.ts';
import { freshDatabase, waitingForLocks } from '../helpers/database.ts';
import { eventually } from '../helpers/process.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;

const sale = (key: string, amount_cents = 5_000n) => ({
  key,
  kind: 'test_sale',
  effective_at: new Date('2026-03-01T10:00:00Z'),
  postings: [{ debit: '1000', credit: '4000', amount_cents }],
});

beforeAll(async () => {
  database = await freshDatabase();
  db = database.db;
  await inTransaction(db, async (tx) => {
    await openChart(tx, []);
    await openAccounts(tx, [
      { code: '2010:CUST-007', owner: { kind: 'customer', id: 7n }, floor_cents: 0n },
    ]);
    await postLedger(tx, [sale('test:first')]);
  });
  // An ordinary user with every right that can be granted short of owning the tables.
  await sql`do $$ begin create role karani_test_user; exception when duplicate_object then null; end $$`.execute(
    db,
  );
  await sql`grant all on all tables in schema public to karani_test_user`.execute(db);
  await sql`grant usage on schema public to karani_test_user`.execute(db);
});

afterAll(() => database.close());

const waiting = () => waitingForLocks(db);

async function as(user: 'owner' | 'user', statement: string): Promise<string> {
  try {
    await inTransaction(db, async (tx) => {
      if (user === 'user') await sql`set local role karani_test_user`.execute(tx);
      await sql.raw(statement).execute(tx);
    });
    return 'done';
  } catch (error) {
    return (error as Error).message;
  }
}

const posting = (values: string) =>
  `with t as (
     insert into ledger_transactions (key, kind, effective_at, content_hash)
     values ('test:' || gen_random_uuid(), 'test_kind', now(), sha256('x')) returning id)
   insert into postings (ledger_transaction_id, line, debit_account_id, credit_account_id, amount_cents)
   select id, 1, ${values} from t`;
const account = (code: string) => `(select id from accounts where code = '${code}')`;

const refused: [string, string, RegExp][] = [
  ['UPDATE of a posting', 'update postings set amount_cents = 1', /only grows: UPDATE of postings/],
  ['DELETE of a posting', 'delete from postings', /only grows: DELETE of postings/],
  ['TRUNCATE of postings', 'truncate postings', /only grows: TRUNCATE of postings/],
  [
    'UPDATE of a ledger transaction',
    "update ledger_transactions set kind = 'other'",
    /UPDATE of ledger_tr/,
  ],
  ['DELETE of a ledger transaction', 'delete from ledger_transactions', /DELETE of ledger_tr/],
  [
    'TRUNCATE of ledger transactions',
    'truncate ledger_transactions cascade',
    /TRUNCATE of ledger_tr/,
  ],
  ['UPDATE of an account', "update accounts set currency = 'USD'", /can only be closed/],
  ['DELETE of an account', 'delete from accounts', /DELETE of accounts/],
  ['TRUNCATE of accounts', 'truncate accounts cascade', /TRUNCATE of accounts/],
  [
    'an account closed and changed at once',
    "update accounts set closed_at = now(), currency = 'USD' where code = '1000'",
    /can only be closed/,
  ],
  [
    'an account closed twice',
    `update accounts set closed_at = now() where code = '1000';
     update accounts set closed_at = now() + interval '1 day' where code = '1000'`,
    /can only be closed/,
  ],
  ['a balance set by hand', 'update account_balances set balance_cents = 1', /move by postings/],
  ['a balance deleted', 'delete from account_balances', /move by postings/],
  ['the balances truncated', 'truncate account_balances', /move by postings/],
  [
    'a balance begun with something',
    `insert into account_balances (account_id, balance_cents) values (${account('1000')}, 5)`,
    /starts at nothing/,
  ],
  [
    'an amount of nothing',
    posting(`${account('1000')}, ${account('4000')}, 0`),
    /amount_above_zero/,
  ],
  [
    'an amount below nothing',
    posting(`${account('1000')}, ${account('4000')}, -5`),
    /amount_above_zero/,
  ],
  [
    'the same account twice',
    posting(`${account('1000')}, ${account('1000')}, 5`),
    /accounts_differ/,
  ],
  [
    'a posting added to an earlier ledger transaction',
    `insert into postings (ledger_transaction_id, line, debit_account_id, credit_account_id, amount_cents)
     select id, 9, ${account('1000')}, ${account('4000')}, 5 from ledger_transactions where key = 'test:first'`,
    /test:first is older/,
  ],
  [
    'a balance taken below its floor',
    posting(`${account('2010:CUST-007')}, ${account('1000')}, 5`),
    /balance_not_below_floor/,
  ],
];

test.each(refused.flatMap((it) => [['owner', ...it] as const, ['user', ...it] as const]))(
  'the %s of the tables is refused: %s',
  async (user, _name, statement, why) => {
    expect(await as(user, statement)).toMatch(why);
  },
);

test.each(['owner', 'user'] as const)('the %s cannot post to a closed account', async (user) => {
  await inTransaction(db, (tx) => openAccounts(tx, [{ code: '5010' }]));
  await as(
    'owner',
    "update accounts set closed_at = now() where code = '5010' and closed_at is null",
  );
  expect(await as(user, posting(`${account('5010')}, ${account('1000')}, 5`))).toMatch(
    /5010 is closed/,
  );
  expect(await as(user, "update accounts set closed_at = null where code = '5010'")).toMatch(
    /can only be closed/,
  );
});

test.each(['owner', 'user'] as const)('the %s cannot post between currencies', async (user) => {
  await sql`insert into accounts (code, currency) values ('1001', 'USD') on conflict do nothing`.execute(
    db,
  );
  expect(await as(user, posting(`${account('1001')}, ${account('4000')}, 5`))).toMatch(
    /different currencies/,
  );
});

test('the guards hold in a replica too', async () => {
  const replica = 'set local session_replication_role = replica';
  expect(await as('owner', `${replica}; update postings set amount_cents = 1`)).toMatch(
    /only grows/,
  );
  expect(await as('owner', `${replica}; update account_balances set balance_cents = 1`)).toMatch(
    /move by postings/,
  );
});

test('an account is opened once and stays as it was', async () => {
  const code = '5020';
  await inTransaction(db, (tx) => openAccounts(tx, [{ code }]));
  await inTransaction(db, (tx) =>
    openAccounts(tx, [{ code, owner: { kind: 'customer', id: 9n }, floor_cents: 0n }]),
  );
  const rows = await db.selectFrom('accounts').selectAll().where('code', '=', code).execute();
  expect(rows).toMatchObject([{ code, owner_kind: null, owner_id: null }]);
});

test('the same ledger transaction again changes nothing, and other contents are an error', async () => {
  await inTransaction(db, (tx) => postLedger(tx, [sale('test:again')]));
  const before = await balancesOf(db, ['1000']);
  await inTransaction(db, (tx) => postLedger(tx, [sale('test:again')]));
  expect(await balancesOf(db, ['1000'])).toEqual(before);
  await expect(inTransaction(db, (tx) => postLedger(tx, [sale('test:again', 1n)]))).rejects.toThrow(
    'test:again with other contents',
  );
});

test('a ledger transaction is reversed once at most', async () => {
  const reverse = `insert into ledger_transactions (key, kind, effective_at, content_hash, reverses_id)
    select 'test:' || gen_random_uuid(), 'test_reversal', now(), sha256('x'), id
    from ledger_transactions where key = 'test:first'`;
  const twice = await as('owner', `${reverse}; ${reverse}`);
  expect(twice).toMatch(/reverses_id/);
});

test('posting to an account that was never opened says which', async () => {
  const wrong = {
    ...sale('test:wrong'),
    postings: [{ debit: '1999', credit: '4000', amount_cents: 1n }],
  };
  await expect(inTransaction(db, (tx) => postLedger(tx, [wrong]))).rejects.toThrow('1999');
});

test('transfers in opposite directions at once do not hold each other up', async () => {
  await inTransaction(db, (tx) =>
    openAccounts(tx, [
      { code: '2020:P1', owner: { kind: 'customer', id: 1n } },
      { code: '2020:P2', owner: { kind: 'customer', id: 2n } },
    ]),
  );
  const transfers = Array.from({ length: 40 }, (_, n) => ({
    key: `test:transfer:${n}`,
    kind: 'test_transfer',
    effective_at: new Date('2026-03-01T10:00:00Z'),
    postings: [
      n % 2 === 0
        ? { debit: '2020:P1', credit: '2020:P2', amount_cents: 100n }
        : { debit: '2020:P2', credit: '2020:P1', amount_cents: 100n },
    ],
  }));
  await Promise.all(transfers.map((it) => db.transaction().execute((tx) => postLedger(tx, [it]))));
  expect(await balancesOf(db, ['2020:P1', '2020:P2'])).toEqual(
    new Map([
      ['2020:P1', 0n],
      ['2020:P2', 0n],
    ]),
  );
});

test('who waits for one balance holds no later one meanwhile', async () => {
  const [first = '', ...later] = Array.from({ length: 4 }, (_, n) => `2020:Q${n}`);
  const codes = [first, ...later];
  await inTransaction(db, (tx) =>
    openAccounts(
      tx,
      codes.map((code, n) => ({ code, owner: { kind: 'customer', id: BigInt(n) } })),
    ),
  );
  const shares = codes.map((credit) => ({ debit: '1000', credit, amount_cents: 100n }));
  let sharing: Promise<void> | undefined;
  await inTransaction(db, async (tx) => {
    const lock = (some: string[]) =>
      sql`select 1 from account_balances join accounts on accounts.id = account_id
          where code = any(${some}) for no key update of account_balances nowait`.execute(tx);
    await lock([first]);
    sharing = inTransaction(db, (other) =>
      postLedger(other, [{ ...sale('test:shares'), postings: shares.toReversed() }]),
    );
    await eventually(waiting, (n) => n === 1, 5_000);
    await lock(later);
  });
  await sharing;
});

test('verify finds nothing in books that are right, and names what was changed behind its back', async () => {
  const other = await freshDatabase();
  try {
    await inTransaction(other.db, async (tx) => {
      await openChart(tx, []);
      await openAccounts(tx, [{ code: '2010:CUST-001', owner: { kind: 'customer', id: 1n } }]);
      await postLedger(tx, [
        sale('test:one'),
        {
          ...sale('test:two'),
          postings: [{ debit: '1000', credit: '2010:CUST-001', amount_cents: 700n }],
        },
      ]);
    });
    const found = async () => (await verify(other.db, ledgerChecks)).map((it) => it.found);
    expect(await found()).toEqual([]);

    await sql`alter table postings disable trigger postings_only_grow`.execute(other.db);
    expect(await found()).toEqual(['postings.postings_only_grow is not always on']);

    await sql`update postings set amount_cents = 999 where amount_cents = 700`.execute(other.db);
    await sql`alter table postings enable always trigger postings_only_grow`.execute(other.db);
    expect(await found()).toEqual([
      'test:two does not fit its hash',
      '2010:CUST-001 keeps 700 and its postings make 999',
    ]);

    await sql`drop trigger postings_are_guarded on postings`.execute(other.db);
    expect(await found()).toContain('postings.postings_are_guarded is missing');
  } finally {
    await other.close();
  }
});
