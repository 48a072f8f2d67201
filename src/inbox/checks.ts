import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';

/** That nothing which came is stuck. */
export const inboxChecks: readonly Check[] = [
  finding(
    'nothing that came waits long after its time',
    sql`
      select 'inbox ' || id || ' has waited since ' || greatest(due_at, received_at) as found
      from inbox i
      where state = 'new' and greatest(due_at, received_at) < now() - interval '1 minute'
        and not exists (
          select from inbox earlier
          where earlier.source = i.source and earlier.subject = i.subject
            and earlier.state = 'new' and earlier.id < i.id)
      order by due_at limit 20`,
  ),
  finding(
    'nothing that came was given up',
    sql`select 'inbox ' || id || ' was given up' as found from inbox where state = 'failed' limit 20`,
  ),
];
