import { z } from 'zod';
import { toDarajaTime } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { callDaraja, type DarajaApp, type Tokens } from './client.ts';
import { Code } from './payloads.ts';

/** A shortcode whose payments may be asked for, and under which number M-Pesa knows it there. */
export interface PullShortcode extends DarajaApp {
  number: string;
  /** A till's head office number. */
  store?: string | undefined;
}

// Spelt with a space in older answers.
const Registered = z
  .object({ ResponseStatus: Code.optional(), 'Response Status': Code.optional() })
  .transform((it) => it.ResponseStatus ?? it['Response Status']);

/**
 * Asks M-Pesa to let a shortcode ask for its payments (Pull Transactions). Safe to repeat. Throws
 * ProviderError.
 */
export async function registerPull(
  tokens: Tokens,
  shortcode: PullShortcode,
  it: { nominated_number: string; callback_url: string },
): Promise<'registered' | 'already'> {
  const body = {
    ShortCode: nameOf(shortcode),
    RequestType: 'Pull',
    NominatedNumber: it.nominated_number,
    CallBackURL: it.callback_url,
  };
  const answer = await callDaraja(tokens, shortcode, {
    path: '/pulltransactions/v1/register',
    body,
  });
  const status = Registered.safeParse(answer).data;
  if (status === '1000') return 'registered';
  if (status === '1001') return 'already';
  throw status === undefined
    ? new ProviderError('unknown', 'unreadable')
    : new ProviderError('refused', status);
}

// A list in a list; in the portal's sample for "none" that is a text.
const Found = z.object({
  ResponseCode: Code,
  Response: z
    .preprocess(
      (given) => (typeof given === 'string' ? parsed(given) : given),
      z.array(z.unknown()),
    )
    .transform((lists) => lists.flat(2))
    .optional(),
});

const found = '1000';
const none_found = '1001';

/**
 * One page of what a shortcode was paid between two moments, from the item of that number on, as
 * Daraja gives it: at the end of the list, none. Reaches back 48 hours at most. Safe to repeat.
 * Throws ProviderError.
 */
export async function pullTransactions(
  tokens: Tokens,
  shortcode: PullShortcode,
  it: { from: Date; to: Date; offset: number },
): Promise<unknown[]> {
  const body = {
    ShortCode: nameOf(shortcode),
    StartDate: pullTime(it.from),
    EndDate: pullTime(it.to),
    OffSetValue: String(it.offset),
  };
  let answer: unknown;
  try {
    answer = await callDaraja(tokens, shortcode, { path: '/pulltransactions/v1/query', body });
  } catch (error) {
    if (error instanceof ProviderError && /no (?:transactions|records)/i.test(error.message)) {
      return [];
    }
    throw error;
  }
  const read = Found.safeParse(answer);
  if (!read.success) throw new ProviderError('unknown', 'unreadable');
  const { ResponseCode: code, Response: items } = read.data;
  if (code === none_found) return items ?? [];
  if (code !== found) throw new ProviderError('refused', code);
  if (!items) throw new ProviderError('unknown', 'unreadable');
  return items;
}

// A till is known there by its head office, as where its addresses are registered.
function nameOf({ number, store }: PullShortcode): string {
  return store ?? number;
}

/** "2026-03-20 10:15:00", Nairobi's time. */
function pullTime(at: Date): string {
  const p = toDarajaTime(at);
  const date = [p.slice(0, 4), p.slice(4, 6), p.slice(6, 8)].join('-');
  return `${date} ${[p.slice(8, 10), p.slice(10, 12), p.slice(12, 14)].join(':')}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
