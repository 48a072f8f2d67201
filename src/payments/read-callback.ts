import type { z } from 'zod';
import { C2bConfirmation, StkCallback } from '../daraja/payloads.ts';

/** A callback as it was read, and the text that is kept; or in a few words why it is none. */
export type Read<T> = { body: string; value: T } | { fault: string };

/** Reads a C2B confirmation from the bytes that came. */
export function readConfirmation(bytes: Uint8Array): Read<C2bConfirmation> {
  return read(bytes, C2bConfirmation, 'a C2B confirmation');
}

/** Reads what became of a prompt from the bytes that came. */
export function readStkCallback(bytes: Uint8Array): Read<StkCallback> {
  return read(bytes, StkCallback, 'an STK callback');
}

function read<T>(bytes: Uint8Array, schema: z.ZodType<T>, name: string): Read<T> {
  let body: string;
  try {
    body = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { fault: 'not UTF-8 text' };
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { fault: 'not JSON' };
  }
  const checked = schema.safeParse(value);
  if (checked.success) return { body, value: checked.data };
  const fields = new Set(checked.error.issues.map((issue) => issue.path.join('.') || 'its shape'));
  return { fault: `not ${name}, see ${[...fields].slice(0, 5).join(', ')}` };
}

/**
 * Reads what the door has read already. Throws when it is not so: only a change of ours can have
 * come between.
 */
export function readAgain<T>(body: string, reader: (bytes: Uint8Array) => Read<T>): T {
  const again = reader(Buffer.from(body));
  if ('fault' in again) throw new Error(again.fault);
  return again.value;
}
