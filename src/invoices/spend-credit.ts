import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';

/**
 * Pays a customer's open invoices with what they have paid ahead, the earliest due date first (Dr
 * 2010, Cr 1200 for each). The caller holds the customer's lock.
 */
export async function spendCredit(tx: Tx, customer: { id: bigint; number: string }): Promise<void> {
  // What credit is left for an invoice is what those before it leave of it.
  const { rows } = await sql<{ id: bigint; amount_cents: bigint }>`
    with open as (
      select i.id, i.number, i.outstanding_cents, b.balance_cents,
             sum(i.outstanding_cents) over (order by i.due_on, i.id) - i.outstanding_cents as before_cents
      from accounts a
      join account_balances b on b.account_id = a.id and b.balance_cents > 0
      join invoices i on i.customer_id = ${customer.id} and i.outstanding_cents > 0
      where a.code = ${creditOf(customer.number)}
    ), paid as (
      select id, number, least(outstanding_cents, balance_cents - before_cents)::bigint as amount_cents
      from open where before_cents < balance_cents
    ), lowered as (
      update invoices i set outstanding_cents = i.outstanding_cents - paid.amount_cents
      from paid where i.id = paid.id
    )
    insert into credit_allocations (customer_id, due_kind, due_id, due_reference, amount_cents)
    select ${customer.id}, 'invoice', id, number, amount_cents from paid
    returning id, amount_cents
  `.execute(tx);
  const effective_at = clock.now();
  await postLedger(
    tx,
    rows.map(({ id, amount_cents }) => ({
      key: creditKey(id),
      kind: 'credit_spent',
      effective_at,
      postings: [
        { debit: creditOf(customer.number), credit: receivableOf(customer.number), amount_cents },
      ],
    })),
  );
}

/** What the books call credit that has paid something. */
export function creditKey(credit_allocation_id: bigint): string {
  return `credit_allocation:${credit_allocation_id}`;
}
