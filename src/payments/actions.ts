import { sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import type { Dues } from './due.ts';
import { promptActions } from './prompt-actions.ts';

const Recent = z.array(
  z.object({
    id: z.string(),
    receipt: z.string(),
    amount: Money,
    at: z.string(),
    payer: z.string(),
    account: z.string(),
    state: z.enum(['matched', 'unmatched']),
    paid_for: z.string(),
  }),
);

/** What flows can do with payments, of whatever trade they are. */
export const paymentActions = (dues: readonly Dues[]): Actions => ({
  ...promptActions(dues),

  'payments.recent': action({
    input: z.object({}),
    output: Recent,
    refusals: ['none', 'not_allowed'],
    looks: true,
    run: async (tx, { actor }) => {
      needRole(actor, 'admin');
      const payments = await recentPayments(tx);
      if (payments.length === 0) throw new Refusal('none');
      return payments;
    },
  }),
});

const how_many = 20;

async function recentPayments(db: Db): Promise<z.input<typeof Recent>> {
  const { rows } = await sql<{
    id: bigint;
    receipt: string;
    amount_cents: bigint;
    paid_at: Date;
    payer: string;
    account_typed: string;
    state: 'matched' | 'unmatched';
    paid_for: string;
  }>`
    select p.id, p.receipt, p.amount_cents, p.paid_at, p.account_typed, p.state,
           coalesce(p.payer_name, p.payer_msisdn, p.payer_masked, '-') as payer,
           coalesce((
             select string_agg(a.due_reference, ', ' order by a.id)
             from allocations a
             where a.payment_id = p.id and a.reversed_at is null), '-') as paid_for
    from payments p order by p.id desc limit ${how_many}
  `.execute(db);
  return rows.map((row) => ({
    id: String(row.id),
    receipt: row.receipt,
    amount: decimalFromCents(row.amount_cents),
    at: row.paid_at.toISOString(),
    payer: row.payer,
    account: row.account_typed || '-',
    state: row.state,
    paid_for: row.paid_for,
  }));
}
