import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { ledgerChecks, verify } from '../../src/ledger/verify.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const guarded = ['ledger_transactions', 'postings', 'accounts', 'account_balances'];
test('verify names every trigger of the ledger that is disabled', async () => {
  const { rows } = await sql<{ tbl: string; name: string }>`
    select tgrelid::regclass::text as tbl, tgname as name from pg_trigger
    where not tgisinternal and tgrelid = any(${guarded}::regclass[])`.execute(house.db);
  expect(rows).toHaveLength(7);
  for (const { tbl, name } of rows) {
    await sql.raw(`alter table ${tbl} disable trigger ${name}`).execute(house.db);
    expect((await verify(house.db, ledgerChecks)).map((it) => it.found)).toEqual([
      `${tbl}.${name} is not always on`,
    ]);
    await sql.raw(`alter table ${tbl} enable always trigger ${name}`).execute(house.db);
  }
});

test.each([
  [
    'postings are well formed and belong to a ledger transaction',
    `alter table postings disable trigger postings_only_grow; alter table postings drop constraint amount_above_zero;
    update postings set amount_cents = -amount_cents`,
  ],
  [
    'every account of an owner keeps its balance',
    `alter table account_balances disable trigger balances_move_by_postings; delete from account_balances`,
  ],
  [
    'the functions of the guards are those of the migrations',
    'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return null@ end $$',
  ],
  [
    'the constraints that guard money are in place',
    'alter table account_balances drop constraint balance_not_below_floor',
  ],
  [
    'every confirmation that was answered has become a payment, or waits its turn',
    'delete from hearings',
  ],
  [
    'every payment is on the books once, with its amount',
    'update payments set amount_cents = amount_cents + 1',
  ],
  ['every payment on the books was heard of', "update payments set receipt = 'ANOTHER001'"],
  [
    'every allocation is on the books, with its amount',
    'update allocations set amount_cents = amount_cents - 1',
  ],
  [
    'allocations add up to what payments say is allocated',
    'update payments set allocated_cents = allocated_cents - 1',
  ],
  [
    'what is unmatched is what 2040 holds',
    'update payments set allocated_cents = allocated_cents - 1',
  ],
  [
    'an invoice has left what its allocations leave of it',
    'update invoices set outstanding_cents = outstanding_cents - 1',
  ],
  [
    'an invoice is on the books with its amount, and reversed when it is void',
    "update invoices set outstanding_cents = 0, voided_at = now(), void_reason = 'x' where id = 2",
  ],
  [
    "a customer's credit is what was paid ahead, less what it has paid since",
    "update allocations set due_kind = 'credit', due_id = 1",
  ],
  [
    'what credit has paid is on the books, with its amount, and reversed when it was taken back',
    `insert into credit_allocations (customer_id, due_kind, due_id, due_reference, amount_cents)
    values (1, 'invoice', 1, 'INV-1', 100)`,
  ],
  [
    "a customer's receivable is what their invoices have left",
    'update invoices set outstanding_cents = outstanding_cents - 1',
  ],
  [
    "a customer's balance is their invoices less their payments",
    'update invoices set total_cents = total_cents + 1',
  ],
])('verify finds what breaks: %s', async (check, change) => {
  await house.hook('c2b/confirmation', confirmation());
  await house.drain();
  expect(await house.findings()).toEqual([]);
  for (const one of change.split(';')) await sql.raw(one.replace('@', ';')).execute(house.db);
  expect((await house.findings()).map((it) => it.check)).toContain(check);
});

test.each([
  ['kind', "kind = 'another_kind'"],
  ['day', "effective_at = effective_at + interval '1 day'"],
  ['reversed one', 'reverses_id = id'],
])('verify finds a ledger transaction whose %s was changed', async (_, change) => {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'CHANGED001' }));
  await house.drain();
  await sql
    .raw(`alter table ledger_transactions disable trigger ledger_transactions_only_grow;
    update ledger_transactions set ${change} where key = 'payment:CHANGED001:received';
    alter table ledger_transactions enable always trigger ledger_transactions_only_grow`)
    .execute(house.db);
  expect((await verify(house.db, ledgerChecks)).map((it) => it.found)).toEqual([
    'payment:CHANGED001:received does not fit its hash',
  ]);
});

const constrained = [
  'account_balances.balance_not_below_floor',
  'accounts.accounts_code_key',
  'ledger_transactions.ledger_transactions_key_key',
  'ledger_transactions.ledger_transactions_reverses_id_key',
  'postings.amount_above_zero',
  'postings.accounts_differ',
  'payments.payments_receipt_key',
  'payments.never_over_allocated',
  'invoices.never_over_applied',
  'invoices.void_is_closed',
  'invoices.invoices_issued_key_key',
  'outbox.outbox_key_key',
  'inbox.inbox_source_body_hash_key',
  'hearings.hearings_pkey',
];
test('verify names every constraint that guards money and is gone', async () => {
  for (const [index, name] of constrained.entries()) {
    const [table = '', constraint = ''] = name.split('.');
    await sql.raw(`alter table ${table} drop constraint ${constraint}`).execute(house.db);
    expect((await verify(house.db, ledgerChecks)).map((it) => it.found).sort()).toEqual(
      constrained
        .slice(0, index + 1)
        .map((gone) => `${gone} is missing`)
        .sort(),
    );
  }
});
