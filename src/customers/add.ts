import { sql } from 'kysely';
import { countFrom, nextNumber } from '../base/counters.ts';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { isName, shownLine } from '../base/text.ts';
import { openAccounts } from '../ledger/accounts.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';
import { enrol } from '../people/enrol.ts';
import { customerNumber } from './number.ts';

export interface NewCustomer {
  number: string;
  name: string;
  person_id: bigint | null;
  added_by?: bigint | null;
}

/**
 * Adds a customer under a number that was given elsewhere, with the two accounts that every
 * customer has: what they owe, what they paid ahead.
 */
export async function addCustomer(tx: Tx, customer: NewCustomer): Promise<bigint> {
  await countFrom(tx, 'customer', BigInt(customer.number.slice('CUST-'.length)));
  return writeCustomer(tx, customer);
}

export interface ToRegister {
  name: string;
  /** 254…; without it nobody can be told anything, and no payment is known by its number. */
  msisdn: string | null;
  /** Who adds them: null when it is a command. */
  by: bigint | null;
  /** One that they already have, elsewhere; the next one if not said. */
  number?: string | undefined;
}

const longest_name = 100;

/**
 * Adds a customer, under the next number if they have none, and makes the person behind the phone
 * known, for whose number whoever adds them vouches. Refuses a phone that is a customer's already
 * (`exists`) and what is no name (`no_name`).
 */
export async function registerCustomer(
  tx: Tx,
  it: ToRegister,
): Promise<{ id: bigint; number: string; name: string }> {
  const name = shownLine(it.name, longest_name);
  if (!isName(name)) throw new Refusal('no_name');
  // Who is added twice at once waits here for the first.
  const [person_id = null] =
    it.msisdn === null ? [] : await enrol(tx, [{ msisdn: it.msisdn, name, roles: ['customer'] }]);
  if (person_id !== null) {
    const { rows } = await sql`
      select from customers where person_id = ${person_id} limit 1`.execute(tx);
    if (rows.length > 0) throw new Refusal('exists');
  }
  const number = it.number ?? customerNumber(String(await nextNumber(tx, 'customer')));
  const write = it.number === undefined ? writeCustomer : addCustomer;
  const id = await write(tx, { number, name, person_id, added_by: it.by });
  return { id, number, name };
}

async function writeCustomer(tx: Tx, customer: NewCustomer): Promise<bigint> {
  const { id } = await tx
    .insertInto('customers')
    .values(customer)
    .returning('id')
    .executeTakeFirstOrThrow();
  const owner = { kind: 'customer', id } as const;
  await openAccounts(tx, [
    { code: receivableOf(customer.number), owner, floor_cents: 0n },
    { code: creditOf(customer.number), owner, floor_cents: 0n },
  ]);
  return id;
}
