import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { withdraw } from '../outbox/ask.ts';
import { applyDecisions } from './allocate.ts';
import type { Due, Dues, Named, Returned } from './due.ts';
import { type Decision, spread } from './match.ts';
import { takeBack } from './take-back.ts';
import { tellOfDecision } from './tell-decisions.ts';
import { questionOf } from './unmatched.ts';

/** What a person says a payment pays: a due or a customer, by reference, however it is written. */
export interface Target {
  reference: string;
  /** How much of it; all that is left of the payment when it says nothing. */
  amount_cents?: bigint | undefined;
  /** For later: credit of the customer, whatever they have open. */
  as_credit?: boolean | undefined;
}

export interface Assignment {
  payment_id: bigint;
  targets: Target[];
  by: bigint;
}

/** What became of it: what was paid, in order, and what of the payment waits still. */
export interface Assigned {
  parts: { reference: string; amount_cents: bigint }[];
  left_cents: bigint;
}

/**
 * Lets a payment, or what is left of one, pay what a person says: a due, and what exceeds it the
 * customer's other open dues, then credit; of several targets each no more than it has open. Throws
 * Refusal: unknown (no such payment), over (nothing is left of it, or M-Pesa took it back),
 * no_such_due, or too_much.
 */
export async function assignPayment(
  tx: Tx,
  dues: readonly Dues[],
  it: Assignment,
): Promise<Assigned> {
  const payment = await lockPayment(tx, it.payment_id);
  if (payment.reversed || payment.left_cents === 0n) throw new Refusal('over');
  return decide(tx, dues, payment, it);
}

/**
 * Takes back what a payment has paid and lets it pay something else; the reason is kept. Throws as
 * assignPayment does, and Refusal 'spent' when credit that it became has been used.
 */
export async function reallocatePayment(
  tx: Tx,
  dues: readonly Dues[],
  it: Assignment & { reason: string },
): Promise<Assigned> {
  const payment = await lockPayment(tx, it.payment_id);
  if (payment.reversed) throw new Refusal('over');
  const returned = await takeBack(tx, dues, payment.id, it);
  const whole = { ...payment, left_cents: payment.amount_cents };
  return decide(tx, dues, whole, { ...it, returned });
}

interface Locked {
  id: bigint;
  receipt: string;
  amount_cents: bigint;
  left_cents: bigint;
  paid_at: Date;
  reversed: boolean;
}

async function lockPayment(tx: Tx, id: bigint): Promise<Locked> {
  const { rows } = await sql<Locked>`
    select id, receipt, amount_cents, amount_cents - allocated_cents as left_cents, paid_at,
           reversed_at is not null as reversed
    from payments where id = ${id} for no key update
  `.execute(tx);
  const [payment] = rows;
  if (!payment) throw new Refusal('unknown');
  return payment;
}

async function decide(
  tx: Tx,
  dues: readonly Dues[],
  payment: Locked,
  { targets, by, returned = [] }: Assignment & { returned?: Returned[] },
): Promise<Assigned> {
  const parts = await partsOf(tx, dues, payment.left_cents, targets);
  const decision: Decision = { rule: 'person', parts, also_possible: [] };
  await applyDecisions(tx, dues, [{ payment, decision }], by);
  // What pays something is not to be given back.
  await sql`
    update payments set refund_marked_at = null, refund_marked_by = null
    where id = ${payment.id} and refund_marked_at is not null
  `.execute(tx);
  const paid_cents = parts.reduce((sum, part) => sum + part.amount_cents, 0n);
  const left_cents = payment.left_cents - paid_cents;
  if (left_cents === 0n) await withdraw(tx, [questionOf(payment.id)]);
  const kept = targets.some((target) => target.as_credit);
  await tellOfDecision(tx, { payment, parts, returned, by, kept });
  return {
    parts: parts.map(({ due, amount_cents }) => ({ reference: due.reference, amount_cents })),
    left_cents,
  };
}

async function partsOf(
  tx: Tx,
  dues: readonly Dues[],
  total_cents: bigint,
  targets: Target[],
): Promise<Decision['parts']> {
  const named = await Promise.all(targets.map((target) => nameTarget(tx, dues, target.reference)));
  const parties = [...new Set(named.map((it) => it.party))];
  const open: Due[] = [];
  for (const trade of dues) open.push(...(await trade.lockOpen(tx, parties)));
  open.sort((a, b) => (a.due_on < b.due_on ? -1 : a.due_on > b.due_on ? 1 : 0));
  const rest = (it: Named) => dues.map((d) => d.rest(it)).find((due) => due !== undefined);
  const parts: Decision['parts'] = [];
  let left_cents = total_cents;
  for (const [index, target] of targets.entries()) {
    const it = named[index];
    const amount_cents = target.amount_cents ?? left_cents;
    if (!it || amount_cents > left_cents || amount_cents <= 0n) throw new Refusal('too_much');
    const own = target.as_credit ? [] : openOf(open, it, targets.length > 1);
    const some = spread(amount_cents, own, rest(it));
    for (const part of some) part.due.outstanding_cents -= part.amount_cents;
    const spread_cents = some.reduce((sum, part) => sum + part.amount_cents, 0n);
    // Of several, each pays what it names: what is over was meant for something else.
    const over = it.due !== null && targets.length > 1 && some.some((p) => p.due.due_on === '');
    if (over || spread_cents < amount_cents) throw new Refusal('too_much');
    parts.push(...some);
    left_cents -= amount_cents;
  }
  return parts;
}

// A due first, then the others of its party; alone where each part is for one.
function openOf(open: Due[], { party, due }: Named, alone: boolean): Due[] {
  const theirs = open.filter((d) => d.party === party);
  const named = due && theirs.find((d) => d.kind === due.kind && d.id === due.id);
  if (!due) return theirs;
  if (alone) return named ? [named] : [];
  return named ? [named, ...theirs.filter((d) => d !== named)] : theirs;
}

/** What a reference names; of two the one that is a due. Throws Refusal 'no_such_due'. */
export async function nameTarget(tx: Tx, dues: readonly Dues[], typed: string): Promise<Named> {
  const found: Named[] = [];
  for (const trade of dues) {
    const references = trade.referencesIn(typed);
    if (references.length > 0) found.push(...(await trade.find(tx, references)));
  }
  const due = found.filter((it) => it.due !== null);
  const [first, ...others] = due.length > 0 ? due : found;
  if (!first || others.length > 0) throw new Refusal('no_such_due');
  return first;
}
