import { randomInt } from 'node:crypto';
import type { PromptState } from '../base/schema.ts';

/** A prompt as it is kept: a payment that we ask for on a phone (STK push). */
export interface Prompt {
  id: bigint;
  /** What the payer sees as the account, "PAY-7K3QX2M": an AccountReference holds no more. */
  reference: string;
  /** The end of the address at which its result is told. */
  token: string;
  person_id: bigint;
  msisdn: string;
  shortcode: string;
  due_kind: string;
  due_reference: string;
  amount_cents: bigint;
  state: PromptState;
  checkout_id: string | null;
  attempts: number;
  looks: number;
}

// Without I, L, O and U: nobody reads them as digits, or as each other.
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const written = /\bPAY[^0-9A-Z]*([0-9A-HJKMNP-TV-Z]{7})\b/g;

/** A reference for a new prompt: by chance, so that a slip of the finger names no other. */
export function newPromptReference(): string {
  const code = Array.from({ length: 7 }, () => letters[randomInt(letters.length)]);
  return `PAY-${code.join('')}`;
}

/** What may be prompts' references in what a payer typed, or M-Pesa repeats for them. */
export function promptReferencesIn(typed: string): string[] {
  const found = typed.toUpperCase().replaceAll('_', ' ').matchAll(written);
  return [...new Set([...found].map((m) => `PAY-${m[1]}`))];
}
