import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { balancesOf } from '../ledger/balances.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';
import type { Belongings } from '../people/belongings.ts';
import { customerNumbersIn } from './number.ts';

/** What customers' accounts have to do with persons. */
export const customerBelongings: Omit<Belongings, 'handOver'> = {
  customerNumberIn: (text) => customerNumbersIn(text)[0],

  async personOfCustomer(db, text) {
    const [number] = customerNumbersIn(text);
    if (number === undefined) return undefined;
    const row = await db
      .selectFrom('customers')
      .select('person_id')
      .where('number', '=', number)
      .executeTakeFirst();
    return row?.person_id ?? undefined;
  },

  async standingOf(db, person_id) {
    const numbers = await numbersOf(db, person_id);
    const balances = await balancesOf(db, [...numbers.map(receivableOf), ...numbers.map(creditOf)]);
    const sum = (codes: string[]) =>
      codes.reduce((total, code) => total + (balances.get(code) ?? 0n), 0n);
    return {
      customers: numbers.join(', '),
      owed_cents: sum(numbers.map(receivableOf)),
      credit_cents: sum(numbers.map(creditOf)),
    };
  },
};

/**
 * Lets the customers of one person be another's. They stay as many as they were, each with its own
 * accounts: nothing moves in the ledger.
 */
export async function handOverCustomers(
  tx: Tx,
  { keep, other }: { keep: bigint; other: bigint },
): Promise<void> {
  await sql`update customers set person_id = ${keep} where person_id = ${other}`.execute(tx);
}

async function numbersOf(db: Db, person_id: bigint): Promise<string[]> {
  const rows = await db
    .selectFrom('customers')
    .select('number')
    .where('person_id', '=', person_id)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.number);
}
