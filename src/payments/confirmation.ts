import { C2bConfirmation } from '../daraja/payloads.ts';

export type ReadConfirmation = { body: string; confirmation: C2bConfirmation } | { fault: string };

/** Reads a C2B confirmation from the bytes that came, or says in a few words why it is none. */
export function readConfirmation(bytes: Uint8Array): ReadConfirmation {
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
  const checked = C2bConfirmation.safeParse(value);
  if (checked.success) return { body, confirmation: checked.data };
  const fields = new Set(checked.error.issues.map((issue) => issue.path.join('.') || 'its shape'));
  return { fault: `not a C2B confirmation, see ${[...fields].slice(0, 5).join(', ')}` };
}
