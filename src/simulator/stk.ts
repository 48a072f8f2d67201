import { Hono } from 'hono';
import { z } from 'zod';
import { centsFromDecimal } from '../base/money.ts';
import {
  Address,
  invalid,
  loseAnswer,
  readCall,
  refuse,
  Shortcode,
  too_fast,
} from './daraja-call.ts';
import { type Roll, strikes } from './faults.ts';
import { least_cents } from './mpesa.ts';
import type { Prompts } from './prompts.ts';
import { limited, Phone } from './requests.ts';
import { result_words } from './stk-callback.ts';
import type { Tokens } from './tokens.ts';
import type { Truth } from './truth.ts';

const Timestamp = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^\d{14}$/.test(text));

// The first field that is wrong is the one that the refusal names, so their order counts.
const StkPush = z.object({
  BusinessShortCode: Shortcode,
  Password: z.string(),
  Timestamp,
  TransactionType: z.enum(['CustomerPayBillOnline', 'CustomerBuyGoodsOnline']),
  Amount: z
    .union([z.string(), z.number()])
    .transform((given) => centsFromDecimal(String(given)) ?? 0n)
    .refine((cents) => cents >= least_cents && cents % 100n === 0n),
  PartyA: Phone,
  PartyB: Shortcode,
  PhoneNumber: Phone,
  CallBackURL: Address,
  AccountReference: z
    .union([z.string(), z.number()])
    .transform(String)
    .refine((text) => text.length >= 1 && text.length <= 12),
  TransactionDesc: z.string().max(13).optional(),
});

const StkQuery = z.object({
  BusinessShortCode: Shortcode,
  Password: z.string(),
  Timestamp,
  CheckoutRequestID: z.string(),
});

/** Daraja's paths of a prompt: asking for it, and asking what became of it. */
export function stkRoutes(truth: Truth, prompts: Prompts, tokens: Tokens): Hono {
  const routes = new Hono();

  routes.post('/mpesa/stkpush/v1/processrequest', limited, async (c) => {
    const body = await readCall(c, tokens, StkPush);
    if ('errorCode' in body) return refuse(c, body);
    if (!isPassword(body)) return refuse(c, failed('Wrong credentials'));
    const roll: Roll = { kind: 'request', n: truth.state.rolled.request };
    const { faults } = truth.state;
    await truth.record({ kind: 'requested' });
    if (strikes(faults, 'refuse', roll)) return refuse(c, too_fast);
    const prompt = await prompts.ask({
      phone: body.PhoneNumber,
      amount_cents: body.Amount,
      shortcode: body.BusinessShortCode,
      to: body.PartyB,
      type: body.TransactionType,
      account: body.AccountReference,
      callback_url: body.CallBackURL,
    });
    if (!prompt) {
      const words =
        'Unable to lock subscriber, a transaction is already in process for the current';
      return refuse(c, failed(`${words} subscriber`));
    }
    if (strikes(faults, 'lost_response', roll)) return loseAnswer(c);
    return c.json({
      MerchantRequestID: prompt.merchant_id,
      CheckoutRequestID: prompt.id,
      ResponseCode: '0',
      ResponseDescription: 'Success. Request accepted for processing',
      CustomerMessage: 'Success. Request accepted for processing',
    });
  });

  routes.post('/mpesa/stkpushquery/v1/query', limited, async (c) => {
    const body = await readCall(c, tokens, StkQuery);
    if ('errorCode' in body) return refuse(c, body);
    if (!isPassword(body)) return refuse(c, failed('Wrong credentials'));
    const prompt = truth.state.prompts.get(body.CheckoutRequestID);
    if (!prompt || prompt.shortcode !== body.BusinessShortCode)
      return refuse(c, failed('The transaction does not Exist'));
    if (!prompt.ended) return refuse(c, failed('The transaction is being processed'));
    const { code } = prompt.ended;
    // Neither the amount nor the receipt: it proves that it was paid, and no more.
    return c.json({
      ResponseCode: '0',
      ResponseDescription: 'The service request has been accepted successsfully',
      MerchantRequestID: prompt.merchant_id,
      CheckoutRequestID: prompt.id,
      ResultCode: code,
      ResultDesc: result_words[code] ?? '',
    });
  });

  return routes;
}

/** Whether it is the shortcode, some passkey and the very timestamp, in base64. */
function isPassword(it: { BusinessShortCode: string; Password: string; Timestamp: string }) {
  const clear = Buffer.from(it.Password, 'base64').toString();
  const { BusinessShortCode: shortcode, Timestamp: at } = it;
  const passkey_length = clear.length - shortcode.length - at.length;
  return clear.startsWith(shortcode) && clear.endsWith(at) && passkey_length > 0;
}

// One code for much that goes wrong; only the words differ.
function failed(errorMessage: string) {
  return { ...invalid('500.001.1001', errorMessage), status: 500 as const };
}
