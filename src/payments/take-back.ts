import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import type { Dues } from './due.ts';
import type { Returned } from './tell-decisions.ts';

/** Why, and who decided it: null when Karani did, by a rule. */
export interface Why {
  by: bigint | null;
  reason: string;
  /** A kind of due that keeps what it was paid. */
  but?: string;
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
  { by, reason, but = '' }: Why,
): Promise<Returned[]> {
  const { rows } = await sql<{
    id: bigint;
    due_kind: string;
    due_id: bigint;
    due_reference: string;
    amount_cents: bigint;
  }>`
    update allocations set reversed_at = now(), reversed_by = ${by}, reversed_for = ${reason}
    where payment_id = ${payment_id} and reversed_at is null and due_kind <> ${but}
    returning id, due_kind, due_id, due_reference, amount_cents
  `.execute(tx);
  const taken_cents = rows.reduce((sum, row) => sum + row.amount_cents, 0n);
  for (const trade of dues) {
    const own = rows.filter((row) => row.due_kind === trade.kind);
    if (own.length > 0) await trade.takeBack(tx, own);
  }
  await sql`
    update payments set allocated_cents = allocated_cents - ${taken_cents}, rule = 'unmatched'
    where id = ${payment_id}
  `.execute(tx);
  const returned = [];
  for (const trade of dues) {
    const references = rows
      .filter((row) => row.due_kind === trade.kind)
      .map((row) => row.due_reference);
    const named = references.length > 0 ? await trade.find(tx, references) : [];
    const parties = [...new Set(named.map((it) => it.party))];
    const open = parties.length > 0 ? await trade.open(tx, parties) : [];
    for (const { reference, person_id } of named) {
      const left_cents = open.find((due) => due.reference === reference)?.outstanding_cents ?? 0n;
      returned.push({ reference, person_id, left_cents });
    }
  }
  return returned;
}
