import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { withRole } from '../people/find.ts';
import type { Allocated } from './allocate.ts';
import type { Conflict } from './record.ts';

/** Queues what the admins and the payers are told of new payments. */
export async function tellOfPayments(
  tx: Tx,
  allocated: Allocated[],
  digest_above_per_minute: number,
): Promise<void> {
  const admins = await withRole(tx, 'admin');
  const room = digest_above_per_minute - (await toldLastMinute(tx));
  const alone = allocated.slice(0, Math.max(0, room));
  await markTold(tx, alone);
  await notify(tx, [
    ...alone.flatMap((a) => admins.map((person_id) => adminAlert(a, person_id))),
    ...allocated.flatMap(payerThanks),
  ]);
}

/** Tells the admins that a receipt was reported again with something else. */
export async function tellOfConflicts(tx: Tx, conflicts: Conflict[]): Promise<void> {
  if (conflicts.length === 0) return;
  const admins = await withRole(tx, 'admin');
  await notify(
    tx,
    conflicts.flatMap(({ hearing, recorded_cents }) =>
      admins.map((person_id) => ({
        key: `conflict:${hearing.inbox_id}:${person_id}`,
        person_id,
        template: 'payment_conflict',
        values: {
          receipt: hearing.receipt,
          amount: decimalFromCents(recorded_cents),
          heard: decimalFromCents(hearing.amount_cents),
          shortcode: hearing.shortcode,
        },
      })),
    ),
  );
}

async function toldLastMinute(tx: Tx): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from payments
    where created_at > now() - interval '1 minute' and told = 'alone'
  `.execute(tx);
  return rows[0]?.count ?? 0;
}

async function markTold(tx: Tx, alone: Allocated[]): Promise<void> {
  if (alone.length === 0) return;
  await sql`
    update payments set told = 'alone' where id = any(${alone.map((a) => a.payment.id)}::bigint[])
  `.execute(tx);
}

function adminAlert(it: Allocated, person_id: bigint): Message {
  const { payment, decision } = it;
  const paid = summary(it);
  const values = {
    invoice: paid.references,
    amount: decimalFromCents(payment.amount_cents),
    receipt: payment.receipt,
    customer: payerInWords(it),
    left: decimalFromCents(paid.left_cents),
    credit: decimalFromCents(paid.credit_cents),
    account: payment.account_typed || '-',
    likely: decision.also_possible.join(', ') || '-',
  };
  const template = (() => {
    if (decision.rule === 'unmatched') return 'payment_unmatched';
    if (paid.dues === 0) return 'payment_to_credit';
    if (paid.dues > 1) return 'payment_several';
    if (paid.left_cents > 0n) return 'payment_part';
    return paid.credit_cents > 0n ? 'payment_credit' : 'payment_full';
  })();
  return { key: `payment:${payment.id}:admin:${person_id}`, person_id, template, values };
}

// The payer when we know them; M-Pesa often hides who paid, and then whoever owed is thanked.
function payerThanks(it: Allocated): Message[] {
  const { payment, decision, payer } = it;
  const person_id = payer?.person_id ?? decision.parts[0]?.due.person_id ?? null;
  if (person_id === null) return [];
  const paid = summary(it);
  const template = (() => {
    if (decision.rule === 'unmatched') return 'unmatched_payer';
    if (paid.dues === 0) return 'paid_to_credit';
    if (paid.left_cents > 0n) return 'paid_part';
    return paid.credit_cents > 0n ? 'overpaid' : 'paid_full';
  })();
  const values = {
    name: firstName(payment.payer_name),
    amount: decimalFromCents(payment.amount_cents),
    ref: paid.references,
    receipt: payment.receipt,
    left: decimalFromCents(paid.left_cents),
    extra: decimalFromCents(paid.credit_cents),
  };
  return [{ key: `payment:${payment.id}:payer`, person_id, template, values }];
}

function summary(it: Allocated) {
  const parts = it.decision.parts.map((part, index) => ({
    ...part,
    left_cents: it.left_cents[index] ?? 0n,
  }));
  const dues = parts.filter((part) => part.due.kind !== 'credit');
  const credit = parts.find((part) => part.due.kind === 'credit');
  return {
    dues: dues.length,
    references: dues.map((part) => part.due.reference).join(', '),
    left_cents: dues.reduce((sum, part) => sum + part.left_cents, 0n),
    credit_cents: credit?.amount_cents ?? 0n,
  };
}

/** "+254722000000 (KAMAU)": the number as far as M-Pesa gives it or we know it, and M-Pesa's name. */
function payerInWords({ payment, payer }: Allocated): string {
  const clear = payment.payer_msisdn ?? payer?.msisdn;
  const number = clear ? `+${clear}` : unstarred(payment.payer_masked ?? '');
  return payment.payer_name ? `${number} (${payment.payer_name})` : number;
}

// "2547 ***** 126" without the stars, which are bold on WhatsApp. A masked hash says nothing to anybody.
function unstarred(masked: string): string {
  return masked === '' || masked.length > 20 ? '-' : masked.replace(/\s*\*+\s*/g, 'xxx');
}

/** KAMAU NJOROGE is Kamau to his face. */
function firstName(name: string | null): string {
  const first = name?.trim().split(/\s+/)[0] ?? '';
  return first ? first[0]?.toUpperCase() + first.slice(1).toLowerCase() : '';
}
