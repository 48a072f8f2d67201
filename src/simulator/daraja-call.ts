import { randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { z } from 'zod';
import { allowedInAddress } from '../base/ids.ts';
import { shortcodes } from './parties.ts';
import { parsedJson } from './requests.ts';
import type { Tokens } from './tokens.ts';

/** What Daraja's calls have in common: the token, the body, and how it refuses. */

/** Daraja's own refusal. */
export interface DarajaError {
  status: 400 | 404 | 500;
  errorCode: string;
  errorMessage: string;
}

export const Shortcode = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((shortcode) => shortcodes.has(shortcode));

export const Address = z
  .url({ protocol: /^https?$/ })
  .max(1000)
  .refine(allowedInAddress);

/** The body of a call with a token that is still good, or how Daraja refuses it. */
export async function readCall<T>(
  c: Context,
  tokens: Tokens,
  schema: z.ZodType<T>,
): Promise<T | DarajaError> {
  if (!tokens.isValid(c.req.header('authorization') ?? ''))
    return { status: 404, errorCode: '404.001.03', errorMessage: 'Invalid Access Token' };
  return checkedBody(c, schema);
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

export function invalid(errorCode: string, errorMessage: string): DarajaError {
  return { status: 400, errorCode, errorMessage };
}

/** More was asked than it takes at once; nothing was done. */
export const too_fast: DarajaError = {
  status: 500,
  errorCode: '500.003.02',
  errorMessage: 'Spike arrest violation. Allowed rate : MessageRate',
};

/** It is done, and whoever asked does not hear so. */
export function loseAnswer(c: Context): Response {
  const { outgoing } = (c.env ?? {}) as { outgoing?: { destroy: () => void } };
  outgoing?.destroy();
  return c.json({ requestId: newRequestId() }, 504);
}

export function refuse(c: Context, { status, ...error }: DarajaError): Response {
  return c.json({ requestId: newRequestId(), ...error }, status);
}

export function newRequestId(): string {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8, 12)}-${hex.slice(12)}`;
}
