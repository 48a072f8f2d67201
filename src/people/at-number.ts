import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';

/**
 * The person who has this number. A number that nobody has yet becomes somebody's of whom no more
 * is known; that it is theirs is not proven by it.
 */
export async function personAtNumber(tx: Tx, msisdn: string): Promise<bigint> {
  const there = await knownAtNumber(tx, msisdn);
  if (there !== undefined) return there;
  // As whoever is first heard of on a channel is written down: one after the other.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`address:msisdn:${msisdn}`}, 0))`.execute(
    tx,
  );
  const meanwhile = await knownAtNumber(tx, msisdn);
  if (meanwhile !== undefined) return meanwhile;
  const { rows } = await sql<{ person_id: bigint }>`
    with somebody as (insert into people default values returning id)
    insert into addresses (person_id, kind, value) select id, 'msisdn', ${msisdn} from somebody
    returning person_id
  `.execute(tx);
  const [row] = rows;
  if (!row) throw new Error('A new person could not be written down');
  return row.person_id;
}

/** The person who has this number; undefined when nobody has it yet. */
export async function knownAtNumber(tx: Tx, msisdn: string): Promise<bigint | undefined> {
  const { rows } = await sql<{ person_id: bigint }>`
    select coalesce(p.merged_into, p.id) as person_id
    from addresses a join people p on p.id = a.person_id
    where a.kind = 'msisdn' and a.value = ${msisdn}
  `.execute(tx);
  return rows[0]?.person_id;
}
