import { z } from 'zod';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { centsFromDecimal, centsFromTyped, decimalFromCents } from '../base/money.ts';
import { type ActionCall, type Actions, action, Money } from '../flow/action.ts';
import { needRole } from '../people/need-role.ts';
import {
  type Assigned,
  assignPayment,
  nameTarget,
  reallocatePayment,
  type Target,
} from './assign.ts';
import type { Dues } from './due.ts';
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

const Likely = z.object({ ref: z.string(), left: Money });
const Paid = z.object({ paid: z.string(), left: Money });

const most_listed = 50;

/** What admins can do with payments of which nobody knows what they pay, and with all others. */
export const unmatchedActions = (dues: readonly Dues[]): Actions => ({
  ...decisions(dues),

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
    output: One.extend({ likely: z.array(Likely) }),
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

  'payments.name_due': action({
    input: z.object({ typed: z.string() }),
    output: z.object({ ref: z.string(), left: Money }),
    refusals: ['no_such_due', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [it] = await likely(tx, dues, [(await nameTarget(tx, dues, input.typed)).reference]);
      if (!it) throw new Refusal('no_such_due');
      return it;
    },
  }),
});

const decisions = (dues: readonly Dues[]): Actions => ({
  'payments.assign': action({
    input: z.object({ payment: z.string(), ref: z.string() }),
    output: Paid,
    refusals: ['over', 'no_such_due', 'too_much', 'not_allowed'],
    run: (tx, call) => assign(tx, dues, call, () => [{ reference: call.input.ref }]),
  }),

  'payments.keep_credit': action({
    input: z.object({ payment: z.string(), ref: z.string() }),
    output: Paid,
    refusals: ['over', 'no_such_due', 'too_much', 'not_allowed'],
    run: (tx, call) =>
      assign(tx, dues, call, () => [{ reference: call.input.ref, as_credit: true }]),
  }),

  'payments.split': action({
    // As people write it: "INV-20260203-0001 500, CUST-002 1000".
    input: z.object({ payment: z.string(), typed: z.string() }),
    output: Paid,
    refusals: ['not_understood', 'over', 'no_such_due', 'too_much', 'not_allowed'],
    run: (tx, call) => assign(tx, dues, call, () => targetsFrom(call.input.typed)),
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
    output: Shown,
    refusals: ['unknown', 'reversed', 'not_allowed'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const payment = await paymentByReceipt(tx, input.receipt);
      if (!payment) throw new Refusal('unknown');
      if (payment.state === 'reversed') throw new Refusal('reversed');
      return payment;
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
  targets: () => Target[],
) {
  needRole(actor, 'admin');
  const payment_id = idFrom(input.payment);
  const it = { payment_id, targets: targets(), by: actor.id };
  return paid(await assignPayment(tx, dues, it));
}

function paid({ parts, left_cents }: Assigned) {
  const references = parts.map((part) => part.reference).filter((it) => it !== 'credit');
  return { paid: references.join(', '), left: decimalFromCents(left_cents) };
}

/** Throws Refusal 'not_understood' unless each part is a reference and an amount. */
function targetsFrom(typed: string): Target[] {
  return typed.split(/[,;\n]+| and | na /i).map((part) => {
    const [, reference = '', amount = ''] = /^\s*(.+?)[\s:=]+([\d,.]+)\s*$/.exec(part) ?? [];
    const amount_cents = centsFromTyped(amount) ?? centsFromDecimal(amount);
    if (!amount_cents) throw new Refusal('not_understood');
    return { reference, amount_cents };
  });
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

// A due with what is left of it, or a customer with all that they have open.
async function likely(tx: Tx, dues: readonly Dues[], references: string[]) {
  const known = [];
  for (const reference of references) {
    for (const trade of dues) {
      const [named] = await trade.find(tx, trade.referencesIn(reference));
      if (!named) continue;
      const open = [];
      for (const other of dues) open.push(...(await other.open(tx, [named.party])));
      const own = open.filter((due) => named.due === null || due.id === named.due.id);
      const left_cents = own.reduce((sum, due) => sum + due.outstanding_cents, 0n);
      known.push({ ref: reference, left: decimalFromCents(left_cents) });
      break;
    }
  }
  return known;
}

const most_likely = 3;

// What matching saw first; then what is open for about that amount.
async function likelyFor(tx: Tx, dues: readonly Dues[], it: Unmatched) {
  const seen = await likely(tx, dues, it.also_possible);
  const digits = it.payer_masked?.replace(/\D+/g, '%').replace(/^0/, '254') ?? null;
  const wanted = { amount_cents: it.left_cents, number_like: digits };
  for (const trade of dues) {
    for (const due of await trade.suggest(tx, wanted)) {
      if (seen.some(({ ref }) => ref === due.reference)) continue;
      seen.push({ ref: due.reference, left: decimalFromCents(due.outstanding_cents) });
    }
  }
  return seen.slice(0, most_likely);
}

function idFrom(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new Refusal('over');
  return BigInt(text);
}
