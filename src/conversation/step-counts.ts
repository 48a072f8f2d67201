import { sql } from 'kysely';
import type { Db } from '../base/db.ts';

/**
 * Adds up what happened at the steps of conversations since the last time. Several at once share
 * the rows.
 */
export async function countSteps(db: Db): Promise<void> {
  await sql`
    with taken as (
      delete from step_events
      where ctid = any(array(select ctid from step_events limit 10000 for update skip locked))
      returning flow, step, channel, language, what
    )
    insert into step_counts as c (flow, step, channel, language, what, times)
    select flow, step, channel, language, what, count(*) from taken
    group by flow, step, channel, language, what
    -- In one order, so that two at once do not wait for each other in a circle.
    order by flow, step, channel, language, what
    on conflict (flow, step, channel, language, what) do update
    set times = c.times + excluded.times
  `.execute(db);
}
