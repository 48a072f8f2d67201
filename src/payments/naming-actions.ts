import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { type Actions, action } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import { type Dues, meantBy } from './due.ts';
import { Payable, payablesOf } from './likely.ts';

/** An admin says what a payment is for: an invoice, or whoever owes, however they name them. */
export const namingActions = (dues: readonly Dues[]): Actions => ({
  'payments.name_due': action({
    // What was said along with the payment, or what is typed when that is asked.
    input: z.object({ typed: z.string().optional(), said: z.string().optional() }),
    output: z.object({
      count: z.number(),
      found: z.array(Payable),
      /** Where only one is meant. */
      only: z.string().optional(),
    }),
    refusals: ['no_such_due', 'said_unknown', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const { typed, said = '' } = input;
      const found = await payablesOf(tx, dues, await meantBy(tx, dues, typed ?? said));
      const [first, ...others] = found;
      if (!first) throw new Refusal(typed === undefined ? 'said_unknown' : 'no_such_due');
      return { count: found.length, found, ...(others.length === 0 ? { only: first.ref } : {}) };
    },
  }),

  'payments.named_due': action({
    // The only one that was meant, or the one of several that was chosen.
    input: z.object({ only: z.string().optional(), chosen: z.string().optional() }),
    output: Payable,
    refusals: ['no_such_due', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const reference = input.chosen ?? input.only ?? '';
      const [it] = await payablesOf(tx, dues, await meantBy(tx, dues, reference));
      if (!it) throw new Refusal('no_such_due');
      return it;
    },
  }),
});
