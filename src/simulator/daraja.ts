import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { centsFromDecimal } from '../base/money.ts';
import type { Mpesa } from './mpesa.ts';
import { Address, invalid, newRequestId, readCall, refuse, Shortcode } from './daraja-call.ts';
import { limited, Phone } from './requests.ts';
import type { Tokens } from './tokens.ts';
import type { Truth } from './truth.ts';

// The first field that is wrong is the one that the refusal names, so their order counts.
const RegisterUrl = z.object({
  ShortCode: Shortcode,
  ResponseType: z.enum(['Completed', 'Cancelled']),
  ConfirmationURL: Address,
  ValidationURL: Address.optional(),
});

const Simulate = z.object({
  ShortCode: Shortcode,
  CommandID: z.enum(['CustomerPayBillOnline', 'CustomerBuyGoodsOnline']),
  Amount: z
    .union([z.string(), z.number()])
    .transform((given) => centsFromDecimal(String(given)))
    .refine((cents) => cents !== undefined),
  Msisdn: Phone,
  BillRefNumber: z
    .union([z.string().max(100), z.number(), z.null()])
    .optional()
    .transform((given) => String(given ?? '')),
});

/** Daraja's paths: the token, the C2B addresses and the sandbox's simulated payment. */
export function darajaRoutes(truth: Truth, mpesa: Mpesa, tokens: Tokens): Hono {
  const routes = new Hono();

  routes.get('/oauth/v1/generate', (c) => {
    if (c.req.query('grant_type') !== 'client_credentials')
      return refuse(c, invalid('400.008.02', 'Invalid grant type passed'));
    const access_token = tokens.issue(c.req.header('authorization') ?? '');
    if (access_token === undefined)
      return refuse(c, invalid('400.008.01', 'Invalid Authentication passed'));
    // The sandbox sends the seconds as a string, whatever its documentation shows.
    return c.json({ access_token, expires_in: '3599' });
  });

  for (const version of ['v1', 'v2'] as const) {
    routes.post(`/mpesa/c2b/${version}/registerurl`, limited, async (c) => {
      const body = await readCall(c, tokens, RegisterUrl);
      if ('errorCode' in body) return refuse(c, body);
      const { ShortCode: shortcode, ConfirmationURL: confirmation_url } = body;
      await truth.record({
        kind: 'registered',
        registration: { shortcode, version, confirmation_url },
      });
      return acknowledge(c, 'Success');
    });

    routes.post(`/mpesa/c2b/${version}/simulate`, limited, async (c) => {
      const body = await readCall(c, tokens, Simulate);
      if ('errorCode' in body) return refuse(c, body);
      try {
        await mpesa.pay({
          phone: body.Msisdn,
          amount_cents: body.Amount ?? 0n,
          account: body.BillRefNumber,
          shortcode: body.ShortCode,
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return refuse(c, invalid('400.002.02', `Bad Request - ${error.message}`));
      }
      return acknowledge(c, 'Accept the service request successfully.');
    });
  }

  return routes;
}

function acknowledge(c: Context, ResponseDescription: string): Response {
  // Misspelt as Daraja spells it.
  return c.json({
    OriginatorCoversationID: newRequestId(),
    ResponseCode: '0',
    ResponseDescription,
  });
}
