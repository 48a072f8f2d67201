import { sql } from 'kysely';
import { z } from 'zod';
import { clock, eatDate } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, type Actor, action, Money } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';

/** What a customer was invoiced and has paid, the newest first. */

const few = 5;
const many = 20;

export const statementActions: Actions = {
  'reports.movements': action({
    input: z.object({}),
    output: z.object({
      owed: Money,
      /** What was paid ahead, where nothing is owed. */
      ahead: Money,
      /** The newest, to choose from. */
      last: z.array(
        z.object({ id: z.string(), at: z.string(), ref: z.string(), amount: Money, after: Money }),
      ),
      /** More of them, a line each. */
      lines: z.string(),
    }),
    refusals: ['none'],
    looks: true,
    run: async (tx, { actor }) => {
      const all = await movements(tx, actor, many);
      if (all.length === 0) throw new Refusal('none');
      const last = all.slice(0, few).map((it) => ({
        id: String(it.id),
        at: it.at.toISOString(),
        ref: it.ref,
        amount: decimalFromCents(it.change_cents),
        after: decimalFromCents(it.after_cents),
      }));
      const owed_cents = all[0]?.after_cents ?? 0n;
      const ahead_cents = owed_cents < 0n ? -owed_cents : 0n;
      return {
        owed: decimalFromCents(owed_cents),
        ahead: decimalFromCents(ahead_cents),
        last,
        lines: linesOf(all),
      };
    },
  }),

  // For who looks on a small screen and wants it to keep.
  'reports.send_statement': action({
    input: z.object({}),
    output: z.object({}),
    refusals: ['none'],
    run: async (tx, { actor, key }) => {
      const all = await movements(tx, actor, many);
      if (all.length === 0) throw new Refusal('none');
      const owed_cents = all[0]?.after_cents ?? 0n;
      const values = {
        date: eatDate(clock.now()),
        lines: linesOf(all),
        owed: owed_cents < 0n ? '-' : decimalFromCents(owed_cents),
        ahead: owed_cents < 0n ? decimalFromCents(-owed_cents) : '-',
      };
      await notify(tx, [
        { key: `statement:${key}`, person_id: actor.id, template: 'statement', values },
      ]);
      return {};
    },
  }),
};

interface Movement {
  id: bigint;
  at: Date;
  ref: string;
  /** More to pay is positive; paid is negative. */
  change_cents: bigint;
  /** What was left to pay after it; below nothing, what was paid ahead. */
  after_cents: bigint;
}

// Newest first by the index of each account; what came after is taken off today's balance.
async function movements(db: Db, actor: Actor, count: number): Promise<Movement[]> {
  const { rows } = await sql<Movement>`
    with mine as (
      select a.id, a.code like '1200:%' as owed, coalesce(b.balance_cents, 0) as balance_cents
      from customers c
      join accounts a on a.owner_kind = 'customer' and a.owner_id = c.id
        and (a.code like '1200:%' or a.code like '2010:%')
      left join account_balances b on b.account_id = a.id
      where c.person_id = ${actor.id}
    ), moved as (
      select p.ledger_transaction_id, p.amount_cents
      from mine, lateral (
        select ledger_transaction_id, amount_cents from postings
        where debit_account_id = mine.id
        order by ledger_transaction_id desc limit ${count * 2}) p
      union all
      select p.ledger_transaction_id, -p.amount_cents
      from mine, lateral (
        select ledger_transaction_id, amount_cents from postings
        where credit_account_id = mine.id
        order by ledger_transaction_id desc limit ${count * 2}) p
    ), changes as (
      select ledger_transaction_id as id, sum(amount_cents)::bigint as change_cents from moved
      group by 1 having sum(amount_cents) <> 0
      order by 1 desc limit ${count}
    )
    select t.id, t.effective_at as at, c.change_cents,
      coalesce(substring(t.key from '^invoice:(.+):issued'), p.receipt, t.kind) as ref,
      ((select sum(case when owed then balance_cents else -balance_cents end) from mine)
        - coalesce(sum(c.change_cents) over (
            order by c.id desc rows between unbounded preceding and 1 preceding), 0)
      )::bigint as after_cents
    from changes c
    join ledger_transactions t on t.id = c.id
    left join allocations a on a.id = substring(t.key from '^allocation:([0-9]+)')::bigint
    left join payments p on p.id = a.payment_id
    order by t.id desc
  `.execute(db);
  return rows;
}

// Without words, so that they are the same in every language.
function linesOf(all: readonly Movement[]): string {
  return all
    .map(({ at, ref, change_cents }) => {
      const [year, month, day] = eatDate(at).split('-');
      const amount = decimalFromCents(change_cents).replace(/\B(?=(\d{3})+(?=\.))/g, ',');
      return `${day}/${month}/${year} ${change_cents > 0n ? '+' : ''}${amount} ${ref}`;
    })
    .join('\n');
}
