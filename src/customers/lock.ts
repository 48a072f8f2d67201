import { sql } from 'kysely';
import { sendAhead } from '../base/connection.ts';
import type { Tx } from '../base/db.ts';

/**
 * Locks customers until the commit, in id order and ahead of the next statement: what they owe and
 * what they have paid ahead move one after the other, so that credit never waits beside an invoice
 * that it did not see.
 */
export async function lockCustomers(tx: Tx, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return;
  await sendAhead(
    tx,
    sql`select from customers where id = any(${[...ids]}::bigint[]) order by id for no key update`,
  );
}
