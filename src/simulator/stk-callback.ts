import { toDarajaTime } from '../base/clock.ts';
import { decimalFromCents } from '../base/money.ts';
import type { MpesaTransaction, Prompt } from './truth.ts';

/** How M-Pesa words the end of a prompt; it varies, and nobody should go by it. */
export const result_words: Readonly<Record<string, string>> = {
  0: 'The service request is processed successfully.',
  1: 'The balance is insufficient for the transaction.',
  3: 'Declined due to limit rule: greater than the maximum transaction amount.',
  17: 'Rule limited.',
  1032: 'Request Cancelled by user.',
  1037: 'DS timeout user cannot be reached',
  2001: 'The initiator information is invalid.',
  2028: 'The request is not permitted according to product assignment.',
};

/**
 * The body of an STK callback. Of what failed there is no metadata at all; of what was paid the
 * balance is there without a value, and what was asked for, the account, is not repeated.
 */
export function stkCallbackBody(
  prompt: Prompt,
  code: string,
  paid: MpesaTransaction | undefined,
): string {
  return JSON.stringify({
    Body: {
      stkCallback: {
        MerchantRequestID: prompt.merchant_id,
        CheckoutRequestID: prompt.id,
        ResultCode: Number(code),
        ResultDesc: result_words[code] ?? '',
        ...(paid ? { CallbackMetadata: { Item: metadata(paid) } } : {}),
      },
    },
  });
}

function metadata(paid: MpesaTransaction): { Name: string; Value?: string | number }[] {
  return [
    { Name: 'Amount', Value: Number(decimalFromCents(paid.amount_cents)) },
    { Name: 'MpesaReceiptNumber', Value: paid.receipt },
    { Name: 'Balance' },
    { Name: 'TransactionDate', Value: Number(toDarajaTime(new Date(paid.at))) },
    { Name: 'PhoneNumber', Value: Number(paid.from) },
  ];
}
