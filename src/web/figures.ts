import type { Pool } from 'pg';
import { ask } from './ask.ts';

/** What the database says to an operator, all of it from one statement and so of one moment. */
export interface Figures {
  inbox: { source: string; waiting: number; failed: number; rejected: number; age_s: number }[];
  outbox: Record<'waiting' | 'in_flight' | 'failed' | 'unknown' | 'age_s', number>;
  unmatched: { payments: number; shillings: number };
  /** Payments that nothing but their callbacks has told of. */
  unverified: number;
  /** How far each shortcode's payments have been asked for. */
  pulls: { shortcode: string; age_s: number }[];
  conflicts: number;
  /** What happened at the steps of conversations, since ever. */
  steps: {
    flow: string;
    step: string;
    channel: string;
    language: string;
    what: string;
    times: number;
  }[];
  /** Whether the number that is linked as a device is connected, where one ever was held. */
  linked: { open: boolean } | null;
  /** The last check of the books that came to its end. */
  books: { findings: number; at_s: number; took_s: number } | null;
}

/** A queue is counted this far: what waits behind so much is not worth reading it all. */
export const counted_to = 10_000;

const count = (rows: string) => `(select count(*) from (select ${rows} limit ${counted_to}) q)`;

// Each part reads a partial index or the end of one, never what is done with (measured: 3 ms with a
// million rows each in inbox, outbox and payments, 6 with 100,000 more waiting in both queues). A
// row that waits for its retry is not late: its age counts from when it is due; nor is one that
// waits for an earlier one of its subject or person. The sources are found by going from one to the
// next in the index.
const look = `
  with recursive sources as (
    (select source from inbox order by source limit 1)
    union all
    select (select i.source from inbox i where i.source > s.source order by i.source limit 1)
    from sources s where s.source is not null
  ), failed as (
    select source, count(*) as rows
    from (select source from inbox where state = 'failed' limit ${counted_to}) q group by source
  ), rejected as (
    select source, count(*) as rows
    from (select source from inbox_rejected
          where received_at > now() - interval '1 day' limit ${counted_to}) q group by source
  ), arrivals as (
    select source,
           ${count(`from inbox i where i.state = 'new' and i.source = s.source`)} as waiting,
           coalesce(failed.rows, 0) as failed, coalesce(rejected.rows, 0) as rejected,
           coalesce((
             select greatest(extract(epoch from now() - greatest(i.received_at, i.due_at)), 0)
             from inbox i where i.state = 'new' and i.source = s.source and i.due_at <= now()
               and (select earlier.id from inbox earlier
                    where earlier.source = i.source and earlier.subject = i.subject
                      and earlier.id < i.id and earlier.state = 'new' limit 1) is null
             order by i.due_at limit 1), 0) as age_s
    from (select source from sources where source is not null
          union select source from rejected) s
    left join failed using (source) left join rejected using (source)
    order by source
  )
  select
    (select coalesce(json_agg(a), '[]') from arrivals a) as inbox,
    json_build_object(
      'waiting', ${count(`from outbox where state = 'waiting'`)},
      'in_flight', ${count(`from outbox where state = 'sending'`)},
      'failed', ${count(`from outbox where state = 'failed'`)},
      'unknown', ${count(`from outbox where state = 'unknown'`)},
      'age_s', coalesce((
        select extract(epoch from now() - o.due_at) from outbox o
        where o.state = 'waiting' and o.due_at <= now()
          and (select earlier.id from outbox earlier
               where earlier.person_id = o.person_id and earlier.id < o.id
                 and earlier.state in ('waiting', 'sending') limit 1) is null
        order by o.due_at limit 1), 0)) as outbox,
    (select json_build_object('payments', count(*), 'shillings',
                              coalesce(sum(amount_cents - allocated_cents), 0) / 100.0)
     from payments where allocated_cents < amount_cents) as unmatched,
    ${count('from payments where verified_at is null and reversed_at is null')}::int as unverified,
    (select coalesce(json_agg(json_build_object(
       'shortcode', shortcode, 'age_s', extract(epoch from now() - complete_to))), '[]')
     from pulls where complete_to is not null) as pulls,
    (select count(*)::int from hearings where verdict = 'conflict') as conflicts,
    (select coalesce(json_agg(c), '[]') from step_counts c) as steps,
    (select json_build_object('open', state = 'open') from linked_device where fence > 0) as linked,
    (select json_build_object('findings', findings, 'at_s', extract(epoch from started_at),
                              'took_s', took_ms / 1000.0)
     from book_checks where took_ms is not null order by hour desc limit 1) as books`;

const patience_ms = 1_500;

/** What reads the figures; throws Late when the database does not answer. */
export function figureReader(pool: Pool): () => Promise<Figures> {
  return async () => {
    const [row] = await ask<Figures>(pool, patience_ms, { name: 'figures', text: look });
    if (!row) throw new Error('The database has no figures');
    return row;
  };
}
