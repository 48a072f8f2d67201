import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { shownLine } from '../base/text.ts';
import { lockCustomers } from '../customers/lock.ts';
import { reverseLedger } from '../ledger/reverse.ts';
import { notify } from '../outbox/notify.ts';
import { dropWaiting } from '../payments/end-prompts.ts';
import { creditKey, spendCredit } from './spend-credit.ts';

export interface ToVoid {
  number: string;
  by: bigint | null;
  reason: string;
}

const longest_reason = 120;

/**
 * Makes an invoice void: it is reversed on the books, nothing is left to pay of it, and the
 * customer is told. What credit has paid of it is credit again, and pays what else is open. One
 * that a payment has paid stays: it is refused (`paid`, `partly_paid`) until that payment is moved
 * elsewhere, since who moves money says where it goes. Also refused: `unknown`, `void` already,
 * `no_reason`.
 */
export async function voidInvoice(tx: Tx, it: ToVoid): Promise<{ credit_cents: bigint }> {
  const reason = shownLine(it.reason, longest_reason);
  if (reason === '') throw new Refusal('no_reason');
  const found = await tx
    .selectFrom('invoices as i')
    .innerJoin('customers as c', 'c.id', 'i.customer_id')
    .select(['i.id', 'c.id as customer_id', 'c.number as customer', 'c.person_id'])
    .where('i.number', '=', it.number)
    .executeTakeFirst();
  if (!found) throw new Refusal('unknown');
  await lockCustomers(tx, [found.customer_id]);
  const invoice = await tx
    .selectFrom('invoices')
    .select(['id', 'total_cents', 'outstanding_cents', 'voided_at'])
    .where('id', '=', found.id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  if (invoice.voided_at) throw new Refusal('void');
  const credit_cents = await takeCreditBack(tx, invoice.id, { by: it.by, reason });
  if (invoice.outstanding_cents + credit_cents < invoice.total_cents) {
    throw new Refusal(invoice.outstanding_cents === 0n ? 'paid' : 'partly_paid');
  }
  await sql`
    update invoices set outstanding_cents = 0, voided_at = ${clock.now()}, voided_by = ${it.by},
      void_reason = ${reason}
    where id = ${invoice.id}
  `.execute(tx);
  await dropWaiting(tx, { kind: 'invoice', id: invoice.id });
  await reverseLedger(tx, [{ of: `invoice:${it.number}:issued`, effective_at: clock.now() }]);
  await spendCredit(tx, { id: found.customer_id, number: found.customer });
  if (found.person_id !== null) {
    const values = { ref: it.number, amount: decimalFromCents(invoice.total_cents) };
    const key = `invoice:${it.number}:void`;
    const { person_id } = found;
    await notify(tx, [{ key, person_id, template: 'invoice_void', values, trade: 'invoice' }]);
  }
  return { credit_cents };
}

// Returns how much it was, in cents.
async function takeCreditBack(
  tx: Tx,
  invoice_id: bigint,
  { by, reason }: Pick<ToVoid, 'by' | 'reason'>,
): Promise<bigint> {
  const { rows } = await sql<{ id: bigint; amount_cents: bigint }>`
    update credit_allocations
    set reversed_at = ${clock.now()}, reversed_by = ${by}, reversed_for = ${reason}
    where due_kind = 'invoice' and due_id = ${invoice_id} and reversed_at is null
    returning id, amount_cents
  `.execute(tx);
  const effective_at = clock.now();
  await reverseLedger(
    tx,
    rows.map(({ id }) => ({ of: creditKey(id), effective_at })),
  );
  return rows.reduce((sum, row) => sum + row.amount_cents, 0n);
}
