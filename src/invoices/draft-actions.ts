import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { isName } from '../base/text.ts';
import { customersMeant, somebodyNew } from '../customers/find.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import type { Dues } from '../payments/due.ts';
import { needRole } from '../people/need-role.ts';
import { type Order, readOrder } from './read-order.ts';

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
      /** Both were said. */
      both: z.object({ name: z.string(), phone: z.string() }).optional(),
      amount: Money.optional(),
      what: z.string().optional(),
      /** What it does not say. */
      without: z.object({ amount: z.boolean(), what: z.boolean() }),
    }),
    refusals: ['not_allowed', 'unreadable', 'minus'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const order = readOrder(input.text);
      if (!order) throw new Refusal('unreadable');
      if (order.minus) throw new Refusal('minus');
      const { who, what, found } = await whose(tx, dues, order);
      const { amount_cents } = order;
      const said = {
        ...(amount_cents === undefined ? {} : { amount: decimalFromCents(amount_cents) }),
        ...(what === undefined ? {} : { what }),
        without: { amount: amount_cents === undefined, what: what === undefined },
      };
      const customers = found.map(({ number, name }) => ({ number, name }));
      const [only] = customers;
      if (customers.length > 1) return { how: 'several' as const, customers, ...said };
      if (only) return { how: 'one' as const, customers, only: only.number, ...said };
      return { how: 'new' as const, customers, ...newcomer(dues, who, order.name), ...said };
    },
  }),
});

// As much of the words as names somebody; of fewer than were written, each is one of their names.
async function whose(db: Db, dues: readonly Dues[], order: Order) {
  const { who, what } = order;
  const found = who === '' ? [] : await customersMeant(db, dues, who);
  if (found.length > 0) return { who, what, found };
  for (const way of order.ways) {
    const words = way.who.toLowerCase().split(' ');
    const some = (await customersMeant(db, dues, way.who)).filter(({ name }) => {
      const names = name.toLowerCase().split(' ');
      return words.every((word) => names.includes(word));
    });
    if (some.length > 0) return { ...way, what: way.what, found: some };
  }
  // "1500 Mary" is Mary's, whoever that is; of more words nobody knows where a name ends.
  const alone = who === '' && order.ways.length === 1 ? order.ways[0]?.who : undefined;
  return { who: alone ?? who, what, found };
}

/** Throws Refusal 'unreadable' when it is neither a phone nor a name. */
function newcomer(dues: readonly Dues[], who: string, name: string | undefined) {
  const somebody = somebodyNew(dues, who);
  if (!somebody) throw new Refusal('unreadable');
  const both = 'phone' in somebody && name !== undefined && isName(name);
  return both ? { both: { name, phone: somebody.phone } } : somebody;
}
