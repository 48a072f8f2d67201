import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import type { Dues, Returned } from './due.ts';

/** Why, and who decided it: null when Karani did, by a rule. */
export interface Why {
  by: bigint | null;
  reason: string;
  /** Allocations that stay as they are, by their ids. */
  keep?: bigint[];
}

/**
 * Takes back all that a payment has paid: its dues are open again, its money is in 2040, and what
 * it had paid stays on record with the reason. Throws Refusal 'spent' when credit that it became
 * has been used. The caller holds the payment's lock. Returns the dues that are open again.
 */
export async function takeBack(
  tx: Tx,
  dues: readonly Dues[],
  payment_id: bigint,
  { by, reason, keep = [] }: Why,
): Promise<Returned[]> {
  const { rows } = await sql<{
    id: bigint;
    due_kind: string;
    due_id: bigint;
    amount_cents: bigint;
  }>`
    update allocations set reversed_at = now(), reversed_by = ${by}, reversed_for = ${reason}
    where payment_id = ${payment_id} and reversed_at is null and id <> all(${keep}::bigint[])
    returning id, due_kind, due_id, amount_cents
  `.execute(tx);
  const taken_cents = rows.reduce((sum, row) => sum + row.amount_cents, 0n);
  const returned: Returned[] = [];
  for (const trade of dues) {
    const own = rows.filter((row) => row.due_kind === trade.kind);
    if (own.length > 0) returned.push(...(await trade.takeBack(tx, own)));
  }
  await sql`
    update payments set allocated_cents = allocated_cents - ${taken_cents}, rule = 'unmatched'
    where id = ${payment_id}
  `.execute(tx);
  return returned;
}
