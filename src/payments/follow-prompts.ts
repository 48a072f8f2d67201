import { sql } from 'kysely';
import { inSavepoint, type Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { withdraw } from '../outbox/ask.ts';
import { allocatePayments } from './allocate.ts';
import type { Dues } from './due.ts';
import { endPaid } from './end-prompts.ts';
import type { NewPayment } from './hearing.ts';
import { promptReferencesIn } from './prompt.ts';
import type { Repeat } from './record.ts';
import { takeBack } from './take-back.ts';
import { tellOfDecision } from './tell-decisions.ts';
import { questionOf } from './unmatched.ts';

/**
 * Lets payments that were heard of before follow the prompts that a second hearing names: a till's
 * confirmation says nothing of its prompt and may have been matched by the payer's number. What was
 * matched to another due is moved to the prompt's; what a person has decided stays, and so does
 * what M-Pesa took back.
 */
export async function followPrompts(
  tx: Tx,
  dues: readonly Dues[],
  repeats: Repeat[],
): Promise<void> {
  for (const { payment_id, hearing } of repeats) {
    const [reference] = promptReferencesIn(hearing.account_typed);
    if (reference !== undefined) await followPrompt(tx, dues, payment_id, reference);
  }
}

type Followed = NewPayment & { prompt_id: bigint; settled: boolean };

/** Lets a payment follow the prompt with this reference, unless that was paid by another. */
export async function followPrompt(
  tx: Tx,
  dues: readonly Dues[],
  payment_id: bigint,
  reference: string,
): Promise<void> {
  const { rows } = await sql<Followed>`
    select p.id, p.shortcode, p.receipt, p.amount_cents, p.paid_at, p.payer_msisdn, p.payer_hash,
           p.payer_masked, p.payer_name, p.flag, ${reference} as account_typed, t.id as prompt_id,
           p.rule = 'person' or p.reversed_at is not null or p.refund_marked_at is not null or exists (
             select from allocations a
             where a.payment_id = p.id and a.reversed_at is null
               and a.due_kind = t.due_kind and a.due_id = t.due_id) as settled
    from payments p, prompts t
    where p.id = ${payment_id} and t.reference = ${reference} and t.payment_id is null
    -- The prompt too: who waited here for another that follows it finds it paid.
    for no key update of p, t
  `.execute(tx);
  const [payment] = rows;
  if (!payment) return;
  const { prompt_id, settled } = payment;
  if (!settled) await move(tx, dues, payment);
  await endPaid(tx, [{ payment, prompt_id }]);
}

async function move(tx: Tx, dues: readonly Dues[], payment: NewPayment): Promise<void> {
  try {
    await inSavepoint(tx, async () => {
      const why = { by: null, reason: 'prompt' };
      const returned = await takeBack(tx, dues, payment.id, why);
      const [moved] = await allocatePayments(tx, dues, [payment]);
      const parts = moved?.decision.parts ?? [];
      await tellOfDecision(tx, { payment, parts, returned, by: null });
      if (parts.length > 0) await withdraw(tx, [questionOf(payment.id)]);
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    log.warn(
      { payment_id: String(payment.id), why: error.code },
      'payment not moved to the due of its prompt',
    );
  }
}
