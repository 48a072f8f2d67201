import { z } from 'zod';
import { fromDarajaTime } from '../base/clock.ts';
import { centsFromDecimal } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';
import { shownLine } from '../base/text.ts';

/** What Daraja posts to us, read forgivingly: types drift from one payload to the next. */

/** Daraja's yes to a callback. Said only once the callback is committed. */
export const accepted = { ResultCode: 0, ResultDesc: 'Accepted' } as const;

/** The same to a payment that is about to be made. */
export const accepted_validation = { ResultCode: '0', ResultDesc: 'Accepted' } as const;

const longest_text = 100;

const shown = (text: string) => shownLine(text, longest_text);

/** Text that may come as a number, null, "" or not at all; as text without what cannot be shown. */
export const LooseText = z
  .union([z.string(), z.number(), z.null()])
  .optional()
  .transform((given) => shown(String(given ?? '')));

export const Receipt = z
  .string()
  .transform((text) => text.trim())
  // Before capitals: they would turn other alphabets' letters into Latin ones.
  .refine((text) => /^[A-Za-z0-9]{6,20}$/.test(text), 'expected a receipt such as TKL4A1B2C3')
  .transform((receipt) => receipt.toUpperCase());

export const AmountCents = z.union([z.string(), z.number()]).transform((given, context) => {
  const cents = centsFromDecimal(String(given).trim());
  if (cents !== undefined && cents > 0n) return cents;
  context.addIssue({ code: 'custom', message: 'expected shillings above 0, such as "500.00"' });
  return z.NEVER;
});

const PaidAt = z.union([z.string(), z.number()]).transform((given, context) => {
  const text = String(given).trim();
  const at = text.startsWith('20') ? fromDarajaTime(text) : undefined;
  if (at) return at;
  context.addIssue({ code: 'custom', message: 'expected a time as YYYYMMDDHHmmss' });
  return z.NEVER;
});

const Shortcode = z
  .union([z.string(), z.number()])
  .transform((given) => String(given).trim())
  .refine((shortcode) => /^\d{3,10}$/.test(shortcode), 'expected the digits of a shortcode');

/**
 * A C2B confirmation, in our own names. That it came means that it was paid: there is no result
 * code in it. Fields that we do not know are left out.
 */
export const C2bConfirmation = z
  .object({
    TransactionType: LooseText,
    TransID: Receipt,
    TransTime: PaidAt,
    TransAmount: AmountCents,
    BusinessShortCode: Shortcode,
    BillRefNumber: LooseText,
    MSISDN: LooseText,
    FirstName: LooseText,
    MiddleName: LooseText,
    LastName: LooseText,
  })
  .transform((it) => ({
    receipt: it.TransID,
    shortcode: it.BusinessShortCode,
    amount_cents: it.TransAmount,
    paid_at: it.TransTime,
    account_typed: it.BillRefNumber,
    msisdn_given: it.MSISDN,
    payer_name: shown([it.FirstName, it.MiddleName, it.LastName].join(' ')) || null,
    transaction_type: it.TransactionType,
  }));
export type C2bConfirmation = z.output<typeof C2bConfirmation>;

/** Who paid, as far as the number lets one know: at most one of the three. */
export interface Payer {
  /** 254[17]XXXXXXXX. */
  msisdn?: string;
  /** SHA-256 of that, 64 characters of lower-case hex. */
  hash?: string;
  /** Whatever else was sent, such as "2547 ***** 126": it names nobody for certain. */
  masked?: string;
}

/** Reads the MSISDN of a confirmation: clear, hashed (C2B v1) or masked (C2B v2). */
export function payerFrom(msisdn_given: string): Payer {
  const text = shown(msisdn_given);
  if (text === '') return {};
  const msisdn = msisdnFrom(text);
  if (msisdn) return { msisdn };
  if (/^[0-9a-f]{64}$/i.test(text)) return { hash: text.toLowerCase() };
  return { masked: text };
}

const Item = z.object({
  Name: z.string(),
  Value: z.union([z.string(), z.number(), z.null()]).optional(),
});

export const Code = z.union([z.string(), z.number()]).transform((given) => String(given).trim());

const Paid = z
  .object({
    Amount: AmountCents,
    MpesaReceiptNumber: Receipt,
    TransactionDate: PaidAt,
    PhoneNumber: LooseText,
  })
  .transform((it) => ({
    amount_cents: it.Amount,
    receipt: it.MpesaReceiptNumber,
    paid_at: it.TransactionDate,
    msisdn_given: it.PhoneNumber,
  }));

/**
 * How a prompt ended (STK callback), in our own names: `paid` of what was paid alone. What was
 * typed, or asked for, is not in it.
 */
export const StkCallback = z
  .object({
    Body: z.object({
      stkCallback: z.object({
        CheckoutRequestID: z.string().trim().min(5).max(100),
        ResultCode: Code.refine((code) => /^\w{1,20}$/.test(code), 'expected a result code'),
        CallbackMetadata: z.object({ Item: z.array(Item) }).nullish(),
      }),
    }),
  })
  .transform(({ Body: { stkCallback: it } }, context) => {
    const ended = { checkout_id: it.CheckoutRequestID, code: it.ResultCode };
    if (ended.code !== '0') return ended;
    // By name: their order is not promised, and some come without a value.
    const items = new Map(it.CallbackMetadata?.Item.map((item) => [item.Name, item.Value]));
    const paid = Paid.safeParse(Object.fromEntries(items));
    if (paid.success) return { ...ended, paid: paid.data };
    for (const issue of paid.error.issues) {
      context.addIssue({ code: 'custom', path: issue.path, message: issue.message });
    }
    return z.NEVER;
  });
export type StkCallback = z.output<typeof StkCallback>;
