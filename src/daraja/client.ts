import { z } from 'zod';
import { ProviderError, messageOf } from '../base/errors.ts';

/** Safaricom's Daraja API for one shortcode's app. Where it is, and who we are there. */
export interface DarajaApp {
  base_url: string;
  consumer_key: string;
  consumer_secret: string;
}

const timeout_ms = 15_000;

const Token = z.object({ access_token: z.string().min(1) });
// Documented as "0"; the live API answers "00000000".
const Registered = z.object({ ResponseCode: z.string().regex(/^0+$/) });

/**
 * Tells Daraja where to send the payments of a shortcode (C2B register URL). Safe to repeat in the
 * sandbox; in production Daraja takes it once. Throws ProviderError.
 */
export async function registerC2bUrls(
  app: DarajaApp,
  it: {
    version: 'v1' | 'v2';
    shortcode: string;
    confirmation_url: string;
    validation_url: string;
  },
): Promise<void> {
  const token = Token.parse(
    await call(`${app.base_url}/oauth/v1/generate?grant_type=client_credentials`, {
      headers: { authorization: `Basic ${btoa(`${app.consumer_key}:${app.consumer_secret}`)}` },
    }),
  );
  Registered.parse(
    await call(`${app.base_url}/mpesa/c2b/${it.version}/registerurl`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token.access_token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        ShortCode: it.shortcode,
        ResponseType: 'Completed',
        ConfirmationURL: it.confirmation_url,
        ValidationURL: it.validation_url,
      }),
    }),
  );
}

const Refused = z.object({ errorCode: z.string(), errorMessage: z.string() });

async function call(url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeout_ms) });
  } catch (error) {
    throw new ProviderError('unknown', 'no_answer', messageOf(error));
  }
  const body: unknown = await response.json().catch(() => undefined);
  // Some errors come with status 200, so the body decides as well.
  const refused = Refused.safeParse(body);
  if (response.ok && !refused.success) return body;
  throw refused.success
    ? new ProviderError('refused', refused.data.errorCode, refused.data.errorMessage)
    : new ProviderError('unknown', `http_${response.status}`);
}
