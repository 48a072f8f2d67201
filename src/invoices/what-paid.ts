import { sql } from 'kysely';
import type { Db } from '../base/db.ts';

/** What has paid an invoice so far, in cents. */
export interface Paid {
  /** By payments and by credit. */
  total_cents: bigint;
  credit_cents: bigint;
  payments: number;
  last_cents: bigint;
  receipt: string | null;
  paid_at: Date | null;
}

/** What payments and credit have paid of an invoice; the payment that came last. */
export async function whatPaid(db: Db, invoice_id: bigint): Promise<Paid> {
  const { rows } = await sql<Paid>`
    with paid as (
      select a.amount_cents, p.receipt, p.paid_at
      from allocations a join payments p on p.id = a.payment_id
      where a.due_kind = 'invoice' and a.due_id = ${invoice_id} and a.reversed_at is null
    ), last as (
      select * from paid order by paid_at desc, receipt limit 1
    ), credit as (
      select coalesce(sum(amount_cents), 0)::bigint as cents from credit_allocations
      where due_kind = 'invoice' and due_id = ${invoice_id} and reversed_at is null
    )
    select (coalesce((select sum(amount_cents) from paid), 0) + credit.cents)::bigint as total_cents,
           credit.cents as credit_cents, (select count(*)::int from paid) as payments,
           coalesce(last.amount_cents, 0)::bigint as last_cents, last.receipt, last.paid_at
    from credit left join last on true
  `.execute(db);
  const [row] = rows;
  if (!row) throw new Error('one row without a table');
  return row;
}
