import { sql } from 'kysely';
import { z } from 'zod';
import { clock, eatDate } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { needRole } from '../people/need-role.ts';
import { withPaid } from './customer-statement.ts';

/** What a customer was invoiced and has paid, the newest first. */

const few = 5;
const many = 20;

const Line = z.object({
  id: z.string(),
  at: z.string(),
  ref: z.string(),
  amount: Money,
  after: Money,
});

const Movements = z.object({
  owed: Money,
  /** What was paid ahead, where nothing is owed. */
  ahead: Money,
  /** The newest, to choose from. */
  last: z.array(Line),
  /** More of them, a line each. */
  lines: z.string(),
});

export const statementActions: Actions = {
  'reports.movements': action({
    input: z.object({}),
    output: Movements,
    // An admin asks about any customer, though they may be one.
    refusals: ['none', 'no_customer'],
    looks: true,
    run: async (tx, { actor }) => {
      if (actor.roles.includes('admin')) throw new Refusal('no_customer');
      return inWords(await movements(tx, { person_id: actor.id }, many));
    },
  }),

  'reports.customer_movements': action({
    // The only one that was meant, or the one of several that was chosen.
    input: z.object({ only: z.string().optional(), chosen: z.string().optional() }),
    output: Movements.extend({ name: z.string(), number: z.string() }),
    refusals: ['none', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const customer = await tx
        .selectFrom('customers')
        .select(['id', 'name', 'number'])
        .where('number', '=', input.chosen ?? input.only ?? '')
        .executeTakeFirst();
      if (!customer) throw new Refusal('none');
      const { id, name, number } = customer;
      return { name, number, ...inWords(await movements(tx, { id }, many)) };
    },
  }),

  // For who looks on a small screen and wants it to keep.
  'reports.send_statement': action({
    input: z.object({}),
    output: z.object({}),
    refusals: ['none'],
    run: async (tx, { actor, key }) => {
      const { lines, owed, ahead } = inWords(await movements(tx, { person_id: actor.id }, many));
      const is_ahead = owed.startsWith('-');
      const values = {
        date: eatDate(clock.now()),
        lines,
        owed: is_ahead ? '-' : owed,
        ahead: is_ahead ? ahead : '-',
      };
      await notify(tx, [
        { key: `statement:${key}`, person_id: actor.id, template: 'statement', values },
      ]);
      return {};
    },
  }),
};

/** Throws Refusal 'none' where there is nothing yet. */
function inWords(all: readonly Movement[]): z.output<typeof Movements> {
  const [newest] = all;
  if (!newest) throw new Refusal('none');
  const owed_cents = newest.after_cents;
  return {
    owed: decimalFromCents(owed_cents),
    ahead: decimalFromCents(owed_cents < 0n ? -owed_cents : 0n),
    last: all.slice(0, few).map((it) => ({
      id: String(it.id),
      at: it.at.toISOString(),
      ref: it.ref,
      amount: decimalFromCents(it.change_cents),
      after: decimalFromCents(it.after_cents),
    })),
    lines: linesOf(all),
  };
}

interface Movement {
  id: bigint;
  at: Date;
  /** The invoice's number, or the payment's receipt. */
  ref: string;
  /** What a payment has paid. */
  paid_for: string[];
  /** More to pay is positive; paid is negative. */
  change_cents: bigint;
  /** What was left to pay after it; below nothing, what was paid ahead. */
  after_cents: bigint;
}

// A payment's postings on one account: more than any has, so that none is cut in two.
const most_parts = 10;

// Newest first by the index of each account; what came after is taken off today's balance. What a
// payment has paid at once is one line.
async function movements(
  db: Db,
  whose: { person_id: bigint } | { id: bigint },
  count: number,
): Promise<Movement[]> {
  const theirs = 'id' in whose ? sql`c.id = ${whose.id}` : sql`c.person_id = ${whose.person_id}`;
  const { rows } = await sql<Movement>`
    with mine as (
      select a.id, a.code like '1200:%' as owed, coalesce(b.balance_cents, 0) as balance_cents
      from customers c
      join accounts a on a.owner_kind = 'customer' and a.owner_id = c.id
        and (a.code like '1200:%' or a.code like '2010:%')
      left join account_balances b on b.account_id = a.id
      where ${theirs}
    ), moved as (
      select p.ledger_transaction_id as id, p.amount_cents
      from mine, lateral (
        select ledger_transaction_id, amount_cents from postings
        where debit_account_id = mine.id
        order by ledger_transaction_id desc limit ${count * most_parts}) p
      union all
      select p.ledger_transaction_id, -p.amount_cents
      from mine, lateral (
        select ledger_transaction_id, amount_cents from postings
        where credit_account_id = mine.id
        order by ledger_transaction_id desc limit ${count * most_parts}) p
    ), parts as (
      select t.id, t.effective_at as at, m.change_cents, p.receipt,
        case when p.id is null then t.id::text
             else concat_ws(':', p.id, t.reverses_id is not null, t.effective_at) end as line,
        nullif(a.due_reference, 'credit') as paid_for,
        coalesce(substring(t.key from '^invoice:(.+):issued'), t.kind) as name
      from (
        select id, sum(amount_cents)::bigint as change_cents from moved
        group by id having sum(amount_cents) <> 0
      ) m
      join ledger_transactions t using (id)
      left join allocations a on a.id = substring(t.key from '^allocation:([0-9]+)')::bigint
      left join payments p on p.id = a.payment_id
    ), changes as (
      select max(id) as id, max(at) as at, sum(change_cents)::bigint as change_cents,
        coalesce(max(receipt), max(name)) as ref,
        array_remove(array_agg(paid_for order by id), null) as paid_for
      from parts group by line order by 1 desc limit ${count}
    )
    select id, at, change_cents, ref, paid_for,
      ((select sum(case when owed then balance_cents else -balance_cents end) from mine)
        - coalesce(sum(change_cents) over (
            order by id desc rows between unbounded preceding and 1 preceding), 0)
      )::bigint as after_cents
    from changes order by id desc
  `.execute(db);
  return rows;
}

// Without words, so that they are the same in every language.
function linesOf(all: readonly Movement[]): string {
  return all
    .map(({ at, ref, change_cents, paid_for }) => {
      const [year, month, day] = eatDate(at).split('-');
      const amount = decimalFromCents(change_cents).replace(/\B(?=(\d{3})+(?=\.))/g, ',');
      const sign = change_cents > 0n ? '+' : '';
      return `${day}/${month}/${year} ${sign}${amount} ${withPaid(ref, paid_for)}`;
    })
    .join('\n');
}
