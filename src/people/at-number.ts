import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import type { Belongings } from './belongings.ts';
import { addSomebodyAt, personById } from './find.ts';

/**
 * The person who has this number. A number that nobody has yet becomes somebody's of whom no more
 * is known; that it is theirs is not proven by it.
 */
export async function personAtNumber(tx: Tx, msisdn: string): Promise<bigint> {
  const there = await knownAtNumber(tx, msisdn);
  if (there !== undefined) return there;
  await addSomebodyAt(tx, { kind: 'msisdn', value: msisdn, proven: false });
  const added = await knownAtNumber(tx, msisdn);
  if (added === undefined) throw new Error('A new person could not be written down');
  return added;
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

/** Whom a number, or a customer's number, names. Throws Refusal 'unknown'. */
export async function namedPerson(tx: Tx, belongings: Belongings, text: string): Promise<bigint> {
  const msisdn = msisdnFrom(text);
  const id =
    msisdn === undefined
      ? await belongings.personOfCustomer(tx, text)
      : await knownAtNumber(tx, msisdn);
  if (id === undefined) throw new Refusal('unknown');
  return (await personById(tx, id)).id;
}
