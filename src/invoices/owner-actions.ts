import { sql } from 'kysely';
import { z } from 'zod';
import { clock, eatDate } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { centsFromDecimal, decimalFromCents } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';
import { registerCustomer } from '../customers/add.ts';
import { findCustomers } from '../customers/find.ts';
import { type Actions, type Actor, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import { findInvoices, type Listed, listInvoices, type Whose } from './find.ts';
import { daysAfter, invoiceCustomer, usual_days } from './invoice-customer.ts';
import { voidInvoice } from './void.ts';
import { whatPaid } from './what-paid.ts';

const Invoice = z.object({
  number: z.string(),
  name: z.string(),
  left: Money,
  total: Money,
  due: z.string(),
  state: z.enum(['UNPAID', 'PARTIALLY_PAID', 'PAID', 'VOID']),
  what: z.string(),
});

const most_listed = 20;

/** What admins do with invoices by writing it. */
export const ownerActions: Actions = {
  'invoices.prepare': action({
    // What the order said, and what was asked besides.
    input: z.object({
      only: z.string().optional(),
      chosen: z.string().optional(),
      name: z.string().optional(),
      typed_name: z.string().optional(),
      phone: z.string().optional(),
      typed_phone: z.string().optional(),
      both: z.object({ name: z.string(), phone: z.string() }).optional(),
      amount: Money.optional(),
      typed_amount: Money.optional(),
      what: z.string().optional(),
      typed_what: z.string().optional(),
      due: z.string().optional(),
    }),
    output: z.object({
      customer: z.string().optional(),
      name: z.string(),
      phone: z.string().optional(),
      amount: Money,
      what: z.string(),
      due: z.string(),
    }),
    refusals: ['not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const said = {
        amount: input.typed_amount ?? input.amount ?? '0.00',
        what: input.typed_what ?? input.what ?? '',
        due: input.due ?? daysAfter(eatDate(clock.now()), usual_days),
      };
      const number = input.chosen ?? input.only;
      if (number !== undefined) {
        const [customer] = await findCustomers(tx, number);
        return { customer: number, name: customer?.name ?? number, ...said };
      }
      const phone = input.typed_phone ?? input.phone ?? input.both?.phone;
      const [known] = phone === undefined ? [] : await findCustomers(tx, phone);
      if (known) return { customer: known.number, name: known.name, ...said };
      const name = input.typed_name ?? input.name ?? input.both?.name ?? '';
      return { name, ...(phone === undefined ? {} : { phone }), ...said };
    },
  }),

  'invoices.issue': action({
    input: z.object({
      customer: z.string().optional(),
      name: z.string(),
      phone: z.string().optional(),
      amount: Money,
      what: z.string(),
      due: z.string(),
    }),
    output: z.object({
      ref: z.string(),
      left: Money,
      credit: Money,
      /** Whether there is anybody to tell. */
      told: z.boolean(),
    }),
    refusals: [
      'not_allowed',
      'unknown',
      'exists',
      'no_name',
      'too_little',
      'too_much',
      'too_early',
    ],
    run: async (tx, { actor, input, key }) => {
      needRole(actor, 'admin');
      const msisdn = input.phone === undefined ? null : (msisdnFrom(input.phone) ?? null);
      const customer =
        input.customer === undefined
          ? await registerCustomer(tx, { name: input.name, msisdn, by: actor.id })
          : (await findCustomers(tx, input.customer))[0];
      if (!customer) throw new Refusal('unknown');
      const issued = await invoiceCustomer(tx, {
        customer_id: customer.id,
        total_cents: centsFromDecimal(input.amount) ?? 0n,
        description: input.what,
        due_on: input.due,
        by: actor.id,
        key: `turn:${key}`,
        tell: true,
      });
      const credit_cents = issued.total_cents - issued.outstanding_cents;
      return {
        ref: issued.number,
        left: decimalFromCents(issued.outstanding_cents),
        credit: decimalFromCents(credit_cents),
        told: await hasPerson(tx, customer.id),
      };
    },
  }),

  'invoices.list': action({
    input: z.object({ which: z.enum(['open', 'overdue']) }),
    output: z.object({ count: z.number(), total: Money, invoices: z.array(Invoice) }),
    refusals: ['not_allowed', 'none'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const today = eatDate(clock.now());
      const overdue = input.which === 'overdue' ? sql`and i.due_on < ${today}` : sql``;
      const which = sql`i.outstanding_cents > 0 ${overdue}`;
      const { rows } = await sql<{ count: number; cents: bigint }>`
        select count(*)::int as count, coalesce(sum(outstanding_cents), 0)::bigint as cents
        from invoices i where ${which}
      `.execute(tx);
      const { count = 0, cents = 0n } = rows[0] ?? {};
      if (count === 0) throw new Refusal('none');
      const listed = await listInvoices(tx, which, sql`i.due_on, i.id`, most_listed);
      return { count, total: decimalFromCents(cents), invoices: listed.map(shown) };
    },
  }),

  'invoices.find': action({
    // "INV-12 wrong amount": the invoice, and what is said besides.
    input: z.object({ text: z.string() }),
    output: z.object({
      count: z.number(),
      invoices: z.array(Invoice),
      only: z.string().optional(),
      rest: z.string().optional(),
      without_rest: z.boolean(),
    }),
    refusals: ['unknown'],
    looks: true,
    run: async (tx, { actor, input }) => {
      const { found, rest } = await namedIn(tx, input.text, whoseFor(actor));
      if (found.length === 0) throw new Refusal('unknown');
      const only = found.length === 1 ? found[0] : undefined;
      return {
        count: found.length,
        invoices: found.map(shown),
        ...(only ? { only: only.number } : {}),
        ...(rest === '' ? {} : { rest }),
        without_rest: rest === '',
      };
    },
  }),

  'invoices.paid': action({
    input: z.object({ only: z.string().optional(), chosen: z.string().optional() }),
    output: Invoice.extend({
      paid: Money,
      payments: z.number(),
      /** The last of them. */
      last: Money,
      receipt: z.string(),
      at: z.string(),
      /** What credit has paid of it. */
      credit: Money,
      overdue: z.boolean(),
    }),
    refusals: ['unknown'],
    looks: true,
    run: async (tx, { actor, input }) => {
      const number = input.chosen ?? input.only ?? '';
      const [invoice] = await findInvoices(tx, number, whoseFor(actor));
      if (!invoice) throw new Refusal('unknown');
      const paid = await whatPaid(tx, invoice.id);
      return {
        ...shown(invoice),
        paid: decimalFromCents(paid.total_cents),
        payments: paid.payments,
        last: decimalFromCents(paid.last_cents),
        receipt: paid.receipt ?? '-',
        at: (paid.paid_at ?? clock.now()).toISOString(),
        credit: decimalFromCents(paid.credit_cents),
        overdue: invoice.outstanding_cents > 0n && invoice.due_on < eatDate(clock.now()),
      };
    },
  }),

  'invoices.void': action({
    input: z.object({
      ref: z.string(),
      reason: z.string().optional(),
      typed_reason: z.string().optional(),
    }),
    output: z.object({ credit: Money }),
    refusals: ['not_allowed', 'unknown', 'void', 'paid', 'partly_paid', 'no_reason'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const reason = input.typed_reason ?? input.reason ?? '';
      const { credit_cents } = await voidInvoice(tx, { number: input.ref, by: actor.id, reason });
      return { credit: decimalFromCents(credit_cents) };
    },
  }),
};

// Customers see their own and nothing of anybody else's, not even that it is there.
function whoseFor(actor: Actor): Whose {
  return actor.roles.includes('admin') ? 'all' : { person_id: actor.id };
}

async function namedIn(db: Db, text: string, whose: Whose) {
  const words = text.trim().split(/\s+/);
  // "INV 20260203 0001 wrong": as few words as name one.
  for (let count = 1; count <= Math.min(3, words.length); count += 1) {
    const found = await findInvoices(db, words.slice(0, count).join(' '), whose);
    if (found.length > 0) return { found, rest: words.slice(count).join(' ') };
  }
  return { found: [], rest: '' };
}

async function hasPerson(db: Db, id: bigint): Promise<boolean> {
  const row = await db
    .selectFrom('customers')
    .select('person_id')
    .where('id', '=', id)
    .executeTakeFirst();
  return typeof row?.person_id === 'bigint';
}

function shown(it: Listed): z.input<typeof Invoice> {
  return {
    number: it.number,
    name: it.name,
    left: decimalFromCents(it.outstanding_cents),
    total: decimalFromCents(it.total_cents),
    due: it.due_on,
    state: it.state,
    what: it.description || '-',
  };
}
