import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { personById, withRole } from '../people/find.ts';
import type { Returned } from './due.ts';
import type { Decision } from './match.ts';
import { ownersTemplate, summaryOf } from './tell.ts';

export interface Told {
  payment: { id: bigint; receipt: string; amount_cents: bigint };
  parts: Decision['parts'];
  /** What it had paid before, when it was moved. */
  returned: Returned[];
  /** Whether it is kept for later, whatever is open. */
  kept?: boolean | undefined;
  /** Null when Karani moved it by a rule. */
  by: bigint | null;
}

/**
 * Tells whoever owes what a person has decided for them, whoever's due is open again, and the other
 * admins.
 */
export async function tellOfDecision(tx: Tx, it: Told): Promise<void> {
  const { payment, parts, returned, by } = it;
  const n = await countAllocations(tx, payment.id);
  // A payment may be decided on more than once.
  const key = `payment:${payment.id}:decided:${n}`;
  const owners = new Set(parts.map((part) => part.due.person_id));
  const gone = returned.filter((due) => !owners.has(due.person_id));
  await notify(tx, [
    ...[...owners].flatMap((person_id) => toOwner(it, key, person_id)),
    ...gone.flatMap(
      ({ kind, reference, person_id, amount_cents, left_cents }, index): Message[] => {
        if (person_id === null) return [];
        const values = {
          amount: decimalFromCents(amount_cents),
          receipt: payment.receipt,
          ref: reference,
          left: decimalFromCents(left_cents),
        };
        const template = kind === 'credit' ? 'credit_taken_back' : 'paid_taken_back';
        return [{ key: `${key}:returned:${index}`, person_id, template, values }];
      },
    ),
    ...(await toAdmins(tx, it, key, by)),
  ]);
}

function toOwner(
  { payment, parts, returned, kept }: Told,
  key: string,
  person_id: bigint | null,
): Message[] {
  if (person_id === null) return [];
  const own = parts
    .filter((part) => part.due.person_id === person_id)
    .map((part) => ({ ...part, left_cents: part.due.outstanding_cents }));
  const paid = summaryOf(own);
  const amount_cents = own.reduce((sum, part) => sum + part.amount_cents, 0n);
  const moved = returned.some((due) => due.person_id === person_id);
  const values = {
    name: '',
    amount: decimalFromCents(amount_cents),
    receipt: payment.receipt,
    ref: paid.references,
    left: decimalFromCents(paid.left_cents),
    extra: decimalFromCents(paid.credit_cents),
  };
  const template = (() => {
    if (moved) return paid.dues === 0 ? 'paid_moved_to_credit' : 'paid_moved';
    return kept && paid.dues === 0 ? 'paid_kept' : ownersTemplate(paid);
  })();
  return [{ key: `${key}:owner:${person_id}`, person_id, template, values }];
}

async function toAdmins(tx: Tx, it: Told, key: string, by: bigint | null): Promise<Message[]> {
  const name = by === null ? null : (await personById(tx, by)).name;
  const paid = summaryOf(it.parts.map((part) => ({ ...part, left_cents: 0n })));
  const values = {
    amount: decimalFromCents(it.payment.amount_cents),
    receipt: it.payment.receipt,
    paid: paid.references || '-',
    customer: paid.owner,
    credit: paid.credit_cents > 0n ? decimalFromCents(paid.credit_cents) : '-',
    who: name ?? '-',
  };
  const template = it.returned.length > 0 ? 'payment_moved' : 'payment_assigned';
  const admins = await withRole(tx, 'admin');
  return admins
    .filter((person_id) => person_id !== by)
    .map((person_id) => ({ key: `${key}:admin:${person_id}`, person_id, template, values }));
}

async function countAllocations(tx: Tx, payment_id: bigint): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from allocations where payment_id = ${payment_id}
  `.execute(tx);
  return rows[0]?.n ?? 0;
}
