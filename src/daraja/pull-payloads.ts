import { z } from 'zod';
import { AmountCents, LooseText, Receipt } from './payloads.ts';

// Said to be UTC; some shortcodes may get Nairobi's time under the same letter.
const IsoTime = z
  .string()
  .trim()
  .regex(/^20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d/)
  .transform((text) => new Date(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`))
  .refine((at) => !Number.isNaN(at.getTime()), 'expected a time such as 2026-03-20T10:15:00Z');

/**
 * One payment of an answer of Pull Transactions, in our own names. Only money in is one: what is
 * called a reversal is none.
 */
export const PulledPayment = z
  .object({
    transactionId: Receipt,
    trxDate: IsoTime,
    msisdn: LooseText,
    sender: LooseText,
    transactiontype: LooseText.refine((type) => !/revers/i.test(type), 'a reversal'),
    billreference: LooseText,
    amount: AmountCents,
  })
  .transform((it) => ({
    receipt: it.transactionId,
    /** As written, taken for UTC. */
    paid_at: it.trxDate,
    msisdn_given: it.msisdn,
    payer_name: /\p{L}/u.test(it.sender) ? it.sender : null,
    account_typed: it.billreference,
    amount_cents: it.amount,
  }));
export type PulledPayment = z.output<typeof PulledPayment>;
