import { z } from 'zod';
import { keyedHash } from '../../base/secrets.ts';
import { msisdnFrom } from '../../base/phone.ts';

/**
 * What Africa's Talking posts for each key press: five form fields, `text` with every answer so
 * far.
 */
export const UssdRequest = z.object({
  sessionId: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  serviceCode: z.string().max(40),
  phoneNumber: z
    .string()
    .transform((text) => msisdnFrom(text) ?? '')
    .refine((number) => number !== '', 'not a Kenyan mobile number'),
  networkCode: z.string().max(12).default(''),
  text: z
    .string()
    .max(1_000)
    .refine((text) => !text.includes('\0'), 'not text'),
});

export type UssdRequest = z.output<typeof UssdRequest>;

/**
 * What was kept of the `text` before: enough to tell the new answer apart, nothing that was
 * answered.
 */
export interface Heard {
  text_length: number;
  text_hash: string;
}

export type NewAnswer =
  /** A session's first screen, or one that lost its thread. */
  | { kind: 'dialled' }
  /** The very same request again, or an earlier one that comes late. */
  | { kind: 'repeat' }
  /** One answer, even with a `*` in it. */
  | { kind: 'answer'; text: string };

/** Finds what is new in a request, as the difference to what was heard before in its session. */
export function newAnswer(key: string, request: UssdRequest, before: Heard | undefined): NewAnswer {
  if (!before) return { kind: 'dialled' };
  const { text } = request;
  // A late copy of an earlier request: it moves nobody.
  if (text.length < before.text_length) return { kind: 'repeat' };
  const beginning = text.slice(0, before.text_length);
  if (hashOf(key, request.sessionId, beginning) !== before.text_hash) return { kind: 'dialled' };
  if (text.length === before.text_length) return { kind: 'repeat' };
  if (before.text_length === 0) return { kind: 'answer', text };
  if (text[before.text_length] !== '*') return { kind: 'dialled' };
  return { kind: 'answer', text: text.slice(before.text_length + 1) };
}

/** What to keep of a request for the next one. */
export function heardNow(key: string, request: UssdRequest): Heard {
  return {
    text_length: request.text.length,
    text_hash: hashOf(key, request.sessionId, request.text),
  };
}

function hashOf(key: string, session: string, text: string): string {
  return keyedHash(key, 'ussd', `${session}\n${text}`);
}

/** The reply as Africa's Talking takes it. */
export function ussdReply(words: string, over: boolean): string {
  return `${over ? 'END' : 'CON'} ${words}`;
}
