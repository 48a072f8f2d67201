import { sql } from 'kysely';
import type { Db } from '../base/db.ts';

/**
 * Balances in cents by account code, each in its account's own sense: what an asset holds, what a
 * liability owes. An owner's account reads its row; the others are derived from their postings.
 */
export async function balancesOf(db: Db, codes: string[]): Promise<Map<string, bigint>> {
  const { rows } = await sql<{ code: string; balance_cents: bigint }>`
    select a.code, coalesce(b.balance_cents, (
      select case when a.type in ('asset', 'expense') then sum(m.cents) else -sum(m.cents) end
      from (
        select amount_cents as cents from postings where debit_account_id = a.id
        union all
        select -amount_cents from postings where credit_account_id = a.id
      ) m
    ), 0)::bigint as balance_cents
    from accounts a left join account_balances b on b.account_id = a.id
    where a.code = any(${codes})
  `.execute(db);
  return new Map(rows.map((row) => [row.code, row.balance_cents]));
}
