import { z } from '@hono/zod-openapi';
import { eatMoment, startOfEatDay } from '../../base/clock.ts';
import { centsFromDecimal, centsFromNumber, numberFromCents } from '../../base/money.ts';
import { shownLine } from '../../base/text.ts';
import { wrongField } from './problems.ts';

/** What fields of requests and answers look like. */

export const currency = 'KES' as const;

const phone_words = 'a phone number such as 254712345678';
export const Phone = z
  .string({ error: phone_words })
  .regex(/^254[17]\d{8}$/, phone_words)
  .openapi({ example: '254712345678' });

export const Currency = z.literal(currency).openapi({ example: currency });

/** An amount that we tell. */
export const Amount = z.number().openapi({
  description: 'Shillings, with at most two decimals.',
  example: 1500.5,
});

const amount_words = 'an amount in shillings above 0, with at most two decimals';

/** An amount that we are told. */
export const AmountAsked = z
  .number({ error: amount_words })
  .refine((shillings) => (centsFromNumber(shillings) ?? 0n) > 0n, amount_words)
  .openapi({ description: 'Shillings, with at most two decimals.', example: 1500 });

/** An amount to filter by. */
export const AmountFilter = z
  .string({ error: amount_words })
  .refine((text) => (centsFromDecimal(text) ?? 0n) > 0n, amount_words)
  .openapi({ type: 'number', description: 'Exactly this amount, in shillings.', example: 500 });

export const Moment = z.string().openapi({
  format: 'date-time',
  description: 'RFC 3339 with offset.',
  example: '2026-02-03T14:30:00+03:00',
});

export const Day = z
  .string({ error: 'a day such as 2026-02-03' })
  .refine(isDay, 'a day such as 2026-02-03')
  .openapi({ format: 'date', description: 'A day in Nairobi.', example: '2026-02-03' });

function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  return (
    // Years that the database has too.
    /^(?:19|2\d)\d\d-\d\d-\d\d$/.test(text) &&
    !Number.isNaN(at.getTime()) &&
    at.toISOString().startsWith(text)
  );
}

const when_words =
  'a day such as 2026-02-03, or a time with offset such as 2026-02-03T14:30:00+03:00';
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/;

// A plus that was not encoded reaches us as a space.
const plain = (text: string) => text.replace(' ', '+');

const When = z
  .string({ error: when_words })
  .refine((text) => {
    if (isDay(text)) return true;
    const at = plain(text);
    return moment.test(at) && isDay(at.slice(0, 10)) && !Number.isNaN(new Date(at).getTime());
  }, when_words)
  .openapi({ example: '2026-02-03' });

/** From when, and until when: days in Nairobi, both of them whole, or moments. */
export const time_filters = {
  from: When.optional().openapi({
    description: 'From this day in Nairobi on, or this moment.',
  }),
  to: When.optional().openapi({
    description: 'Until the end of this day in Nairobi, or before this moment.',
  }),
};

const day_ms = 24 * 60 * 60 * 1_000;

/** The first moment, and the first that is too late. */
export function timesOf(asked: { from?: string | undefined; to?: string | undefined }): {
  from: Date | undefined;
  until: Date | undefined;
} {
  const from = asked.from === undefined ? undefined : startOf(asked.from);
  const until = asked.to === undefined ? undefined : startOf(asked.to);
  if (until && isDay(asked.to ?? '')) until.setTime(until.getTime() + day_ms);
  if (from && until && from >= until) throw wrongField('query', 'to', 'a time after `from`');
  return { from, until };
}

function startOf(text: string): Date {
  return isDay(text) ? startOfEatDay(text) : new Date(plain(text));
}

/** Part of a name, a number or a reference. */
export const TextFilter = z
  .string({ error: 'a text of 1 to 60 characters' })
  .trim()
  .min(1, 'a text of 1 to 60 characters')
  .max(60, 'a text of 1 to 60 characters')
  // PostgreSQL keeps no NUL.
  .refine((text) => !text.includes('\0'), 'a text of 1 to 60 characters');

/** A text as LIKE finds it anywhere. */
export function anywhere(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

export const shillings = numberFromCents;

/** A moment as we tell it. */
export function momentOf<At extends Date | null>(at: At): At extends Date ? string : null;
export function momentOf(at: Date | null): string | null {
  return at === null ? null : eatMoment(at);
}

/** A line that somebody wrote, and that is kept. */
export function lineOfText(longest: number) {
  const words = `a line of 1 to ${longest} characters that can be shown`;
  const isOne = (text: string) => text !== '' && shownLine(text, longest) === text;
  return z.string({ error: words }).refine(isOne, words);
}
