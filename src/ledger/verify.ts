import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';
import type { Db } from '../base/db.ts';
import { functionBodies } from '../base/migrate.ts';

export interface Finding {
  check: string;
  /** What is wrong, and where: ids and keys, never a name. */
  found: string;
}

const guards = [
  ['ledger_transactions', 'ledger_transactions_only_grow'],
  ['postings', 'postings_only_grow'],
  ['postings', 'postings_are_guarded'],
  ['accounts', 'accounts_are_kept'],
  ['accounts', 'accounts_only_close'],
  ['account_balances', 'balances_start_at_nothing'],
  ['account_balances', 'balances_move_by_postings'],
] as const;

const constraints = [
  ['account_balances', 'balance_not_below_floor'],
  ['accounts', 'accounts_code_key'],
  ['ledger_transactions', 'ledger_transactions_key_key'],
  ['ledger_transactions', 'ledger_transactions_reverses_id_key'],
  ['postings', 'amount_above_zero'],
  ['postings', 'accounts_differ'],
  ['payments', 'payments_receipt_key'],
  ['payments', 'never_over_allocated'],
  ['invoices', 'never_over_applied'],
  ['invoices', 'void_is_closed'],
  ['invoices', 'invoices_issued_key_key'],
  ['outbox', 'outbox_key_key'],
  ['inbox', 'inbox_source_body_hash_key'],
  ['hearings', 'hearings_pkey'],
  ['statement_lines', 'statement_lines_once'],
] as const;

/** What the ledger can prove about itself. The trades add what ties their own tables to it. */
export const ledgerChecks: readonly Check[] = [
  finding(
    'the guards are in place and on',
    sql`
      select g.tbl || '.' || g.trg
        || case when t.oid is null then ' is missing' else ' is not always on' end as found
      from unnest(${guards.map((g) => g[0])}::text[], ${guards.map((g) => g[1])}::text[]) as g(tbl, trg)
      left join pg_trigger t on t.tgname = g.trg and t.tgrelid = to_regclass(g.tbl)
      where t.oid is null or t.tgenabled <> 'A'`,
  ),
  finding(
    'the constraints that guard money are in place',
    sql`
      select g.tbl || '.' || g.name || ' is missing' as found
      from unnest(
        ${constraints.map((c) => c[0])}::text[],
        ${constraints.map((c) => c[1])}::text[]) as g(tbl, name)
      left join pg_constraint c
        on c.conname = g.name and c.conrelid = to_regclass(g.tbl) and c.convalidated
      where c.oid is null`,
  ),
  {
    name: 'the functions of the guards are those of the migrations',
    run: async (db) => {
      const expected = await functionBodies();
      const { rows } = await sql<{ name: string; body: string }>`
        select proname as name, prosrc as body from pg_proc
        where pronamespace = 'public'::regnamespace and proname = any(${[...expected.keys()]}::text[])
      `.execute(db);
      const found = new Map(rows.map((row) => [row.name, row.body]));
      return [...expected].filter(([name, body]) => found.get(name) !== body).map(([name]) => name);
    },
  },
  finding(
    'every ledger transaction says what it said when it was written',
    sql`
      select t.key || ' does not fit its hash' as found
      from ledger_transactions t
      left join (
        select ledger_transaction_id as id,
               string_agg(debit_account_id || '<' || credit_account_id || '=' || amount_cents, ';'
                          order by line) as lines
        from postings group by ledger_transaction_id
      ) l using (id)
      where ledger_content_hash(t.kind, t.effective_at, t.reverses_id, l.lines)
            is distinct from t.content_hash
      limit 20`,
  ),
  finding(
    'postings are well formed and belong to a ledger transaction',
    sql`
      select 'posting ' || p.ledger_transaction_id || '/' || p.line as found
      from postings p
      left join ledger_transactions t on t.id = p.ledger_transaction_id
      left join accounts d on d.id = p.debit_account_id
      left join accounts c on c.id = p.credit_account_id
      where t.id is null or d.id is null or c.id is null or d.id = c.id
         or d.currency <> c.currency or p.amount_cents <= 0
      limit 20`,
  ),
  finding(
    'kept balances equal the sum of their postings',
    sql`
      select a.code || ' keeps ' || b.balance_cents || ' and its postings make ' || s.sum_cents as found
      from account_balances b
      join accounts a on a.id = b.account_id
      cross join lateral (
        select coalesce(case when a.type in ('asset', 'expense') then sum(m.cents) else -sum(m.cents) end, 0)
               as sum_cents
        from (
          select amount_cents as cents from postings where debit_account_id = a.id
          union all
          select -amount_cents from postings where credit_account_id = a.id
        ) m
      ) s
      where s.sum_cents <> b.balance_cents
      limit 20`,
  ),
  finding(
    'every account of an owner keeps its balance',
    sql`
      select a.code || ' has no balance of its own' as found
      from accounts a left join account_balances b on b.account_id = a.id
      where a.owner_id is not null and b.account_id is null
      limit 20`,
  ),
];

/** Runs the checks in one snapshot of the database. No findings: the books are right. */
export async function verify(db: Db, checks: readonly Check[]): Promise<Finding[]> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const findings: Finding[] = [];
      for (const check of checks) {
        const found = await check.run(tx);
        findings.push(...found.map((text) => ({ check: check.name, found: text })));
      }
      return findings;
    });
}
