import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { Refusal } from '../base/errors.ts';
import { findCustomers } from '../customers/find.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';

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
    // An admin asks about any of them, though they may be one.
    refusals: ['no_customer'],
    looks: true,
    run: (tx, { actor }) => {
      if (actor.roles.includes('admin')) throw new Refusal('no_customer');
      return standing(tx, sql`c.person_id = ${actor.id}`);
    },
  }),

  'invoices.customer_standing': action({
    // The only one that was meant, or the one of several that was chosen.
    input: z.object({ only: z.string().optional(), chosen: z.string().optional() }),
    output: z.object({
      number: z.string(),
      name: z.string(),
      owed: Money,
      credit: Money,
      open: z.number(),
    }),
    refusals: ['not_allowed', 'unknown'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [customer] = await findCustomers(tx, input.chosen ?? input.only ?? '');
      if (!customer) throw new Refusal('unknown');
      const { owed, credit, invoices } = await standing(tx, sql`c.id = ${customer.id}`);
      const { number, name } = customer;
      return { number, name, owed, credit, open: invoices.length };
    },
  }),
};

type Standing = { credit_cents: bigint } & (
  | { number: string; outstanding_cents: bigint; total_cents: bigint; due_on: string }
  // Nothing is open.
  | { number: null }
);

/**
 * What is owed on invoices, has been paid ahead, and is open, the earliest due date first; of the
 * customers (`c`) that this says.
 */
async function standing(db: Db, whose: RawBuilder<unknown>) {
  const { rows } = await sql<Standing>`
    with credit as (
      select coalesce(sum(b.balance_cents), 0)::bigint as credit_cents
      from customers c
      join accounts a on a.owner_kind = 'customer' and a.owner_id = c.id and a.code like '2010:%'
      join account_balances b on b.account_id = a.id
      where ${whose}
    )
    select i.number, i.outstanding_cents, i.total_cents, i.due_on, credit_cents
    from credit left join (
      select i.* from invoices i join customers c on c.id = i.customer_id
      where ${whose} and i.outstanding_cents > 0
    ) i on true
    order by i.due_on, i.id
  `.execute(db);
  const open = rows.filter((row) => row.number !== null);
  const owed_cents = open.reduce((sum, invoice) => sum + invoice.outstanding_cents, 0n);
  return {
    owed: decimalFromCents(owed_cents),
    credit: decimalFromCents(rows[0]?.credit_cents ?? 0n),
    invoices: open.map((invoice) => ({
      number: invoice.number,
      left: decimalFromCents(invoice.outstanding_cents),
      total: decimalFromCents(invoice.total_cents),
      due: invoice.due_on,
    })),
  };
}
