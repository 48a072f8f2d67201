import { countFrom } from '../base/counters.ts';
import type { Tx } from '../base/db.ts';
import { startOfEatDay } from '../base/clock.ts';
import { lockCustomers } from '../customers/lock.ts';
import { SALES, receivableOf } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';
import { counterOf } from './number.ts';
import { spendCredit } from './spend-credit.ts';

export interface NewInvoice {
  number: string;
  customer: { id: bigint; number: string };
  total_cents: bigint;
  /** Days in Nairobi, "2026-02-03". */
  issued_on: string;
  due_on: string;
  /** What it is for. */
  description?: string;
  issued_by?: bigint | null;
  issued_key?: string | null;
}

/**
 * Issues an invoice under a number that was given elsewhere: the customer owes it, the sale is made
 * (Dr 1200, Cr 4000), and what they have paid ahead pays it.
 */
export async function issueInvoice(tx: Tx, it: NewInvoice): Promise<bigint> {
  const [, day = '', nth = ''] = it.number.split('-');
  await countFrom(tx, counterOf(day), BigInt(nth));
  return writeInvoice(tx, it);
}

/** The same under a number that nobody else can have. */
export async function writeInvoice(tx: Tx, it: NewInvoice): Promise<bigint> {
  const { customer, ...invoice } = it;
  await lockCustomers(tx, [customer.id]);
  const { id } = await tx
    .insertInto('invoices')
    .values({ ...invoice, customer_id: customer.id, outstanding_cents: it.total_cents })
    .returning('id')
    .executeTakeFirstOrThrow();
  await postLedger(tx, [
    {
      key: `invoice:${it.number}:issued`,
      kind: 'invoice_issued',
      effective_at: startOfEatDay(it.issued_on),
      postings: [
        { debit: receivableOf(customer.number), credit: SALES, amount_cents: it.total_cents },
      ],
    },
  ]);
  await spendCredit(tx, customer);
  return id;
}
