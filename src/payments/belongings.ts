import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';

/**
 * Lets the prompts of one person be another's. Where both have one open for the same due it stays
 * where it is, since a person has one; what is told of it goes to the one who goes on.
 */
export async function handOverPrompts(
  tx: Tx,
  { keep, other }: { keep: bigint; other: bigint },
): Promise<void> {
  await sql`
    update prompts p set person_id = ${keep}
    where p.person_id = ${other} and (
      p.state in ('paid', 'failed') or not exists (
        select from prompts own
        where own.person_id = ${keep} and own.due_kind = p.due_kind and own.due_id = p.due_id
          and own.state not in ('paid', 'failed')))
  `.execute(tx);
}
