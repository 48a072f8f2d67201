import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { type Actions, action } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import type { Dues } from './due.ts';
import { promptActions } from './prompt-actions.ts';
import { recentPayments, Shown } from './recent.ts';
import { unmatchedActions } from './unmatched-actions.ts';

/** What flows can do with payments, of whatever trade they are. */
export const paymentActions = (dues: readonly Dues[]): Actions => ({
  ...promptActions(dues),
  ...unmatchedActions(dues),

  'payments.recent': action({
    input: z.object({}),
    output: z.array(Shown),
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
