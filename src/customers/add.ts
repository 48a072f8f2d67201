import type { Tx } from '../base/db.ts';
import { openAccounts } from '../ledger/accounts.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';

export interface NewCustomer {
  number: string;
  name: string;
  person_id: bigint | null;
}

/**
 * Adds a customer with the two accounts that every customer has: what they owe, what they paid
 * ahead.
 */
export async function addCustomer(tx: Tx, customer: NewCustomer): Promise<bigint> {
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
