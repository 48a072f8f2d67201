import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { Money } from '../flow/action.ts';

/** A payment as admins are shown it. */
export const Shown = z.object({
  id: z.string(),
  receipt: z.string(),
  amount: Money,
  at: z.string(),
  payer: z.string(),
  account: z.string(),
  state: z.enum(['matched', 'unmatched', 'reversed']),
  paid_for: z.string(),
});
type Shown = z.input<typeof Shown>;

const how_many = 20;

/** The last payments, the newest first. */
export function recentPayments(db: Db): Promise<Shown[]> {
  return read(db, sql`order by p.id desc limit ${how_many}`);
}

/** The payment with this receipt, however it is written; undefined when there is none. */
export async function paymentByReceipt(db: Db, typed: string): Promise<Shown | undefined> {
  const receipt = typed.trim().toUpperCase();
  const [payment] = await read(db, sql`where p.receipt = ${receipt}`);
  return payment;
}

async function read(db: Db, which: RawBuilder<unknown>): Promise<Shown[]> {
  const { rows } = await sql<
    Omit<Shown, 'id' | 'amount' | 'at' | 'account'> & {
      id: bigint;
      amount_cents: bigint;
      paid_at: Date;
      account_typed: string;
    }
  >`
    select p.id, p.receipt, p.amount_cents, p.paid_at, p.account_typed, p.state,
           coalesce(p.payer_name, p.payer_msisdn, p.payer_masked, '-') as payer,
           coalesce((
             select string_agg(a.due_reference, ', ' order by a.id)
             from allocations a
             where a.payment_id = p.id and a.reversed_at is null), '-') as paid_for
    from payments p ${which}
  `.execute(db);
  return rows.map(({ id, amount_cents, paid_at, account_typed, ...row }) => ({
    ...row,
    id: String(id),
    amount: decimalFromCents(amount_cents),
    at: paid_at.toISOString(),
    account: account_typed || '-',
  }));
}
