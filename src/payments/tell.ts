import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { decimalFromCents, shortMoney } from '../base/money.ts';
import type { MatchRule } from '../base/schema.ts';
import { ask } from '../outbox/ask.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { firstName } from '../people/first-name.ts';
import { withRole } from '../people/find.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import type { Allocated } from './allocate.ts';
import type { Conflict } from './record.ts';
import { questionOf } from './unmatched.ts';

/** Queues what the admins and the payers are told of new payments. */
export async function tellOfPayments(
  tx: Tx,
  allocated: Allocated[],
  { digest_above_per_minute, late }: { digest_above_per_minute: number; late: ReadonlySet<bigint> },
): Promise<void> {
  const admins = await withRole(tx, 'admin');
  const room = digest_above_per_minute - (await toldLastMinute(tx));
  const alone = allocated.slice(0, Math.max(0, room));
  await markTold(tx, alone);
  const nobodys = alone.filter(({ decision }) => decision.rule === 'unmatched');
  // Whose it is is asked, not told.
  await ask(
    tx,
    nobodys.flatMap(({ payment }) =>
      admins.map((person_id) => ({ ref: questionOf(payment.id), person_id, flow: 'unmatched' })),
    ),
  );
  const known = alone.filter((it) => !nobodys.includes(it));
  await notify(tx, [
    ...known.flatMap((a) => admins.map((person_id) => adminAlert(a, person_id))),
    ...allocated.flatMap((it) => thanks(it, late.has(it.payment.id))),
  ]);
}

/** Tells the admins of receipts that were reported again with something else. */
export async function tellOfConflicts(tx: Tx, conflicts: Conflict[]): Promise<void> {
  if (conflicts.length === 0) return;
  const admins = await withRole(tx, 'admin');
  await notify(
    tx,
    conflicts.flatMap(({ hearing, recorded_cents, recorded_shortcode }) =>
      admins.map((person_id) => ({
        key: `conflict:${hearing.inbox_id}:${person_id}`,
        person_id,
        template: 'payment_conflict',
        values: {
          receipt: hearing.receipt,
          amount: decimalFromCents(recorded_cents),
          first: recorded_shortcode,
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

const by_number = new Set<MatchRule>(['single', 'amount', 'oldest']);

function adminAlert(it: Allocated, person_id: bigint): Message {
  const { payment, decision } = it;
  const paid = summary(it);
  const values = {
    invoice: paid.dues > 1 ? paid.amounts : paid.references,
    amount: decimalFromCents(payment.amount_cents),
    receipt: payment.receipt,
    customer: payerInWords(it),
    // Where another pays than who owes.
    of: isOwn(it) ? '-' : paid.owner,
    left: decimalFromCents(paid.left_cents),
    credit: decimalFromCents(paid.credit_cents),
    ahead: paid.credit_cents > 0n ? decimalFromCents(paid.credit_cents) : '-',
    account: payment.account_typed || '-',
    // What was typed and named nothing: the payer's number decided instead, perhaps wrongly.
    typed: by_number.has(decision.rule) ? payment.account_typed || '-' : '-',
  };
  const template = (() => {
    if (paid.dues === 0) return 'payment_to_credit';
    if (paid.dues > 1) return 'payment_several';
    if (paid.left_cents > 0n) return 'payment_part';
    return paid.credit_cents > 0n ? 'payment_credit' : 'payment_full';
  })();
  return { key: `payment:${payment.id}:admin:${person_id}`, person_id, template, values };
}

function isOwn({ decision, payer }: Allocated): boolean {
  return payer !== undefined && decision.parts.every((p) => p.due.person_id === payer.person_id);
}

/**
 * Whoever owed is told what is left; a payer who is somebody else is thanked for what they did and
 * no more, since another's debt is not theirs to read. M-Pesa often hides who paid, and then there
 * is only the first.
 */
function thanks(it: Allocated, late: boolean): Message[] {
  const { payment, decision, payer } = it;
  const owner_id = decision.parts[0]?.due.person_id ?? null;
  const payer_id = payer?.person_id ?? null;
  const paid = summary(it);
  const values = {
    name: payer_id === owner_id ? firstName(payment.payer_name ?? '') : '',
    amount: decimalFromCents(payment.amount_cents),
    ref: paid.references,
    receipt: payment.receipt,
    left: decimalFromCents(paid.left_cents),
    extra: decimalFromCents(paid.credit_cents),
    account: (decision.rule === 'prompt' ? paid.references : payment.account_typed) || '-',
  };
  const messages: Message[] = [];
  if (payer_id !== null && payer_id !== owner_id) {
    const template = decision.rule === 'unmatched' ? 'unmatched_payer' : 'paid_for_another';
    const own = { ...values, name: firstName(payment.payer_name ?? '') };
    messages.push({
      key: `payment:${payment.id}:payer`,
      person_id: payer_id,
      template,
      values: own,
    });
  }
  if (owner_id !== null) {
    const template = late && paid.dues > 0 ? 'paid_late' : ownersTemplate(paid);
    const key = `payment:${payment.id}:owner`;
    const trade = decision.parts.find((part) => part.due.kind !== 'credit')?.due.kind;
    messages.push({ key, person_id: owner_id, template, values, ...(trade ? { trade } : {}) });
  }
  return messages;
}

/** How whoever owes is told of what was paid for them. */
export function ownersTemplate(paid: ReturnType<typeof summaryOf>): string {
  if (paid.dues === 0) return 'paid_to_credit';
  if (paid.left_cents > 0n) return 'paid_part';
  return paid.credit_cents > 0n ? 'overpaid' : 'paid_full';
}

function summary({ decision, left_cents }: Allocated) {
  return summaryOf(
    decision.parts.map((part, index) => ({ ...part, left_cents: left_cents[index] ?? 0n })),
  );
}

type Part = Allocated['decision']['parts'][number] & { left_cents: bigint };

/** What these parts pay together: whose dues, by reference, what is left of them, and credit. */
export function summaryOf(parts: Part[]) {
  const dues = parts.filter((part) => part.due.kind !== 'credit');
  const credit = parts.find((part) => part.due.kind === 'credit');
  return {
    dues: dues.length,
    references: dues.map((part) => part.due.reference).join(', '),
    amounts: dues
      .map((part) => `${part.due.reference} ${shortMoney(part.amount_cents)}`)
      .join(', '),
    owner: [...new Set(parts.map((part) => part.due.owner ?? '-'))].join('; ') || '-',
    left_cents: dues.reduce((sum, part) => sum + part.left_cents, 0n),
    credit_cents: credit?.amount_cents ?? 0n,
  };
}

/**
 * "+254722000000 (KAMAU)": the number as far as M-Pesa gives it or we know it, and M-Pesa's name.
 */
function payerInWords({ payment, payer }: Allocated): string {
  const clear = payment.payer_msisdn ?? payer?.msisdn;
  const number = clear ? `+${clear}` : unstarred(payment.payer_masked ?? '');
  if (!payment.payer_name) return number;
  return number === '-' ? payment.payer_name : `${number} (${payment.payer_name})`;
}

// "2547 ***** 126" without the stars, which are bold on WhatsApp. A masked hash says nothing to
// anybody.
function unstarred(masked: string): string {
  if (masked === '' || masked.length > 20) return '-';
  return masked.replace(/^254/, '0').replace(/\s*\*+\s*/g, 'xxx');
}

/** A payment of which M-Pesa does not say what its callback said. */
export type Contradicted = { id: bigint; receipt: string; amount_cents: bigint };

/** Tells the admins, once a payment, that M-Pesa does not know it as we were told of it. */
export async function tellContradicted(tx: Tx, payments: Contradicted[]): Promise<void> {
  for (const { id, receipt, amount_cents } of payments) {
    await tellAdmins(tx, {
      key: `payment:${id}:contradicted`,
      template: 'payment_contradicted',
      values: { receipt, amount: decimalFromCents(amount_cents) },
    });
  }
}

/** Tells the admins of a callback that could not be worked through: we said yes to it. */
export async function tellGivenUp(tx: Tx, row: { id: bigint }): Promise<void> {
  await tellAdmins(tx, {
    key: `callback:${row.id}:${eatDate(clock.now())}`,
    template: 'callback_failed',
    values: { id: String(row.id) },
  });
}
