import { randomBytes } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { allowedInAddress } from '../base/ids.ts';
import { centsFromDecimal } from '../base/money.ts';
import type { Mpesa } from './mpesa.ts';
import { shortcodes } from './parties.ts';
import { limited, parsedJson, Phone } from './requests.ts';
import { openTokens } from './tokens.ts';
import type { Truth } from './truth.ts';

/** Daraja's own refusal. */
interface DarajaError {
  status: 400 | 404;
  errorCode: string;
  errorMessage: string;
}

const Shortcode = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((shortcode) => shortcodes.has(shortcode));

const Address = z
  .url({ protocol: /^https?$/ })
  .max(1000)
  .refine(allowedInAddress);

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
export function darajaRoutes(truth: Truth, mpesa: Mpesa): Hono {
  const routes = new Hono();
  const tokens = openTokens();

  routes.get('/oauth/v1/generate', (c) => {
    if (c.req.query('grant_type') !== 'client_credentials')
      return refuse(c, invalid('400.008.02', 'Invalid grant type passed'));
    const access_token = tokens.issue(c.req.header('authorization') ?? '');
    if (access_token === undefined)
      return refuse(c, invalid('400.008.01', 'Invalid Authentication passed'));
    // The sandbox sends the seconds as a string, whatever its documentation shows.
    return c.json({ access_token, expires_in: '3599' });
  });

  const read = async <T>(c: Context, schema: z.ZodType<T>): Promise<T | DarajaError> => {
    if (!tokens.isValid(c.req.header('authorization') ?? ''))
      return { status: 404, errorCode: '404.001.03', errorMessage: 'Invalid Access Token' };
    return checkedBody(c, schema);
  };

  for (const version of ['v1', 'v2'] as const) {
    routes.post(`/mpesa/c2b/${version}/registerurl`, limited, async (c) => {
      const body = await read(c, RegisterUrl);
      if ('errorCode' in body) return refuse(c, body);
      const { ShortCode: shortcode, ConfirmationURL: confirmation_url } = body;
      await truth.record({
        kind: 'registered',
        registration: { shortcode, version, confirmation_url },
      });
      return acknowledge(c, 'Success');
    });

    routes.post(`/mpesa/c2b/${version}/simulate`, limited, async (c) => {
      const body = await read(c, Simulate);
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

async function checkedBody<T>(c: Context, schema: z.ZodType<T>): Promise<T | DarajaError> {
  // Daraja does not look into a body of another type, and misses its first field.
  const json = c.req.header('content-type')?.startsWith('application/json') ?? false;
  const body = json ? parsedJson(await c.req.text()) : {};
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return invalid('400.002.05', 'Invalid Request Payload');
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const field = String(checked.error.issues[0]?.path[0] ?? '');
  return invalid('400.002.02', `Bad Request - Invalid ${field}`);
}

function invalid(errorCode: string, errorMessage: string): DarajaError {
  return { status: 400, errorCode, errorMessage };
}

function refuse(c: Context, { status, ...error }: DarajaError): Response {
  return c.json({ requestId: newRequestId(), ...error }, status);
}

function acknowledge(c: Context, ResponseDescription: string): Response {
  // Misspelt as Daraja spells it.
  return c.json({
    OriginatorCoversationID: newRequestId(),
    ResponseCode: '0',
    ResponseDescription,
  });
}

function newRequestId(): string {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}`;
}
