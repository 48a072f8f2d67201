import { sql } from 'kysely';
import { z } from 'zod';
import { clock, eatDate, startOfEatDay } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Actions, type Actor, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';

export const reportActions: Actions = {
  'reports.home': action({
    input: z.object({}),
    output: z.object({
      role: z.enum(['admin', 'customer', 'other', 'none']),
      name: z.string(),
      total: Money,
      n: z.number(),
      left: Money,
      /** Whether a WhatsApp waits for this number to say that it is theirs. */
      claimed: z.boolean(),
    }),
    refusals: [],
    looks: true,
    run: (tx, { actor }) => home(tx, actor),
  }),

  'reports.today': action({
    input: z.object({}),
    output: z.object({
      received: Money,
      count: z.number(),
      matched: z.number(),
      unmatched: z.number(),
      unmatched_total: Money,
    }),
    refusals: ['not_allowed'],
    looks: true,
    run: (tx, { actor }) => {
      needRole(actor, 'admin');
      return today(tx);
    },
  }),
};

// The first line of the menu: what matters most to the first of their roles that has one.
async function home(db: Db, actor: Actor) {
  const name = actor.name ?? '';
  const { claimed, left } = await standing(db, actor);
  const nothing = { name, total: '0.00', n: 0, left: '0.00', claimed };
  if (actor.roles.includes('admin')) {
    const { received } = await today(db);
    return { ...nothing, role: 'admin', total: received, n: await countUnmatched(db) } as const;
  }
  if (actor.roles.includes('customer')) {
    return { ...nothing, role: 'customer', left } as const;
  }
  return { ...nothing, role: actor.roles.length > 0 ? 'other' : 'none' } as const;
}

async function today(db: Db) {
  const begins = startOfEatDay(eatDate(clock.now()));
  const { rows } = await sql<{
    received_cents: bigint;
    count: number;
    matched: number;
    unmatched_cents: bigint;
  }>`
    select coalesce(sum(amount_cents), 0)::bigint as received_cents,
           count(*)::int as count,
           count(*) filter (where state = 'matched')::int as matched,
           coalesce(sum(amount_cents - allocated_cents), 0)::bigint as unmatched_cents
    from payments where paid_at >= ${begins} and paid_at < ${begins}::timestamptz + interval '1 day'
  `.execute(db);
  const row = rows[0] ?? { received_cents: 0n, count: 0, matched: 0, unmatched_cents: 0n };
  return {
    received: decimalFromCents(row.received_cents),
    count: row.count,
    matched: row.matched,
    unmatched: row.count - row.matched,
    unmatched_total: decimalFromCents(row.unmatched_cents),
  };
}

async function countUnmatched(db: Db): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from payments where allocated_cents < amount_cents
  `.execute(db);
  return rows[0]?.count ?? 0;
}

// In one statement: whoever opens the menu comes through here. What a person owes is shown as
// receivable less credit, and never below nothing.
async function standing(db: Db, actor: Actor): Promise<{ claimed: boolean; left: string }> {
  const { rows } = await sql<{ claimed: boolean; left_cents: bigint }>`
    select exists (
        select from addresses a join link_proofs p on p.msisdn = a.value
        where a.person_id = ${actor.id} and a.kind = 'msisdn'
          and p.way = 'dial' and p.ended_at is null and p.expires_at > now()) as claimed,
      (select greatest(0, coalesce(sum(
           case when a.code like '1200:%' then b.balance_cents else -b.balance_cents end), 0))
       from customers c
       join accounts a on a.owner_kind = 'customer' and a.owner_id = c.id
       join account_balances b on b.account_id = a.id
       where c.person_id = ${actor.id})::bigint as left_cents
  `.execute(db);
  const row = rows[0] ?? { claimed: false, left_cents: 0n };
  return { claimed: row.claimed, left: decimalFromCents(row.left_cents) };
}
