import { z } from 'zod';
import { keyedHash } from '../../base/secrets.ts';
import { msisdnFrom } from '../../base/phone.ts';
import type { Heard, NewAnswer, UssdGateway } from './gateway.ts';

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

/** Finds what is new in a request, as the difference to what was heard before in its session. */
export function newAnswer(key: string, request: UssdRequest, before: Heard | undefined): NewAnswer {
  const { text } = request;
  if (!before) return { kind: 'dialled', picks: picksIn(request) };
  // A late copy of an earlier request: it moves nobody.
  if (text.length < before.text_length) return { kind: 'repeat' };
  const beginning = text.slice(0, before.text_length);
  if (hashOf(key, request.sessionId, beginning) !== before.text_hash)
    return { kind: 'dialled', picks: [] };
  if (text.length === before.text_length) return { kind: 'repeat' };
  if (before.text_length === 0) return { kind: 'answer', text };
  if (text[before.text_length] !== '*') return { kind: 'dialled', picks: [] };
  return { kind: 'answer', text: text.slice(before.text_length + 1) };
}

// The code can be dialled with what comes after it, *384*123456*1*2#; some networks repeat the code
// itself.
function picksIn({ text, serviceCode }: UssdRequest): string[] {
  const code = serviceCode.replace(/#$/, '');
  const dialled = text.startsWith(`${code}*`) ? text.slice(code.length + 1) : text;
  return dialled === '' ? [] : dialled.replace(/#$/, '').split('*');
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

/** Africa's Talking: a form whose `text` repeats every answer so far; CON or END and the words. */
export const africasTalking: UssdGateway = {
  read: (form) => {
    const request = UssdRequest.safeParse(form).data;
    return (
      request && {
        session: request.sessionId,
        msisdn: request.phoneNumber,
        code: request.serviceCode,
        network: request.networkCode,
        newAnswer: (key, before) => newAnswer(key, request, before),
        heardNow: (key) => heardNow(key, request),
      }
    );
  },
  reply: (words, over) => ({ body: `${over ? 'END' : 'CON'} ${words}`, type: 'text/plain' }),
};

const Text = z.string().max(200).optional().catch(undefined);

/**
 * How a session ended, without what was answered and shown in it: the gateway sends that too, and
 * it may hold a PIN.
 */
export const UssdEvent = z.object({
  sessionId: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  status: z.enum(['Success', 'Incomplete', 'Failed']),
  date: Text,
  networkCode: Text,
  durationInMillis: Text,
  hopsCount: Text,
  cost: Text,
  errorMessage: Text,
});
