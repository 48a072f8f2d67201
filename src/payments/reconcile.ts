import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import type { PromptState } from '../base/schema.ts';

/** What was found how, and what nobody has proven yet. */
export interface Reconciled {
  /** Of payments paid within the last two days. */
  payments: number;
  /** How those were heard of: which told of them first, and which told of them again. */
  heard: { source: string; first: number; again: number; contradicting: number }[];
  /** By what those are proven; `nothing` for those that are not. */
  proven: { by: string; payments: number }[];
  /** Whenever they were paid, the oldest first; no more than 500. */
  unverified: Unverified[];
  unverified_in_all: number;
  prompts: OpenPrompt[];
  pulls: { shortcode: string; complete_to: Date | null; error: string | null }[];
}

export interface Unverified {
  receipt: string;
  shortcode: string;
  amount_cents: bigint;
  paid_at: Date;
  heard_at: Date;
  heard_by: string;
  /** What M-Pesa said when it was asked last. */
  asked: string | null;
}

export interface OpenPrompt {
  reference: string;
  due_reference: string;
  amount_cents: bigint;
  state: PromptState;
  created_at: Date;
}

const most_listed = 500;

/** What was heard of payments, how, and what is still unproven or open. */
export async function reconciled(db: Db): Promise<Reconciled> {
  const heard = await sql<Reconciled['heard'][number]>`
    select h.source, count(*) filter (where h.verdict = 'first')::int as first,
           count(*) filter (where h.verdict = 'repeat')::int as again,
           count(*) filter (where h.verdict = 'conflict')::int as contradicting
    from payments p join hearings h on h.payment_id = p.id
    where p.paid_at > now() - interval '48 hours' group by 1 order by 1
  `.execute(db);
  const proven = await sql<Reconciled['proven'][number]>`
    select coalesce(verified_by, 'nothing') as by, count(*)::int as payments
    from payments where paid_at > now() - interval '48 hours' group by 1 order by 1
  `.execute(db);
  const unverified = await sql<Unverified>`
    select p.receipt, p.shortcode, p.amount_cents, p.paid_at, p.created_at as heard_at,
           (select string_agg(distinct h.source, ', ') from hearings h
            where h.payment_id = p.id) as heard_by,
           (select q.verdict from status_questions q
            where q.payment_id = p.id and q.verdict is not null
            order by q.answered_at desc limit 1) as asked
    from payments p where p.verified_at is null and p.reversed_at is null
    order by p.created_at, p.id limit ${most_listed}
  `.execute(db);
  const all = await sql<{ n: number }>`
    select count(*)::int as n from payments where verified_at is null and reversed_at is null
  `.execute(db);
  const prompts = await sql<OpenPrompt>`
    select reference, due_reference, amount_cents, state, created_at from prompts
    where state not in ('paid', 'failed') order by id limit ${most_listed}
  `.execute(db);
  const pulls = await db
    .selectFrom('pulls')
    .select(['shortcode', 'complete_to', 'error'])
    .orderBy('shortcode')
    .execute();
  return {
    payments: proven.rows.reduce((sum, row) => sum + row.payments, 0),
    heard: heard.rows,
    proven: proven.rows,
    unverified: unverified.rows,
    unverified_in_all: all.rows[0]?.n ?? 0,
    prompts: prompts.rows,
    pulls,
  };
}
