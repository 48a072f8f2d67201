import { z } from 'zod';
import { clock, toDarajaTime } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { callDaraja, type DarajaApp, type Tokens } from './client.ts';

/** A shortcode that may ask phones for payments. */
export interface StkShortcode extends DarajaApp {
  number: string;
  kind: 'paybill' | 'till';
  /** A till's head office number: it asks, and the till is paid. */
  store?: string | undefined;
  passkey: string;
}

const Accepted = z.object({
  ResponseCode: z.coerce.string(),
  CheckoutRequestID: z.string().min(5).max(100),
});

/**
 * Shows a prompt on a phone (STK push) and returns M-Pesa's id of it. Never safe to repeat. Throws
 * ProviderError; its code is 1001 when the phone shows another.
 */
export async function pushStk(
  tokens: Tokens,
  shortcode: StkShortcode,
  it: { msisdn: string; amount_cents: bigint; account: string; callback_url: string },
): Promise<string> {
  const body = {
    ...credentials(shortcode),
    TransactionType: shortcode.kind === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline',
    Amount: Number(it.amount_cents / 100n),
    // As numbers: some report that a prompt with strings never reaches the phone.
    PartyA: Number(it.msisdn),
    PartyB: Number(shortcode.number),
    PhoneNumber: Number(it.msisdn),
    CallBackURL: it.callback_url,
    AccountReference: it.account,
    TransactionDesc: 'Payment',
  };
  const path = '/mpesa/stkpush/v1/processrequest';
  const answer = await callDaraja(tokens, shortcode, { path, body }).catch(nameLocked);
  const read = Accepted.safeParse(answer);
  if (!read.success) throw new ProviderError('unknown', 'unreadable');
  if (/^0+$/.test(read.data.ResponseCode)) return read.data.CheckoutRequestID;
  throw new ProviderError('refused', read.data.ResponseCode);
}

const Queried = z.object({ ResultCode: z.coerce.string() });
const still_under_way = '4999';

/**
 * What became of a prompt, by M-Pesa's id of it: its result code; or that it is under way; or that
 * M-Pesa knows of none, which it says of very new ones too. Safe to repeat. Throws ProviderError.
 */
export async function queryStk(
  tokens: Tokens,
  shortcode: StkShortcode,
  checkout_id: string,
): Promise<{ code: string } | 'under_way' | 'not_there'> {
  const body = { ...credentials(shortcode), CheckoutRequestID: checkout_id };
  let answer: unknown;
  try {
    answer = await callDaraja(tokens, shortcode, { path: '/mpesa/stkpushquery/v1/query', body });
  } catch (error) {
    // One code for both, and words alone to tell them apart.
    if (!(error instanceof ProviderError) || error.code !== overloaded) throw error;
    if (/being processed/i.test(error.message)) return 'under_way';
    if (/not exist/i.test(error.message)) return 'not_there';
    throw error;
  }
  const read = Queried.safeParse(answer);
  if (!read.success) throw new ProviderError('unknown', 'unreadable');
  const code = read.data.ResultCode;
  return code === still_under_way ? 'under_way' : { code };
}

const overloaded = '500.001.1001';

function nameLocked(error: unknown): never {
  if (
    error instanceof ProviderError &&
    error.code === overloaded &&
    /lock subscriber/i.test(error.message)
  ) {
    throw new ProviderError('refused', '1001', error.message);
  }
  throw error;
}

function credentials({ number, store, passkey }: StkShortcode) {
  const shortcode = store ?? number;
  const at = toDarajaTime(clock.now());
  return {
    BusinessShortCode: Number(shortcode),
    Password: btoa(`${shortcode}${passkey}${at}`),
    Timestamp: at,
  };
}
