import { sql } from 'kysely';
import type { Tx } from './db.ts';

/**
 * The next number of what is counted under this name. Its row is held until the commit, so that no
 * number is given twice and one that was rolled back is given again.
 */
export async function nextNumber(tx: Tx, name: string): Promise<bigint> {
  const { rows } = await sql<{ last: bigint }>`
    insert into counters (name, last) values (${name}, 1)
    on conflict (name) do update set last = counters.last + 1
    returning last
  `.execute(tx);
  return rows[0]?.last ?? 1n;
}

/** Goes on counting behind a number that was given elsewhere. */
export async function countFrom(tx: Tx, name: string, given: bigint): Promise<void> {
  await sql`
    insert into counters (name, last) values (${name}, ${given})
    on conflict (name) do update set last = excluded.last where counters.last < excluded.last
  `.execute(tx);
}
