import { z } from 'zod';
import { clock, eatDate, startOfEatDay } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, action } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { customerStatement } from './customer-statement.ts';

const day_ms = 24 * 60 * 60 * 1_000;
// Some forty pages: a longer time is asked for in parts.
const most_lines = 2_000;

/** A customer's statement as a paper, for any time. */
export const paperActions: Actions = {
  'reports.send_paper': action({
    input: z.object({
      period: z.enum(['this_month', 'last_month', 'this_year', 'other']),
      from: z.string().optional(),
      to: z.string().optional(),
    }),
    output: z.object({ from: z.string(), to: z.string() }),
    refusals: ['none', 'wrong_way', 'too_long'],
    run: async (tx, { actor, input, key }) => {
      const customer = await tx
        .selectFrom('customers')
        .select('number')
        .where('person_id', '=', actor.id)
        .orderBy('id')
        .executeTakeFirst();
      if (!customer) throw new Refusal('none');
      const { from, to } = periodOf(input);
      if (from > to) throw new Refusal('wrong_way');
      const until = new Date(startOfEatDay(to).getTime() + day_ms);
      const found = await customerStatement(tx, customer.number, {
        from: startOfEatDay(from),
        until,
      });
      if (found.lines.length > most_lines) throw new Refusal('too_long');
      const values = {
        from,
        to,
        opening: decimalFromCents(found.opening_cents),
        closing: decimalFromCents(found.closing_cents),
      };
      const paper = { kind: 'statement', customer: customer.number, from, to } as const;
      await notify(tx, [
        { key: `paper:${key}`, person_id: actor.id, template: 'statement_paper', values, paper },
      ]);
      return { from, to };
    },
  }),
};

function periodOf(it: { period: string; from?: string | undefined; to?: string | undefined }) {
  const today = eatDate(clock.now());
  const month = `${today.slice(0, 7)}-01`;
  const { from = today, to = today } = it;
  switch (it.period) {
    case 'this_month':
      return { from: month, to: today };
    case 'last_month': {
      const last = new Date(startOfEatDay(month).getTime() - day_ms);
      return { from: `${eatDate(last).slice(0, 7)}-01`, to: eatDate(last) };
    }
    case 'this_year':
      return { from: `${today.slice(0, 4)}-01-01`, to: today };
    default:
      return { from, to };
  }
}
