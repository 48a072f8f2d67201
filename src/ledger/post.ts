import { sql } from 'kysely';
import { type Tx, sqlState } from '../base/db.ts';
import { assert } from '../base/errors.ts';

export interface Posting {
  /** Account codes. Money moves from the account credited to the account debited. */
  debit: string;
  credit: string;
  amount_cents: bigint;
}

export interface LedgerTransaction {
  /**
   * What this records and for what, "payment:NLJ7RT61SV:received". Posting it again does nothing.
   */
  key: string;
  kind: string;
  effective_at: Date;
  postings: Posting[];
}

const not_null_violation = '23502';

/**
 * Posts ledger transactions, each once: one whose key is already there is left alone when it says
 * the same, and is an error when it does not. All of them in one statement, since every payment
 * comes by here. Throws when an account is not open, and whatever the database's guards refuse.
 */
export async function postLedger(tx: Tx, transactions: LedgerTransaction[]): Promise<void> {
  if (transactions.length === 0) return;
  for (const { key, postings } of transactions) assert(postings.length > 0, `${key} has postings`);
  try {
    await insertAll(tx, transactions);
  } catch (error) {
    if (sqlState(error) !== not_null_violation) throw error;
    const codes = transactions.flatMap((t) => t.postings.flatMap((p) => [p.debit, p.credit]));
    throw new Error(`One of these accounts was never opened: ${[...new Set(codes)].join(', ')}`, {
      cause: error,
    });
  }
}

async function insertAll(tx: Tx, transactions: LedgerTransaction[]): Promise<void> {
  const lines = transactions.flatMap((t, index) =>
    t.postings.map((posting, line) => ({ ...posting, n: index, line: line + 1 })),
  );
  const { rows } = await sql<{ key: string; same: boolean | null }>`
    with input as (
      select * from unnest(
        ${transactions.map((_, index) => index)}::int[],
        ${transactions.map((t) => t.key)}::text[],
        ${transactions.map((t) => t.kind)}::text[],
        ${transactions.map((t) => t.effective_at)}::timestamptz[]
      ) as t(n, key, kind, effective_at)
    ), lines as (
      -- Looked up one by one: joined, the planner reads all accounts there are.
      select l.n, l.line, l.amount_cents,
             (select id from accounts where code = l.debit) as debit_id,
             (select id from accounts where code = l.credit) as credit_id
      from unnest(
        ${lines.map((l) => l.n)}::int[],
        ${lines.map((l) => l.line)}::int[],
        ${lines.map((l) => l.debit)}::text[],
        ${lines.map((l) => l.credit)}::text[],
        ${lines.map((l) => l.amount_cents)}::bigint[]
      ) as l(n, line, debit, credit, amount_cents)
    ), hashed as (
      select i.key, i.kind, i.effective_at, i.n,
             ledger_content_hash(i.kind, i.effective_at, null,
               string_agg(l.debit_id || '<' || l.credit_id || '=' || l.amount_cents, ';' order by l.line)
             ) as content_hash
      from input i join lines l using (n)
      group by i.key, i.kind, i.effective_at, i.n
    ), made as (
      insert into ledger_transactions (key, kind, effective_at, content_hash)
      select key, kind, effective_at, content_hash from hashed order by n
      on conflict (key) do nothing
      returning id, key
    ), posted as (
      insert into postings (ledger_transaction_id, line, debit_account_id, credit_account_id, amount_cents)
      select made.id, l.line, l.debit_id, l.credit_id, l.amount_cents
      from made join hashed using (key) join lines l using (n)
    )
    select key, content_hash = (
      select content_hash from ledger_transactions old where old.key = hashed.key
    ) as same
    from hashed where key not in (select key from made)
  `.execute(tx);
  const other = rows.find((row) => row.same !== true);
  if (other) {
    throw new Error(`The ledger already has ${other.key} with other contents`);
  }
}
