import { sql } from 'kysely';
import type { Db } from '../base/db.ts';

/** A message that this process may send now, until its lease runs out. */
export interface Leased {
  id: bigint;
  person_id: bigint;
  language: 'en' | 'sw';
  whatsapp: string | null;
  template: string | null;
  values: Record<string, string>;
  words: string | null;
  attempts: number;
}

const lease = '20 seconds';
const most_attempts = 6;

/**
 * Leases the oldest due message of each of up to `count` persons. A person never has two in flight, so
 * messages arrive in order and a crash at the wrong instant repeats one at most.
 */
export async function leaseMessages(db: Db, count: number): Promise<Leased[]> {
  const { rows } = await sql<Leased>`
    with next as (
      select distinct on (person_id) person_id, id from outbox
      where state in ('waiting', 'sending')
      order by person_id, id
    ), due as (
      select o.id from outbox o join next using (id)
      where (o.state = 'waiting' and o.due_at <= now())
         or (o.state = 'sending' and o.lease_until < now())
      order by o.id limit ${count}
      for update of o skip locked
    ), leased as (
      update outbox o
      set state = 'sending', lease_until = now() + ${lease}::interval, attempts = attempts + 1
      from due where o.id = due.id
      returning o.*
    )
    select l.id, l.person_id, p.language, l.template, l.values, l.words, l.attempts,
           (select a.value from addresses a where a.person_id = p.id and a.kind = 'whatsapp'
            order by a.id limit 1) as whatsapp
    from leased l join people p on p.id = l.person_id
    order by l.id
  `.execute(db);
  return rows;
}

/** How an attempt to send ended. `later` is tried again after a while, and given up after six times. */
export type Sent =
  | { id: bigint; outcome: 'sent'; provider_id: string }
  | { id: bigint; outcome: 'later' | 'never'; error: string };

/** Records how attempts ended. What is given up stays, visible as failed. */
export async function recordSent(db: Db, results: Sent[]): Promise<void> {
  if (results.length === 0) return;
  await sql`
    update outbox o set
      state = case when r.outcome = 'sent' then 'sent'
                   when r.outcome = 'never' or o.attempts >= ${most_attempts} then 'failed'
                   else 'waiting' end,
      sent_at = case when r.outcome = 'sent' then now() end,
      provider_id = r.provider_id,
      error = r.error,
      due_at = now() + interval '2 seconds' * power(3, o.attempts),
      lease_until = null
    from unnest(
      ${results.map((r) => r.id)}::bigint[],
      ${results.map((r) => r.outcome)}::text[],
      ${results.map((r) => (r.outcome === 'sent' ? r.provider_id : null))}::text[],
      ${results.map((r) => (r.outcome === 'sent' ? null : r.error.slice(0, 500)))}::text[]
    ) as r(id, outcome, provider_id, error)
    where o.id = r.id and o.state = 'sending'
  `.execute(db);
}
