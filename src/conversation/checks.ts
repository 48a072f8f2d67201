import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';

/** That nobody who wrote was left without an answer. */
export const conversationChecks: readonly Check[] = [
  finding(
    'every turn on WhatsApp and SMS has its answer in the outbox',
    sql`
      select t.key as found from turns t left join outbox o on o.key = 'turn:' || t.key
      where not t.silent and t.at > now() - interval '7 days' and o.id is null
      limit 20`,
  ),
];
