import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { withdraw } from '../outbox/ask.ts';

/** A payment of which all or a part waits for a person to say whose it is. */
export interface Unmatched {
  id: bigint;
  receipt: string;
  amount_cents: bigint;
  /** What of it waits. */
  left_cents: bigint;
  paid_at: Date;
  account_typed: string;
  payer: string;
  payer_masked: string | null;
  shortcode: string;
  flag: string | null;
  also_possible: string[];
  refund_marked: boolean;
}

/** The reference of the question about a payment that nothing was found for, "UM7". */
export function questionOf(payment_id: bigint): string {
  return `UM${payment_id}`;
}

/** The payment that a question is about; undefined when it is another question. */
export function paymentOf(question: string): bigint | undefined {
  const digits = /^UM(\d{1,18})$/.exec(question)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** What waits, oldest first; what is to be refunded is behind the rest. */
export function listUnmatched(db: Db, most: number): Promise<Unmatched[]> {
  return read(db, sql`order by p.refund_marked_at is not null, p.id limit ${most}`);
}

/** One payment that waits. Throws Refusal 'over' when it waits no more. */
export async function unmatchedPayment(db: Db, id: bigint): Promise<Unmatched> {
  const [payment] = await read(db, sql`and p.id = ${id}`);
  if (!payment) throw new Refusal('over');
  return payment;
}

/**
 * Marks what is left of a payment as to be given back: nobody is asked any more whose it is, and
 * matching leaves it alone. Throws Refusal 'over' when nothing of it waits.
 */
export async function markForRefund(tx: Tx, id: bigint, by: bigint): Promise<void> {
  const { rows } = await sql`
    update payments set refund_marked_at = now(), refund_marked_by = ${by}
    where id = ${id} and allocated_cents < amount_cents and reversed_at is null
      and refund_marked_at is null
    returning 1
  `.execute(tx);
  if (rows.length === 0) throw new Refusal('over');
  await withdraw(tx, [questionOf(id)]);
}

async function read(db: Db, which: RawBuilder<unknown>): Promise<Unmatched[]> {
  const { rows } = await sql<Unmatched>`
    select p.id, p.receipt, p.amount_cents, p.amount_cents - p.allocated_cents as left_cents,
           p.paid_at, p.account_typed, p.shortcode, p.payer_masked, p.flag, p.also_possible,
           concat_ws(' ', coalesce(p.payer_msisdn, p.payer_masked), p.payer_name) as payer,
           p.refund_marked_at is not null as refund_marked
    from payments p
    where p.allocated_cents < p.amount_cents and p.reversed_at is null ${which}
  `.execute(db);
  return rows;
}
