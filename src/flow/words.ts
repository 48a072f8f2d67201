import { eatDate, eatTime } from '../base/clock.ts';
import { centsFromDecimal, compareDecimals, decimalFromCents, moneyWords } from '../base/money.ts';
import { localPhone, maskedPhone } from '../base/phone.ts';
import type { Channel, Language } from './action.ts';
import { toGsm7 } from './gsm7.ts';

/** Texts with {path|format} in them: read once at load, filled with values when they are said. */

const formats = [
  'money',
  'exact',
  'number',
  'date',
  'time',
  'phone',
  'mask',
  'short',
  'price',
  'lines',
] as const;
type Format = (typeof formats)[number];

/** `order.total` as ['order', 'total']. */
export type Path = readonly [string, ...string[]];

/**
 * Values of the house that every text may use; `question` is the reference of one that Karani
 * asked, and empty elsewhere.
 */
export const house_names = ['shop', 'paybill', 'help', 'ussd', 'question'] as const;

export interface Slot {
  path: Path;
  format: Format | undefined;
  /** `{name?}`: in a message, a line without it is left out. */
  optional: boolean;
}

export type Template = readonly (string | Slot)[];
export type Text = Readonly<Record<Language, Template>>;

/** `if: a.b > 0`; without an operator, whether the value is set. */
export interface Condition {
  path: Path;
  operator: '=' | '!=' | '<' | '<=' | '>' | '>=' | 'is set';
  right: { literal: string } | { path: Path } | undefined;
}

export interface View {
  language: Language;
  channel: Channel;
  /** Without it dates have their year. */
  now: Date | undefined;
  valueOf: (path: Path) => unknown;
  /**
   * Cuts people's text to so many characters, where a screen has no room; never amounts or dates.
   */
  most?: number;
}

const slot_pattern = /^([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(\?)?(?:\|([a-z]+))?$/;

export function pathFrom(text: string): Path {
  const [first = '', ...rest] = text.split('.');
  return [first, ...rest];
}

/** A text as the engine fills it, or what is wrong with it. */
export function readTemplate(text: string): { template: Template } | { problem: string } {
  const template: (string | Slot)[] = [];
  for (const piece of text.split(/(\{[^{}]*\})/)) {
    if (piece === '') continue;
    if (!piece.startsWith('{') || !piece.endsWith('}')) {
      if (/[{}]/.test(piece)) return { problem: 'a { or } stands alone' };
      template.push(piece);
      continue;
    }
    const parts = slot_pattern.exec(piece.slice(1, -1));
    if (!parts?.[1]) return { problem: `${piece} is not a {path} or {path|format}` };
    const format = formats.find((known) => known === parts[3]);
    if (parts[3] !== undefined && !format) return { problem: `there is no format "${parts[3]}"` };
    template.push({ path: pathFrom(parts[1]), format, optional: parts[2] === '?' });
  }
  return { template };
}

export function slotsOf(template: Template): Slot[] {
  return template.filter((part) => typeof part !== 'string');
}

/**
 * The words with their values, these inside the channel's alphabet; of the words themselves that is
 * checked when they are loaded.
 */
export function fill(text: Text, view: View): string {
  let words = '';
  for (const part of text[view.language]) {
    const value = typeof part === 'string' ? part : formatted(part, view);
    // "Thank you {name}." without a name is "Thank you."
    words = value === '' ? words.trimEnd() : words + value;
  }
  return words;
}

function formatted(slot: Slot, view: View): string {
  const value = view.valueOf(slot.path);
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    return '';
  if (slot.format === 'lines') {
    const lines = String(value).split('\n');
    return lines.map((line) => plainText(line, view.channel)).join('\n');
  }
  const text = isOfTheHouse(slot)
    ? ownText(String(value), view.channel)
    : plainText(String(value), view.channel);
  switch (slot.format) {
    case undefined:
      return isCuttable(slot, value) ? cut(text, view.most ?? Infinity) : text;
    case 'short':
      return cut(text, Math.min(20, view.most ?? 20));
    case 'money':
      return moneyWords(text, true) ?? text;
    case 'exact':
      return moneyWords(text, false) ?? text;
    // Odds, as bettors read them.
    case 'price':
      return twoDecimals(text);
    case 'number':
      return text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','));
    case 'date':
      return dateWords(text, view);
    case 'time': {
      const at = momentIn(text);
      return at ? eatTime(at) : text;
    }
    case 'phone':
      return localPhone(text.replace(/^\+/, ''));
    case 'mask':
      return maskedPhone(text.replace(/^\+/, ''));
  }
}

// Two places as money has them, and what is no number as it stands.
function twoDecimals(text: string): string {
  const hundredths = centsFromDecimal(text);
  return hundredths === undefined ? text : decimalFromCents(hundredths);
}

// Our own words, and the stars in *384*123456# are not bold.
function isOfTheHouse({ path }: Slot): boolean {
  return path.length === 1 && house_names.some((name) => name === path[0]);
}

function ownText(text: string, channel: View['channel']): string {
  return channel === 'whatsapp' || plain_already.test(text) ? text : toGsm7(text);
}

// People's text: on one line, so that it cannot pass for an option; without what WhatsApp takes for
// bold, italics and the like.
// Nearly every value is such already.
const plain_already = /^[A-Za-z0-9.,:;/()+'&-]+(?: [A-Za-z0-9.,:;/()+'&-]+)*$/;

function plainText(text: string, channel: View['channel']): string {
  if (plain_already.test(text)) return text;
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return channel === 'whatsapp' ? line.replace(/[*_~`]/g, '') : toGsm7(line);
}

// A number or a reference that lost its end is another one: somebody would pay to it, or dial it.
const never_cut = new Set('ref,number,receipt,paybill,shortcode,help,ussd,question'.split(','));

function isCuttable({ path }: Slot, value: unknown): boolean {
  return typeof value === 'string' && !never_cut.has(path.at(-1) ?? '');
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const signs = Array.from(text);
  if (signs.length <= most) return text;
  return `${signs
    .slice(0, Math.max(1, most - 3))
    .join('')
    .trimEnd()}...`;
}

const months: Record<Language, readonly string[]> = {
  en: 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' '),
  sw: 'Jan Feb Mac Apr Mei Jun Jul Ago Sep Okt Nov Des'.split(' '),
};

// Of the years that have four digits in Nairobi too.
function momentIn(text: string): Date | undefined {
  const at = new Date(text);
  const year = at.getUTCFullYear();
  return year >= 1 && year < 9999 ? at : undefined;
}

// "3 Feb", with the year when it is not this one. A moment stands for its day in Nairobi.
function dateWords(text: string, view: View): string {
  const at = momentIn(text);
  if (!at) return text;
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? text : eatDate(at);
  const month = months[view.language][Number(day.slice(5, 7)) - 1] ?? '';
  const words = `${Number(day.slice(8, 10))} ${month}`;
  const year = day.slice(0, 4);
  return view.now && year === eatDate(view.now).slice(0, 4) ? words : `${words} ${year}`;
}

const condition_pattern =
  /^([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*) *(?:(is set)|(<=|>=|!=|=|<|>) *([^\s=<>!].*))$/;

/**
 * Reads an `if`. What stands on the right is a path when it begins with the name of one of the
 * flow's values, and a literal otherwise.
 */
export function readCondition(text: string, names: ReadonlySet<string>): Condition | undefined {
  const parts = condition_pattern.exec(text.trim());
  if (!parts?.[1]) return undefined;
  const path = pathFrom(parts[1]);
  const right = parts[4]?.trim();
  if (right === undefined) return { path, operator: 'is set', right: undefined };
  const root = /^[a-z][a-z0-9_]*(?=(\.[a-z][a-z0-9_]*)*$)/.exec(right)?.[0];
  return {
    path,
    operator: parts[3] as Condition['operator'],
    right: root && names.has(root) ? { path: pathFrom(right) } : { literal: right },
  };
}

/** Neither missing nor empty: what `is set` means, and what an optional line needs. */
export function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== '';
}

/** Whether the condition holds; a comparison with what is not set never does. */
export function holds(condition: Condition, valueOf: (path: Path) => unknown): boolean {
  const left = valueOf(condition.path);
  if (condition.operator === 'is set') return isSet(left);
  const right =
    condition.right && 'path' in condition.right
      ? valueOf(condition.right.path)
      : condition.right?.literal;
  if (!isSet(left) || !isSet(right)) return false;
  const order = compared(String(left), String(right));
  switch (condition.operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** Amounts and counts by their size, everything else (dates too) letter by letter. */
export function compared(left: string, right: string): number {
  const by_size = compareDecimals(left, right);
  if (by_size !== undefined) return by_size;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
