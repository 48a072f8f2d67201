import { centsFromTyped } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';

/** What an owner wrote of an invoice, as far as it says it. */
export interface Order {
  /** A customer's number, a phone or a name, as written; empty when only `ways` may say it. */
  who: string;
  /** A name beside a phone. */
  name?: string;
  amount_cents?: bigint;
  /** What it is for. */
  what?: string;
  /** Other ways to part whom from what for: "Mary shoes" is Mary's, or all of it a name. */
  ways: { who: string; what?: string }[];
  /** The amount is below nothing. */
  minus: boolean;
}

const longest_phone = 5;
const longest_amount = 6;
const longest_name = 5;

/**
 * Reads "0712 345 678 1,500 school shoes", "CUST-001 1500", "Mary Wanjiku 2.5k shoes", "1500 Mary":
 * whom, how much, what for, in any order. Undefined when it names nobody. No database.
 */
export function readOrder(text: string): Order | undefined {
  const words = text.trim().split(/\s+/);
  const minus = words.some((word) =>
    /^(?:k(?:es|sh)\.?)?[-\u2212\u2013](?:k(?:es|sh)\.?)?\d/i.test(word),
  );
  const order = withNumber(words) ?? withName(words);
  return order && { ...order, minus };
}

type Part = { from: number; count: number };
type Read = Omit<Order, 'minus'>;

// A phone or a customer's number says whom, wherever it stands.
function withNumber(words: readonly string[]): Read | undefined {
  const number = phoneIn(words) ?? customerIn(words);
  if (!number) return undefined;
  const who = words.slice(number.from, number.from + number.count).join(' ');
  const rest = words.filter((_, at) => at < number.from || at >= number.from + number.count);
  const amount = amountIn(rest);
  const at = amount ? Math.min(amount.from, number.from) : number.from;
  const first = rest.slice(0, at);
  // Beside a customer's number no name is needed.
  const is_phone = msisdnFrom(who) !== undefined;
  const lead = is_phone ? bare(first) : '';
  const for_what = is_phone ? [] : first;
  if (!amount) return { who, ways: [], ...named(lead), ...meant([...for_what, ...rest.slice(at)]) };
  const behind = rest.slice(amount.from + amount.count);
  const { cents: amount_cents } = amount;
  if (amount.from < number.from) {
    return { who, amount_cents, ways: [], ...named(lead), ...meant([...for_what, ...behind]) };
  }
  const between = rest.slice(number.from, amount.from);
  // "0712345678 Mary 1500 shoes" has a name there, and "0712345678 shoes 1500" has none.
  const is_name = is_phone && lead === '' && behind.length > 0;
  return {
    who,
    amount_cents,
    ways: [],
    ...named(is_name ? between.join(' ') : lead),
    ...meant([...for_what, ...(is_name ? [] : between), ...behind]),
  };
}

function withName(words: readonly string[]): Read | undefined {
  const amount = amountIn(words) ?? nothingIn(words);
  const before = words.slice(0, amount?.from);
  const behind = amount ? words.slice(amount.from + amount.count) : [];
  const money = amount && amount.cents > 0n ? { amount_cents: amount.cents } : {};
  const who = bare(before);
  const names = (who === '' ? bare(behind) : who).split(' ').filter((word) => word !== '');
  if (names.length === 0) return undefined;
  const ways = Array.from({ length: Math.min(names.length, longest_name) }, (_, index) => {
    const count = Math.min(names.length, longest_name) - index;
    const what = who === '' ? names.slice(count) : [...names.slice(count), ...behind];
    return { who: names.slice(0, count).join(' '), ...meant(what) };
  });
  if (who === '') return { who, ways, ...money };
  return { who, ways: ways.filter((way) => way.who !== who), ...money, ...meant(behind) };
}

function named(name: string) {
  return name === '' ? {} : { name };
}

function meant(words: readonly string[]) {
  const what = bare(words);
  return what === '' ? {} : { what };
}

// Without the small word before it: "for Mary", "kwa Mary".
function bare(words: readonly string[]): string {
  return words.join(' ').replace(/^(?:for|to|ya|kwa)(?:\s+|$)/i, '');
}

// A phone may be written in groups.
function phoneIn(words: readonly string[]): Part | undefined {
  return partIn(words, longest_phone, (part) => msisdnFrom(part.join(' ')) !== undefined);
}

function customerIn(words: readonly string[]): Part | undefined {
  return partIn(words, 2, (part) =>
    part.length === 1
      ? /^cust(?:omer)?[^0-9a-z]*\d+$/i.test(part[0] ?? '')
      : /^cust(?:omer)?$/i.test(part[0] ?? '') && /^\d+$/.test(part[1] ?? ''),
  );
}

// "KES 1,500", "1500 bob", "elfu mbili": of several the one that says that it is money, else the
// first.
function amountIn(words: readonly string[]): (Part & { cents: bigint }) | undefined {
  const marked = partIn(words, longest_amount, (part) => isMarked(part) && centsOf(part) > 0n);
  const part = marked ?? partIn(words, 1, (one) => centsOf(one) > 0n);
  return part && { ...part, cents: centsOf(words.slice(part.from, part.from + part.count)) };
}

// "Mary 0 shoes": a name ends there.
function nothingIn(words: readonly string[]): (Part & { cents: bigint }) | undefined {
  const from = words.findIndex((word) => /^0+$/.test(word));
  return from < 0 ? undefined : { from, count: 0, cents: 0n };
}

function isMarked(part: readonly string[]): boolean {
  const text = part.join(' ');
  return /[a-z,/]/i.test(text) && part.filter((word) => /\d/.test(word)).length <= 1;
}

function centsOf(part: readonly string[]): bigint {
  return centsFromTyped(part.join(' ')) ?? 0n;
}

// The first such part, the longest that begins there.
function partIn(
  words: readonly string[],
  longest: number,
  is: (part: readonly string[]) => boolean,
): Part | undefined {
  for (let from = 0; from < words.length; from += 1) {
    for (let count = Math.min(longest, words.length - from); count > 0; count -= 1) {
      if (is(words.slice(from, from + count))) return { from, count };
    }
  }
  return undefined;
}
