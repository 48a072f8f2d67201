import { z } from 'zod';
import { C2bConfirmation, StkCallback } from '../daraja/payloads.ts';
import { StatusResult } from '../daraja/status-payloads.ts';

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

/** Reads what M-Pesa knows of a payment from the bytes that came. */
export function readStatusResult(bytes: Uint8Array): Read<StatusResult> {
  return read(bytes, StatusResult, 'a status result');
}

/**
 * Reads that M-Pesa gave a question up: nothing that anybody goes by. It may be our own request,
 * and what it carries to prove who asked is in what is kept no more.
 */
export function readTimeout(bytes: Uint8Array): Read<object> {
  return read(bytes, z.looseObject({}), 'a JSON object');
}

/** The same bytes without the credential of who asked. */
export function withoutCredential(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const cut = text.replace(/("SecurityCredential"\s*:\s*")[^"]*/gi, '$1[cut]');
  return cut === text ? bytes : Buffer.from(cut, 'latin1');
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
