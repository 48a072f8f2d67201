import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';

/** Reading what the simulator is asked. Whatever is wrong with it is a Refusal in one sentence. */

export const limited = bodyLimit({
  maxSize: 64 * 1024,
  onError: (c) => c.json({ error: 'The body is too long: at most 64 KiB.' }, 413),
});

/** A Kenyan number however it is written, as 254XXXXXXXXX. */
export const Phone = z
  .union([z.string(), z.number()])
  .transform((given) => msisdnFrom(String(given)))
  .refine((msisdn) => msisdn !== undefined, 'expected a Kenyan number such as 254700000004')
  .transform((msisdn) => msisdn ?? '');

/** Anybody's WhatsApp number: a Kenyan one however it is written, others in full. */
export const WhatsAppPhone = z
  .union([z.string(), z.number()])
  .transform(
    (given) => msisdnFrom(String(given)) ?? /^\+?([1-9]\d{6,14})$/.exec(String(given))?.[1],
  )
  .refine((phone) => phone !== undefined, 'expected a phone number such as 254700000004')
  .transform((phone) => phone ?? '');

/** The body of a control, checked; an empty one is {}. */
export async function controlBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const body = parsedJson((await c.req.text()) || '{}');
  if (body === undefined) throw new Refusal('not_json', 'The body is not JSON.');
  return checked(schema, body);
}

/** The query of a control, checked. */
export function controlQuery<T>(c: Context, schema: z.ZodType<T>): T {
  return checked(schema, c.req.query());
}

/** JSON as a value, or undefined when it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function checked<T>(schema: z.ZodType<T>, given: unknown): T {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const where = issue?.path.join('.') || 'the body';
  throw new Refusal('wrong_input', `${where}: ${issue?.message ?? 'cannot be read'}.`);
}
