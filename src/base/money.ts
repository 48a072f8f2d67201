/** Money inside Karani is a bigint of cents; these are its only ways in and out. */

const decimal = /^(-?)(\d{1,13})(?:\.(\d{1,2}))?$/;

/**
 * Shillings as a program writes them ("1500", "1500.5", "1500.00") in cents.
 * Undefined when it is not such a number; never rounds.
 */
export function centsFromDecimal(text: string): bigint | undefined {
  const parts = decimal.exec(text);
  if (!parts) return undefined;
  const cents = BigInt(parts[2] ?? '0') * 100n + BigInt((parts[3] ?? '').padEnd(2, '0'));
  return parts[1] === '-' ? -cents : cents;
}

/** Cents as a decimal string of shillings with two decimals, for JSON: 150000n is "1500.00". */
export function decimalFromCents(cents: bigint): string {
  const positive = cents < 0n ? -cents : cents;
  const text = `${positive / 100n}.${String(positive % 100n).padStart(2, '0')}`;
  return cents < 0n ? `-${text}` : text;
}

/**
 * Cents as a number of shillings with at most two decimals, for JSON that other software reads.
 * Such a number is exact as far as Karani counts (13 digits of shillings), and nobody here reckons
 * with it.
 */
export function numberFromCents(cents: bigint): number {
  return Number(decimalFromCents(cents));
}

/** A number of shillings in cents; undefined when it has more than two decimals. */
export function centsFromNumber(shillings: number): bigint | undefined {
  return centsFromDecimal(String(shillings));
}

/**
 * Which of two decimal strings of shillings is more: below zero for the second, 0 for neither.
 * Undefined when one is no such number. By their letters, for the same reason as `moneyWords`.
 */
export function compareDecimals(left: string, right: string): number | undefined {
  const [a, b] = [decimal.exec(left), decimal.exec(right)];
  if (!a || !b) return undefined;
  // Negative amounts are rare enough to be counted.
  if (a[1] || b[1]) return Number((centsFromDecimal(left) ?? 0n) - (centsFromDecimal(right) ?? 0n));
  const [mine, other] = [inOrder(a), inOrder(b)];
  if (mine === other) return 0;
  if (mine.length !== other.length) return mine.length - other.length;
  return mine < other ? -1 : 1;
}

// The cents as digits without leading zeros: the longer is more.
function inOrder([, , whole = '', cents = '']: RegExpExecArray): string {
  return `${whole}${cents.padEnd(2, '0')}`.replace(/^0+/, '');
}

// What people write around an amount.
const before = String.raw`k(?:es|sh)s?\.?`;
const behind = String.raw`\/[=-]+|bob|kes|ksh|shillings?`;
const typed = new RegExp(
  String.raw`^(?:${before})?(\d{1,3}(?:,\d{3})+|\d{1,12})(\.\d{1,2})?(k)?(?:${behind})?$`,
);
const typed_last = new RegExp(
  String.raw`^\s*(.+?)[\s:=]+((?:(?:${before})\s*)?[\d,.]+\s*(?:k|${behind})?)\s*$`,
  'i',
);

/**
 * An amount as people type it, in cents: "1,500", "Ksh 1500/=", "1.5K", "500 bob", "shilingi 200",
 * "elfu mbili na mia tano".
 * Undefined when it cannot be read for certain.
 */
export function centsFromTyped(text: string): bigint | undefined {
  // As nearly everybody writes it.
  if (/^\d{1,9}$/.test(text)) return BigInt(text) * 100n;
  if (swahili_scale.test(text)) return centsFromSwahili(text);
  const plain = text
    .toLowerCase()
    .replace(/\s+/g, '')
    .replace(/^(?:shilingi|shillings?)/, '');
  const parts = typed.exec(plain);
  if (!parts) return undefined;
  const cents = centsFromDecimal(`${parts[1]?.replaceAll(',', '')}${parts[2] ?? ''}`);
  if (cents === undefined) return undefined;
  // Never more than can be read again: compared with a limit, it would pass.
  return centsFromDecimal(decimalFromCents(cents * (parts[3] ? 1000n : 1n)));
}

/** "CUST-002 1,000 bob": what is said, and the amount in cents that it ends with. */
export function saidWithAmount(text: string): { said: string; cents: bigint } | undefined {
  const [, said = '', amount = ''] = typed_last.exec(text) ?? [];
  const cents = centsFromTyped(amount) ?? centsFromDecimal(amount);
  return cents === undefined ? undefined : { said, cents };
}

const swahili_scale = /\b(?:mia|elfu|laki|milioni)\b/i;
const scales: Readonly<Record<string, number>> = { milioni: 1e6, laki: 1e5, elfu: 1000, mia: 100 };
const tens = numbered(
  'kumi,ishirini,thelathini,arobaini,hamsini,sitini,sabini,themanini,tisini',
  10,
);
const units = numbered('moja,mbili,tatu,nne,tano,sita,saba,nane,tisa', 1);

function numbered(words: string, step: number): ReadonlyMap<string, number> {
  return new Map(words.split(',').map((word, index) => [word, (index + 1) * step]));
}

// "elfu kumi na tano" is 15,000: what stands behind a scale counts it, as far as it is one number.
function centsFromSwahili(text: string): bigint | undefined {
  const said = text.toLowerCase().replace(/\b(?:na|shilingi|bob|kes|ksh)\b/g, ' ');
  const words = said.split(/[\s,]+/).filter((word) => word !== '');
  let total = 0;
  let last_scale = Infinity;
  for (let at = 0; at < words.length;) {
    const word = words[at] ?? '';
    const scale = Object.hasOwn(scales, word) ? (scales[word] ?? 1) : 1;
    if (scale >= last_scale) return undefined;
    last_scale = scale;
    const [count, taken] = countAt(words, scale > 1 ? at + 1 : at);
    if (count === 0 || count * scale >= 1e9 || (scale === 100 && count > 9)) return undefined;
    total += count * scale;
    at += taken + (scale > 1 ? 1 : 0);
  }
  return BigInt(total) * 100n;
}

// A number below a thousand in digits, or below a hundred in words, and how many words it takes.
function countAt(words: readonly string[], at: number): [number, number] {
  const [first = '', second = ''] = words.slice(at, at + 2);
  if (/^\d{1,3}$/.test(first)) return [Number(first), 1];
  const unit = units.get(first);
  if (unit !== undefined) return [unit, 1];
  const ten = tens.get(first) ?? 0;
  const more = ten === 0 ? undefined : units.get(second);
  return more === undefined ? [ten, 1] : [ten + more, 2];
}

function grouped(whole: string): string {
  if (whole.length <= 3) return whole;
  const first = whole.length % 3 || 3;
  let text = whole.slice(0, first);
  for (let at = first; at < whole.length; at += 3) text += `,${whole.slice(at, at + 3)}`;
  return text;
}

/**
 * "KES 1,500.00" of a decimal string of shillings, as alerts and receipts have it; with `short`
 * cents only when there are any. Undefined when it is not such a number. By its letters alone:
 * every screen has some, and integers of any size cost three times as much.
 */
export function moneyWords(text: string, short: boolean): string | undefined {
  const parts = decimal.exec(text);
  if (!parts) return undefined;
  const [, sign = '', whole = '', cents = ''] = parts;
  const shillings = grouped(whole.replace(/^0+(?=\d)/, ''));
  const two = cents.padEnd(2, '0');
  const minus = sign === '-' && /[1-9]/.test(whole + cents) ? '-' : '';
  return `KES ${minus}${shillings}${short && two === '00' ? '' : `.${two}`}`;
}

/** "KES 1,500", and cents only when there are any: questions, prompts and USSD. */
export function shortMoney(cents: bigint): string {
  return moneyWords(decimalFromCents(cents), true) ?? '';
}
