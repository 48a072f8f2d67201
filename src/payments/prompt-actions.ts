import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { centsFromDecimal, decimalFromCents } from '../base/money.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import { numberOf } from '../people/find.ts';
import { askForPayment, most_at_a_time_cents, wholeShillings } from './ask.ts';
import type { Due, Dues } from './due.ts';
import { openDuesOf } from './find-due.ts';

const Payable = z.object({ ref: z.string(), left: Money, due: z.string() });

// A phone that is in a USSD session shows no prompt: its screen has to go first.
const after_ussd_ms = 3_000;

/** What people can do to pay by a prompt on their own phone. */
export const promptActions = (dues: readonly Dues[]): Actions => ({
  'payments.payable': action({
    input: z.object({}),
    output: z.object({ count: z.number(), dues: z.array(Payable) }),
    // By paybill they can always pay.
    refusals: ['no_prompts', 'nothing'],
    looks: true,
    run: async (tx, { actor, asks_from }) => {
      if (asks_from === undefined) throw new Refusal('no_prompts');
      // A WhatsApp alone has no number.
      if ((await numberOf(tx, actor.id)) === undefined) throw new Refusal('no_prompts');
      const open = await openDuesOf(tx, dues, actor.id);
      if (open.length === 0) throw new Refusal('nothing');
      return { count: open.length, dues: open.map(payable) };
    },
  }),

  'payments.due': action({
    input: z.object({ ref: z.string().optional() }),
    output: Payable.extend({
      /** The most that can be asked for at once. */
      most: Money,
    }),
    refusals: ['unknown'],
    looks: true,
    run: async (tx, { actor, input }) => {
      const due = await ownDue(tx, dues, actor.id, input.ref);
      return { ...payable(due), most: decimalFromCents(mostOf(due)) };
    },
  }),

  'payments.ask': action({
    // Without an amount, the most that can be asked for.
    input: z.object({ ref: z.string(), amount: Money.optional() }),
    output: z.object({
      ref: z.string(),
      amount: Money,
      how: z.enum(['asked', 'already', 'checking']),
    }),
    refusals: ['unknown', 'too_little', 'too_much', 'over_limit', 'same_again', 'no_prompts'],
    run: async (tx, { actor, input, key, channel, msisdn: from, asks_from: shortcode }) => {
      // The phone that is in their hand.
      const msisdn = from ?? (await numberOf(tx, actor.id));
      if (shortcode === undefined || msisdn === undefined) throw new Refusal('no_prompts');
      const due = await ownDue(tx, dues, actor.id, input.ref);
      const asked = await askForPayment(tx, {
        due,
        amount_cents: (input.amount && centsFromDecimal(input.amount)) || mostOf(due),
        person_id: actor.id,
        msisdn,
        shortcode,
        asked_by: actor.id,
        key,
        after_ms: channel === 'ussd' ? after_ussd_ms : 0,
      });
      const { due_reference: ref, amount_cents, how } = asked;
      return { ref, amount: decimalFromCents(amount_cents), how };
    },
  }),
});

function mostOf({ outstanding_cents }: Due): bigint {
  const whole = wholeShillings(outstanding_cents);
  return whole > most_at_a_time_cents ? most_at_a_time_cents : whole;
}

function payable({ reference, outstanding_cents, due_on }: Due) {
  return { ref: reference, left: decimalFromCents(outstanding_cents), due: due_on };
}

/** What a person has open by that reference, or the only thing that they have open. */
async function ownDue(
  db: Db,
  dues: readonly Dues[],
  person_id: bigint,
  reference: string | undefined,
): Promise<Due> {
  const open = await openDuesOf(db, dues, person_id);
  const named = open.filter((due) => reference === undefined || due.reference === reference);
  const [due, ...others] = named;
  if (!due || others.length > 0) throw new Refusal('unknown');
  return due;
}
