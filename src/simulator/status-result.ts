import { toDarajaTime } from '../base/clock.ts';
import { decimalFromCents } from '../base/money.ts';
import type { MpesaTransaction, Truth } from './truth.ts';

/** A question about a payment, as it was acknowledged. */
export interface Asked {
  conversation_id: string;
  originator_id: string;
  receipt: string | undefined;
  shortcode: string;
  /** Whether who asks is who they say. */
  proven: boolean;
  /** Whether it says at all what it asks about. */
  names_any: boolean;
}

type Parameter = { Key: string; Value?: string | number };

/**
 * The body of a Transaction Status result. What failed has no parameters; of what was found the
 * payer's key is there twice, some keys have no value, and amounts and times are now text, now
 * numbers.
 */
export function statusResultBody(truth: Truth, asked: Asked): string {
  const found = truth.state.transactions.get(asked.receipt ?? '');
  const own = found?.to === asked.shortcode ? found : undefined;
  const [code, words] = outcome(asked, own);
  return JSON.stringify({
    Result: {
      ResultType: 0,
      ResultCode: code,
      ResultDesc: words,
      OriginatorConversationID: asked.originator_id,
      ConversationID: asked.conversation_id,
      TransactionID: own?.receipt ?? asked.receipt ?? '',
      ...(code === 0 && own ? { ResultParameters: { ResultParameter: about(own, asked) } } : {}),
      ReferenceData: { ReferenceItem: { Key: 'Occasion' } },
    },
  });
}

function outcome(asked: Asked, own: MpesaTransaction | undefined): readonly [number, string] {
  if (!asked.proven) return [2001, 'The initiator information is invalid.'];
  if (!asked.names_any) return [25, 'The format of parameter null is invalid.'];
  if (!own) return [2032, 'The transaction receipt number does not exist.'];
  return [0, 'The service request is processed successfully.'];
}

function about(it: MpesaTransaction, asked: Asked): Parameter[] {
  const at = toDarajaTime(new Date(it.at));
  const amount = decimalFromCents(it.amount_cents);
  const as_text = it.number % 2 === 0;
  const written = (text: string) => (as_text ? text : Number(text));
  const payer = [it.from, it.name].filter((part) => part !== null).join(' - ');
  return [
    { Key: 'DebitPartyName', Value: payer },
    { Key: 'DebitPartyName', Value: `${it.to} - Shortcode ${it.to}` },
    { Key: 'OriginatorConversationID', Value: asked.originator_id },
    { Key: 'InitiatedTime', Value: written(at) },
    { Key: 'CreditPartyCharges' },
    { Key: 'DebitAccountType', Value: 'MMF Account For Customer' },
    { Key: 'TransactionReason' },
    { Key: 'ReasonType', Value: it.kind === 'till' ? 'Customer Merchant Payment' : 'Pay Bill' },
    { Key: 'TransactionStatus', Value: it.reversal ? 'Reversed' : 'Completed' },
    { Key: 'FinalisedTime', Value: written(at) },
    { Key: 'Amount', Value: written(amount) },
    { Key: 'ConversationID', Value: asked.conversation_id },
    { Key: 'ReceiptNo', Value: it.receipt },
  ];
}
