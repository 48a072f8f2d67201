import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';
import { customersMeant } from '../customers/find.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import type { Dues } from '../payments/due.ts';
import { needRole } from '../people/need-role.ts';
import { readOrder } from './read-order.ts';

/** What an owner has written of an invoice, and whom they may mean. */
export const draftActions = (dues: readonly Dues[]): Actions => ({
  'invoices.draft': action({
    input: z.object({ text: z.string() }),
    output: z.object({
      /** Whom it is for: one customer, one of several, or somebody who is none yet. */
      how: z.enum(['one', 'several', 'new']),
      customers: z.array(z.object({ number: z.string(), name: z.string() })),
      only: z.string().optional(),
      name: z.string().optional(),
      phone: z.string().optional(),
      amount: Money.optional(),
      what: z.string().optional(),
      /** What it does not say. */
      without: z.object({ amount: z.boolean(), what: z.boolean() }),
    }),
    refusals: ['not_allowed', 'unreadable'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const order = readOrder(input.text);
      if (!order) throw new Refusal('unreadable');
      const { who, amount_cents, what } = order;
      const said = {
        ...(amount_cents === undefined ? {} : { amount: decimalFromCents(amount_cents) }),
        ...(what === undefined ? {} : { what }),
        without: { amount: amount_cents === undefined, what: what === undefined },
      };
      const found = await customersMeant(tx, dues, who);
      const customers = found.map(({ number, name }) => ({ number, name }));
      const [only] = customers;
      if (customers.length > 1) return { how: 'several' as const, customers, ...said };
      if (only) return { how: 'one' as const, customers, only: only.number, ...said };
      if (/^cust/i.test(who)) throw new Refusal('unreadable');
      const phone = msisdnFrom(who);
      const somebody = phone === undefined ? { name: who } : { phone };
      return { how: 'new' as const, customers, ...somebody, ...said };
    },
  }),
});
