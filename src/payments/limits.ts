import { sql } from 'kysely';
import { eatDate, startOfEatDay } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import type { Flag, NewPayment } from './hearing.ts';

/** What the house takes, in cents. M-Pesa has limits of its own; these may be lower. */
export interface Limits {
  payment_cents: bigint;
  /** Of one payer on a day in Nairobi, as far as M-Pesa says who pays. */
  payer_day_cents: bigint;
}

/**
 * Flags those of these new payments that break a limit, and returns them with their flags. It is
 * money all the same: it is kept aside for a person.
 */
export async function flagOverLimit(
  tx: Tx,
  payments: NewPayment[],
  limits: Limits,
): Promise<NewPayment[]> {
  // One look for all: most days nobody is near a limit.
  const { rows } = await sql<{ id: bigint; flag: Flag }>`
    update payments p set flag = case when p.amount_cents > ${limits.payment_cents}
                                      then 'over_limit' else 'over_day_limit' end
    from unnest(
      ${payments.map((p) => p.id)}::bigint[],
      ${payments.map((p) => startOfEatDay(eatDate(p.paid_at)))}::timestamptz[]) as n(id, day)
    where p.id = n.id and p.flag is null and (p.amount_cents > ${limits.payment_cents} or (
      select sum(q.amount_cents) from payments q
      where coalesce(q.payer_msisdn, q.payer_hash) = coalesce(p.payer_msisdn, p.payer_hash)
        and (q.payer_msisdn is not null or q.payer_hash is not null)
        and q.paid_at >= n.day and q.paid_at < n.day + interval '1 day' and q.id <= p.id
    ) > ${limits.payer_day_cents})
    returning p.id, p.flag
  `.execute(tx);
  if (rows.length === 0) return payments;
  const flags = new Map(rows.map((row) => [row.id, row.flag]));
  return payments.map((p) => ({ ...p, flag: flags.get(p.id) ?? p.flag }));
}

/** What a payer, by number or by its hash, has paid on the day of `at`, in cents. */
export async function paidOnDay(db: Db, payer: string, at: Date): Promise<bigint> {
  const day = startOfEatDay(eatDate(at));
  const { rows } = await sql<{ cents: bigint }>`
    select coalesce(sum(amount_cents), 0)::bigint as cents from payments
    where coalesce(payer_msisdn, payer_hash) = ${payer}
      and (payer_msisdn is not null or payer_hash is not null)
      and paid_at >= ${day} and paid_at < ${day}::timestamptz + interval '1 day'
  `.execute(db);
  return rows[0]?.cents ?? 0n;
}
