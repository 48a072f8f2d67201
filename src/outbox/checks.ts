import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';

/** That nothing which is to be told is stuck. */
export const outboxChecks: readonly Check[] = [
  finding(
    'no lease outlives its holder',
    sql`
      select 'message ' || id || ' has been in flight since ' || lease_until as found
      from outbox where state = 'sending' and lease_until < now() - interval '1 minute'
      order by id limit 20`,
  ),
  finding(
    'the next message of each person is not long after its time',
    sql`
      select 'message ' || id || ' has waited since ' || due_at as found
      from (
        select distinct on (person_id) id, state, due_at from outbox
        where state in ('waiting', 'sending') order by person_id, id
      ) next
      where state = 'waiting' and due_at < now() - interval '2 minutes'
      order by id limit 20`,
  ),
];
