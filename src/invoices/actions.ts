import { sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, type Actor, action, Money } from '../flow/action.ts';

export const invoiceActions: Actions = {
  'invoices.standing': action({
    input: z.object({}),
    output: z.object({
      owed: Money,
      credit: Money,
      invoices: z.array(
        z.object({ number: z.string(), left: Money, total: Money, due: z.string() }),
      ),
    }),
    refusals: [],
    looks: true,
    run: (tx, { actor }) => standing(tx, actor),
  }),
};

/**
 * What a person owes on invoices, has paid ahead, and what is open, the earliest due date first.
 */
async function standing(db: Db, actor: Actor) {
  const { rows: invoices } = await sql<{
    number: string;
    outstanding_cents: bigint;
    total_cents: bigint;
    due_on: string;
  }>`
    select i.number, i.outstanding_cents, i.total_cents, i.due_on
    from invoices i join customers c on c.id = i.customer_id
    where c.person_id = ${actor.id} and i.outstanding_cents > 0
    order by i.due_on, i.id
  `.execute(db);
  const { rows: credit } = await sql<{ credit_cents: bigint }>`
    select coalesce(sum(b.balance_cents), 0)::bigint as credit_cents
    from customers c
    join accounts a on a.owner_kind = 'customer' and a.owner_id = c.id and a.code like '2010:%'
    join account_balances b on b.account_id = a.id
    where c.person_id = ${actor.id}
  `.execute(db);
  const owed_cents = invoices.reduce((sum, invoice) => sum + invoice.outstanding_cents, 0n);
  return {
    owed: decimalFromCents(owed_cents),
    credit: decimalFromCents(credit[0]?.credit_cents ?? 0n),
    invoices: invoices.map((invoice) => ({
      number: invoice.number,
      left: decimalFromCents(invoice.outstanding_cents),
      total: decimalFromCents(invoice.total_cents),
      due: invoice.due_on,
    })),
  };
}
