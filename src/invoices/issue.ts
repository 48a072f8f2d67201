import type { Tx } from '../base/db.ts';
import { startOfEatDay } from '../base/clock.ts';
import { SALES, receivableOf } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';

export interface NewInvoice {
  number: string;
  customer: { id: bigint; number: string };
  total_cents: bigint;
  /** Days in Nairobi, "2026-02-03". */
  issued_on: string;
  due_on: string;
}

/** Issues an invoice: the customer owes it, and the sale is made (Dr 1200, Cr 4000). */
export async function issueInvoice(tx: Tx, it: NewInvoice): Promise<bigint> {
  const { id } = await tx
    .insertInto('invoices')
    .values({
      number: it.number,
      customer_id: it.customer.id,
      total_cents: it.total_cents,
      outstanding_cents: it.total_cents,
      issued_on: it.issued_on,
      due_on: it.due_on,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await postLedger(tx, [
    {
      key: `invoice:${it.number}:issued`,
      kind: 'invoice_issued',
      effective_at: startOfEatDay(it.issued_on),
      postings: [
        { debit: receivableOf(it.customer.number), credit: SALES, amount_cents: it.total_cents },
      ],
    },
  ]);
  return id;
}
