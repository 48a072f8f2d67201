import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { clock, fromDarajaTime } from '../base/clock.ts';
import { decimalFromCents } from '../base/money.ts';
import {
  Address,
  invalid,
  loseAnswer,
  newRequestId,
  readCall,
  refuse,
  Shortcode,
  too_fast,
} from './daraja-call.ts';
import { type Roll, strikes } from './faults.ts';
import { limited, Phone } from './requests.ts';
import type { Tokens } from './tokens.ts';
import type { MpesaTransaction, Truth } from './truth.ts';

// The first field that is wrong is the one that the refusal names, so their order counts.
const Register = z.object({
  ShortCode: Shortcode,
  RequestType: z.literal('Pull'),
  NominatedNumber: Phone,
  CallBackURL: Address,
});

/** "2026-03-20 10:15:00", Nairobi's time. */
const PullTime = z
  .string()
  .refine((text) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text))
  .transform((text) => fromDarajaTime(text.replaceAll(/\D/g, '')))
  .refine((at) => at !== undefined);

const Query = z.object({
  ShortCode: Shortcode,
  StartDate: PullTime,
  EndDate: PullTime,
  OffSetValue: z.coerce.number().int().min(0),
});

const reaches_back_ms = 48 * 60 * 60 * 1000;
const page_size = 100;

/** Daraja's paths of Pull Transactions: what a shortcode was paid, called back or not. */
export function pullRoutes(truth: Truth, tokens: Tokens): Hono {
  const routes = new Hono();

  routes.post('/pulltransactions/v1/register', limited, async (c) => {
    const body = await readCall(c, tokens, Register);
    if ('errorCode' in body) return refuse(c, body);
    const { ShortCode: shortcode } = body;
    const already = truth.state.pulls.has(shortcode);
    await truth.record({ kind: 'pull_registered', shortcode });
    const words = already ? 'ShortCode already Registered' : 'ShortCode Registered Successfully';
    // The same fields are spelt in two ways.
    return c.json({
      ResponseRefID: newRequestId(),
      ...(already
        ? { 'Response Status': '1001', 'Response Description': words }
        : { ResponseStatus: '1000', ResponseDescription: words }),
      ShortCode: shortcode,
    });
  });

  routes.post('/pulltransactions/v1/query', limited, async (c) => {
    const body = await readCall(c, tokens, Query);
    if ('errorCode' in body) return refuse(c, body);
    const roll: Roll = { kind: 'query', n: truth.state.rolled.query };
    const { faults } = truth.state;
    await truth.record({ kind: 'rolled', of: 'query' });
    if (strikes(faults, 'refuse', roll)) return refuse(c, too_fast);
    if (!truth.state.pulls.has(body.ShortCode))
      return refuse(c, invalid('400.001', 'Invalid ShortCode'));
    if (strikes(faults, 'lost_response', roll)) return loseAnswer(c);
    await truth.settled();
    const found = paidBetween(truth, body.ShortCode, [body.StartDate, body.EndDate]);
    return answer(c, found.slice(body.OffSetValue, body.OffSetValue + page_size));
  });

  return routes;
}

// The newest first, and never older than two days.
function paidBetween(
  truth: Truth,
  shortcode: string,
  [from, to]: readonly [Date | undefined, Date | undefined],
): MpesaTransaction[] {
  const since_ms = Math.max(from?.getTime() ?? 0, clock.now().getTime() - reaches_back_ms);
  // Its times have no fractions: what was paid within the last second is in it.
  const until_ms = (to?.getTime() ?? 0) + 999;
  return [...truth.state.transactions.values()]
    .filter((it) => {
      const at_ms = Date.parse(it.at);
      return it.to === shortcode && at_ms >= since_ms && at_ms <= until_ms;
    })
    .toReversed();
}

function answer(c: Context, found: MpesaTransaction[]): Response {
  // Where nothing is found the list is not there at all.
  if (found.length === 0) {
    const ResponseMessage = 'No records found or Organization Name not available';
    return c.json({ RequestID: newRequestId(), ResponseCode: '1001', ResponseMessage });
  }
  return c.json({
    ResponseRefID: newRequestId(),
    ResponseCode: '1000',
    ResponseMessage: 'Success',
    Response: [found.map(item)],
  });
}

function item(it: MpesaTransaction) {
  return {
    transactionId: it.receipt,
    trxDate: `${it.at.slice(0, 19)}Z`,
    msisdn: Number(it.from),
    sender: it.name ?? '',
    transactiontype: it.kind === 'till' ? 'c2b-buy-goods-debit' : 'c2b-pay-bill-debit',
    billreference: it.account,
    amount: decimalFromCents(it.amount_cents),
    organizationname: `Shortcode ${it.to}`,
  };
}
