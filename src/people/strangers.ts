import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert } from '../base/errors.ts';

/** Somebody new with a person's name and language, for an address that is theirs no more. */
export async function makeStranger(tx: Tx, person_id: bigint): Promise<bigint> {
  const { rows } = await sql<{ id: bigint }>`
    insert into people (name, language) select name, language from people where id = ${person_id}
    returning id
  `.execute(tx);
  const id = rows[0]?.id;
  assert(id !== undefined, 'an inserted row has an id');
  return id;
}
