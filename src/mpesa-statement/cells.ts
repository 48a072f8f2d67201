import { fromDarajaTime, startOfEatDay } from '../base/clock.ts';
import { centsFromDecimal } from '../base/money.ts';
import { shownLine } from '../base/text.ts';

/** A cell as CSV or Excel gives it. */
export type Cell = string | number | boolean | Date | null | undefined;

const longest_text = 500;

/** The text of a cell on one line; "" when it is empty. */
export function textFrom(cell: Cell): string {
  if (cell === null || cell === undefined || cell instanceof Date) return '';
  return shownLine(String(cell), longest_text);
}

const day_first = /^(\d{1,2})[-/](\d{1,2})[-/](\d{4}) (\d{1,2}):(\d\d):(\d\d)$/;
const year_first = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T](\d{1,2}):(\d\d):(\d\d)$/;
const day_ms = 24 * 60 * 60 * 1000;
// Excel counts days from here.
const excel_epoch_ms = Date.UTC(1899, 11, 30);

/**
 * A time of Nairobi as statements write it: 12-05-2025 22:40:01, 12/05/2025 22:40:01 (the day
 * first, always), 2025-05-12 22:40:01, or Excel's. Undefined when it is no such moment.
 */
export function timeFrom(cell: Cell): Date | undefined {
  if (cell instanceof Date) return eatFrom(cell.getTime());
  if (typeof cell === 'number') return eatFrom(excel_epoch_ms + cell * day_ms);
  const text = textFrom(cell);
  const [, day = '', month = '', year = '', ...time] = day_first.exec(text) ?? [];
  if (year) return moment([year, month, day, ...time]);
  const found = year_first.exec(text);
  return found ? moment(found.slice(1)) : undefined;
}

function moment(parts: string[]): Date | undefined {
  return fromDarajaTime(parts.map((part) => part.padStart(2, '0')).join(''));
}

// Excel's times know no zone: what they show is Nairobi's clock, to the second.
function eatFrom(shown_ms: number): Date | undefined {
  const at = new Date(Math.round(shown_ms / 1_000) * 1_000);
  const year = at.getUTCFullYear();
  if (!(year >= 2007 && year <= 2100)) return undefined;
  const text = at.toISOString();
  return new Date(startOfEatDay(text.slice(0, 10)).getTime() + (at.getTime() % day_ms));
}

const grouped = /^-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d{1,2})?$/;

/** An amount in cents, with or without commas; 0 when empty. Undefined when it is none. */
export function centsFrom(cell: Cell): bigint | undefined {
  if (typeof cell === 'number') {
    const cents = Math.round(cell * 100);
    // What is no whole number of cents is no amount; the rest is the machine's rounding.
    const whole = Number.isSafeInteger(cents) && Math.abs(cell * 100 - cents) < 0.001;
    return whole ? BigInt(cents) : undefined;
  }
  const text = textFrom(cell);
  if (text === '' || text === '-') return 0n;
  return grouped.test(text) ? centsFromDecimal(text.replaceAll(',', '')) : undefined;
}
