import { z } from 'zod';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents, saidWithAmount } from '../base/money.ts';
import { type ActionCall, type Actions, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import { type Assigned, assignPayment, reallocatePayment, type Target } from './assign.ts';
import { type Dues, meantBy } from './due.ts';
import { likelyFor, Payable } from './likely.ts';
import { namingActions } from './naming-actions.ts';
import { paymentByReceipt, Shown } from './recent.ts';
import {
  listUnmatched,
  markForRefund,
  paymentOf,
  type Unmatched,
  unmatchedPayment,
} from './unmatched.ts';

const One = z.object({
  id: z.string(),
  ref: z.string(),
  receipt: z.string(),
  left: Money,
  payer: z.string(),
  account: z.string(),
  at: z.string(),
  // Where it was paid to, when that is none of ours.
  shortcode: z.string().optional(),
  over_limit: z.boolean(),
});

const Paid = z.object({ paid: z.string(), left: Money });

const most_listed = 50;

/** What admins can do with payments of which nobody knows what they pay, and with all others. */
export const unmatchedActions = (dues: readonly Dues[]): Actions => ({
  ...decisions(dues),
  ...namingActions(dues),

  'payments.unmatched': action({
    input: z.object({}),
    output: z.object({ count: z.number(), payments: z.array(One) }),
    refusals: ['none', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, question }) => {
      needRole(actor, 'admin');
      // A question is about one, whatever else waits.
      const asked = paymentOf(question ?? '');
      const all =
        asked === undefined ? await listUnmatched(tx, most_listed) : await found(tx, asked);
      if (all.length === 0) throw new Refusal('none');
      return { count: all.length, payments: all.map(inWords) };
    },
  }),

  'payments.unmatched_one': action({
    input: z.object({ id: z.string().optional() }),
    output: One.extend({ likely: z.array(Payable) }),
    refusals: ['over', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input, question }) => {
      needRole(actor, 'admin');
      const asked = paymentOf(question ?? '');
      const [only] = asked === undefined && !input.id ? await listUnmatched(tx, 1) : [];
      const id = input.id === undefined ? (asked ?? only?.id) : idFrom(input.id);
      if (id === undefined) throw new Refusal('over');
      const payment = await unmatchedPayment(tx, id);
      return { ...inWords(payment), likely: await likelyFor(tx, dues, payment) };
    },
  }),
});

const decisions = (dues: readonly Dues[]): Actions => ({
  'payments.assign': action({
    input: z.object({ payment: z.string(), ref: z.string() }),
    output: Paid,
    refusals: ['over', 'no_such_due', 'too_much', 'not_allowed'],
    run: (tx, call) => assign(tx, dues, call, [{ reference: call.input.ref }]),
  }),

  'payments.keep_credit': action({
    input: z.object({ payment: z.string(), ref: z.string() }),
    output: Paid,
    refusals: ['over', 'no_such_due', 'too_much', 'not_allowed'],
    run: (tx, call) => assign(tx, dues, call, [{ reference: call.input.ref, as_credit: true }]),
  }),

  'payments.split': action({
    // As people write it: "INV-20260203-0001 500, CUST-002 1000".
    input: z.object({ payment: z.string(), typed: z.string() }),
    output: Paid,
    refusals: ['not_understood', 'over', 'several', 'no_such_due', 'too_much', 'not_allowed'],
    run: async (tx, call) => {
      needRole(call.actor, 'admin');
      return assign(tx, dues, call, await targetsFrom(tx, dues, call.input.typed));
    },
  }),

  'payments.mark_refund': action({
    input: z.object({ payment: z.string() }),
    output: z.object({}),
    refusals: ['over', 'not_allowed'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      await markForRefund(tx, idFrom(input.payment), actor.id);
      return {};
    },
  }),

  'payments.by_receipt': action({
    input: z.object({ receipt: z.string() }),
    // "NLJ7RT61SV INV-12": what it should pay may be said along with it.
    output: Shown.extend({ said: z.string().optional() }),
    refusals: ['unknown', 'reversed', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [, receipt = '', said = ''] = /^\s*(\S+)\s*(.*)$/s.exec(input.receipt) ?? [];
      const payment = await paymentByReceipt(tx, receipt);
      if (!payment) throw new Refusal('unknown');
      if (payment.state === 'reversed') throw new Refusal('reversed');
      return { ...payment, ...(said === '' ? {} : { said }) };
    },
  }),

  'payments.reallocate': action({
    input: z.object({ payment: z.string(), ref: z.string(), reason: z.string() }),
    output: Paid,
    refusals: ['unknown', 'over', 'spent', 'no_such_due', 'too_much', 'not_allowed'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const payment_id = idFrom(input.payment);
      const targets = [{ reference: input.ref }];
      const { reason } = input;
      return paid(await reallocatePayment(tx, dues, { payment_id, targets, by: actor.id, reason }));
    },
  }),
});

async function assign(
  tx: Tx,
  dues: readonly Dues[],
  { actor, input }: ActionCall<{ payment: string }>,
  targets: Target[],
) {
  needRole(actor, 'admin');
  const payment_id = idFrom(input.payment);
  const it = { payment_id, targets, by: actor.id };
  return paid(await assignPayment(tx, dues, it));
}

function paid({ parts, left_cents }: Assigned) {
  const references = parts.map((part) => part.reference).filter((it) => it !== 'credit');
  return { paid: references.join(', '), left: decimalFromCents(left_cents) };
}

/**
 * Throws Refusal 'not_understood' unless each part names somebody or something, and an amount;
 * 'several' where a name is of more than one.
 */
async function targetsFrom(tx: Tx, dues: readonly Dues[], typed: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (const part of partsIn(typed)) {
    const read = saidWithAmount(part);
    if (!read?.cents) throw new Refusal('not_understood');
    const [one, ...others] = await meantBy(tx, dues, read.said);
    if (others.length > 0) throw new Refusal('several');
    if (!one) throw new Refusal('no_such_due');
    targets.push({ reference: one.reference, amount_cents: read.cents });
  }
  return targets;
}

// A comma in an amount parts nothing.
function partsIn(typed: string): string[] {
  return typed.split(/,(?!\d{3}(?!\d))|[;\n]+| and | na /i).filter((part) => part.trim() !== '');
}

async function found(tx: Tx, id: bigint) {
  try {
    return [await unmatchedPayment(tx, id)];
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

function inWords(it: Unmatched) {
  return {
    id: String(it.id),
    ref: `UM${it.id}`,
    receipt: it.receipt,
    left: decimalFromCents(it.left_cents),
    payer: it.payer || '-',
    account: it.account_typed || '-',
    at: it.paid_at.toISOString(),
    ...(it.flag === 'unknown_shortcode' ? { shortcode: it.shortcode } : {}),
    over_limit: it.flag === 'over_limit' || it.flag === 'over_day_limit',
  };
}

function idFrom(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new Refusal('over');
  return BigInt(text);
}
