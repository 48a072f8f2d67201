import { centsFromTyped } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';

/** What an owner wrote of an invoice, as far as it says it. */
export interface Order {
  /** A customer's number, a phone or a name, as it was written. */
  who: string;
  amount_cents?: bigint;
  /** What it is for. */
  what?: string;
}

const longest_phone = 5;

/**
 * Reads "0712 345 678 1,500 school shoes", "CUST-001 1500", "Mary Wanjiku 1500 shoes": whom, how
 * much, what for. Undefined when it names nobody. No database.
 */
export function readOrder(text: string): Order | undefined {
  const words = text.trim().split(/\s+/);
  const named = phoneIn(words) || customerIn(words) || nameIn(words);
  const who = words.slice(0, named).join(' ');
  if (who === '') return undefined;
  const rest = words.slice(named);
  // "KES 1,500", "1500 bob": an amount of two words comes before one of a word.
  for (const count of [2, 1]) {
    const amount_cents = centsFromTyped(rest.slice(0, count).join(' '));
    if (amount_cents === undefined || rest.length < count) continue;
    if (amount_cents <= 0n) continue;
    const what = rest
      .slice(count)
      .join(' ')
      .replace(/^(?:for|ya|kwa)\s+/i, '');
    return { who, amount_cents, ...(what === '' ? {} : { what }) };
  }
  const what = rest.join(' ');
  return { who, ...(what === '' ? {} : { what }) };
}

// Each counts the words that are it; 0 when none are. A phone may be written in groups.
function phoneIn(words: string[]): number {
  for (let count = Math.min(longest_phone, words.length); count > 0; count -= 1) {
    if (msisdnFrom(words.slice(0, count).join(' ')) !== undefined) return count;
  }
  return 0;
}

function customerIn([first = '', second = '']: string[]): number {
  if (/^cust(?:omer)?[^0-9a-z]*\d+$/i.test(first)) return 1;
  return /^cust(?:omer)?$/i.test(first) && /^\d+$/.test(second) ? 2 : 0;
}

// Everything before the amount.
function nameIn(words: string[]): number {
  const amount = words.findIndex(
    (word, index) =>
      centsFromTyped(word) !== undefined ||
      centsFromTyped(words.slice(index, index + 2).join(' ')) !== undefined,
  );
  return amount < 0 ? words.length : amount;
}
