import { sql } from 'kysely';
import type { Db } from '../base/db.ts';

/** A time, from its first moment until the first that is too late. */
export interface Period {
  from: Date;
  until: Date;
}

export interface DayFigures {
  /** A day in Nairobi, "2026-02-03". */
  day: string;
  /** What was earned: on the books as income, less what was taken back. */
  revenue_cents: bigint;
  /** What reached us by M-Pesa and was not taken back, and in how many payments. */
  received_cents: bigint;
  received: number;
  /** Prompts that were asked for that day and came to nothing. */
  failed: number;
  /** Prompts that were asked for that day and are still open. */
  pending: number;
}

/** What was earned, received and asked for in vain, by day; days without any are not there. */
export async function figuresByDay(db: Db, { from, until }: Period): Promise<DayFigures[]> {
  const day_of = (column: string) =>
    sql`to_char(${sql.ref(column)} at time zone 'Africa/Nairobi', 'YYYY-MM-DD')`;
  const { rows } = await sql<DayFigures>`
    with income as (
      select id from accounts where type = 'income'
    ), found as (
      select ${day_of('t.effective_at')} as day,
             case when p.credit_account_id in (select id from income) then p.amount_cents else 0 end
             - case when p.debit_account_id in (select id from income) then p.amount_cents else 0 end
               as revenue_cents,
             0 as received_cents, 0 as received, 0 as failed, 0 as pending
      from ledger_transactions t join postings p on p.ledger_transaction_id = t.id
      where t.effective_at >= ${from} and t.effective_at < ${until}
        and (p.credit_account_id in (select id from income) or p.debit_account_id in (select id from income))
      union all
      select ${day_of('paid_at')}, 0, amount_cents, 1, 0, 0
      from payments where paid_at >= ${from} and paid_at < ${until} and reversed_at is null
      union all
      select ${day_of('created_at')}, 0, 0, 0,
             (state = 'failed')::int, (state not in ('failed', 'paid'))::int
      from prompts where created_at >= ${from} and created_at < ${until} and state <> 'paid'
    )
    select day, sum(revenue_cents)::bigint as revenue_cents,
           sum(received_cents)::bigint as received_cents, sum(received)::int as received,
           sum(failed)::int as failed, sum(pending)::int as pending
    from found group by day order by day
  `.execute(db);
  return rows;
}

export interface AccountTotal {
  /** The first four digits: all of an account's sub-accounts together. */
  account: string;
  type: 'asset' | 'liability' | 'equity' | 'income' | 'expense';
  debit_cents: bigint;
  credit_cents: bigint;
}

/** What was debited and credited to each account, sub-accounts with it: both come to the same. */
export async function trialBalance(db: Db): Promise<AccountTotal[]> {
  const { rows } = await sql<AccountTotal>`
    select left(a.code, 4) as account, a.type,
           coalesce(sum(m.debit_cents), 0)::bigint as debit_cents,
           coalesce(sum(m.credit_cents), 0)::bigint as credit_cents
    from accounts a
    left join (
      select debit_account_id as id, sum(amount_cents) as debit_cents, 0 as credit_cents
      from postings group by 1
      union all
      select credit_account_id, 0, sum(amount_cents) from postings group by 1
    ) m using (id)
    group by 1, 2 order by 1
  `.execute(db);
  return rows;
}

export interface LastCheck {
  started_at: Date;
  took_ms: number;
  findings: number;
  named: { check: string; found: string }[];
}

/** The last check of the books that has ended. */
export async function lastBookCheck(db: Db): Promise<LastCheck | undefined> {
  const { rows } = await sql<LastCheck>`
    select started_at, took_ms, findings, named from book_checks
    where took_ms is not null order by hour desc limit 1
  `.execute(db);
  return rows[0];
}
