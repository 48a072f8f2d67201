import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert } from '../base/errors.ts';

export interface Reversal {
  /** The key of the ledger transaction that is reversed: `KEY:reversed` undoes `KEY`. */
  of: string;
  effective_at: Date;
}

/**
 * Reverses ledger transactions: each gets its mirror, once. Throws when one of them is not there,
 * was reversed before, and whatever the database's guards refuse.
 */
export async function reverseLedger(tx: Tx, reversals: Reversal[]): Promise<void> {
  if (reversals.length === 0) return;
  const { rows } = await sql`
    with input as (
      select * from unnest(
        ${reversals.map((_, index) => index)}::int[],
        ${reversals.map((r) => r.of)}::text[],
        ${reversals.map((r) => r.effective_at)}::timestamptz[]
      ) as r(n, of, effective_at)
    ), lines as (
      select i.n, t.id as reverses_id, t.key || ':reversed' as key, t.kind || '_reversed' as kind,
             i.effective_at, p.line, p.credit_account_id as debit_id, p.debit_account_id as credit_id,
             p.amount_cents
      from input i
      join ledger_transactions t on t.key = i.of
      join postings p on p.ledger_transaction_id = t.id
    ), hashed as (
      select n, key, kind, effective_at, reverses_id,
             ledger_content_hash(kind, effective_at, reverses_id,
               string_agg(debit_id || '<' || credit_id || '=' || amount_cents, ';' order by line)
             ) as content_hash
      from lines group by n, key, kind, effective_at, reverses_id
    ), made as (
      insert into ledger_transactions (key, kind, effective_at, reverses_id, content_hash)
      select key, kind, effective_at, reverses_id, content_hash from hashed order by n
      returning id, key
    ), posted as (
      insert into postings (ledger_transaction_id, line, debit_account_id, credit_account_id, amount_cents)
      select made.id, l.line, l.debit_id, l.credit_id, l.amount_cents
      from made join lines l using (key)
    )
    select from made
  `.execute(tx);
  assert(rows.length === reversals.length, 'what is reversed is on the books');
}
