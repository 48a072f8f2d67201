import { z } from 'zod';
import { callDaraja, type DarajaApp, type Tokens } from './client.ts';

// Documented as "0"; the live API answers "00000000".
const Registered = z.object({ ResponseCode: z.string().regex(/^0+$/) });

/**
 * Tells Daraja where to send the payments of a shortcode (C2B register URL). Safe to repeat in the
 * sandbox; in production Daraja takes it once. Throws ProviderError.
 */
export async function registerC2bUrls(
  tokens: Tokens,
  app: DarajaApp,
  it: {
    version: 'v1' | 'v2';
    shortcode: string;
    confirmation_url: string;
    validation_url: string;
  },
): Promise<void> {
  const body = {
    ShortCode: it.shortcode,
    ResponseType: 'Completed',
    ConfirmationURL: it.confirmation_url,
    ValidationURL: it.validation_url,
  };
  Registered.parse(
    await callDaraja(tokens, app, { path: `/mpesa/c2b/${it.version}/registerurl`, body }),
  );
}
