import { eatDate } from '../base/clock.ts';
import { centsFromDecimal, centsFromTyped, decimalFromCents } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';
import { isName } from '../base/text.ts';
import { type AskStep, type AskType, type Limit, normal, type SentType } from './definition.ts';
import { type Choice, choicesOf, labelsOf, questionTag } from './screen.ts';
import { type Heard, type Place, type Session, type Tap, valueAt, viewOf } from './session.ts';
import { compared } from './words.ts';

/** What a person's words mean as an answer to the question that waits. */

type Understood =
  | { kind: 'value'; value: unknown; to: string | undefined }
  | { kind: 'flow'; flow: string }
  /** It answers another question that waits behind this one; without a value wrongly so. */
  | { kind: 'typed'; step: AskStep; value: unknown; note: string }
  /** No answer, and it costs a try; `note` is the shared text that says why. */
  | { kind: 'wrong'; note: string }
  /** Nothing was said that could be an answer: the question stays as it is. */
  | { kind: 'nothing' }
  /** It answers a question that was asked before this one. */
  | { kind: 'earlier' };

export function understand(
  place: Place,
  session: Session,
  step: AskStep,
  heard: Heard,
): Understood {
  if (typeof heard !== 'string') {
    return heard.type === 'tap'
      ? tappedAnswer(place, session, step, heard)
      : sentAnswer(step, heard);
  }
  const text = heard;
  if (text.trim() === '') return { kind: 'nothing' };
  return step.answers.of === 'typed'
    ? typedAnswer(place, session, step.answers, text)
    : chosenAnswer(place, session, step, text);
}

function tappedAnswer(place: Place, session: Session, step: AskStep, tap: Tap): Understood {
  if (tap.at !== questionTag(place, session, step)) return { kind: 'earlier' };
  const choice = choicesOf(place, session, step).find((it) => it.id === tap.id);
  return choice ? chose(choice) : { kind: 'earlier' };
}

function chose(choice: Choice): Understood {
  if (choice.flow !== undefined) return { kind: 'flow', flow: choice.flow };
  return { kind: 'value', value: choice.id, to: choice.to };
}

function sentAnswer({ answers }: AskStep, heard: Exclude<Heard, string | Tap>): Understood {
  if (answers.of !== 'typed') return { kind: 'wrong', note: 'not_understood' };
  if (answers.type === heard.type) return { kind: 'value', value: heard.value, to: undefined };
  return { kind: 'wrong', note: `wrong_${answers.type}` };
}

function typedAnswer(
  place: Place,
  session: Session,
  { type, min, max }: { type: AskType; min: Limit | undefined; max: Limit | undefined },
  text: string,
): Understood {
  // A message that crossed with the question is not a wrong code.
  if (type === 'code' && !/^[\d\s]+$/.test(text)) return { kind: 'nothing' };
  const wrong: Understood = { kind: 'wrong', note: `wrong_${type}` };
  const is_text = type === 'text' || type === 'name';
  const least = limitValue(place, session, min);
  const most = limitValue(place, session, max) ?? (is_text ? '500' : undefined);
  const value = valuesOf(type, text, place.ctx.now).find((it) => {
    const size = is_text ? String(Array.from(String(it)).length) : String(it);
    return (
      (least === undefined || compared(size, least) >= 0) &&
      (most === undefined || compared(size, most) <= 0)
    );
  });
  if (value === undefined) return wrong;
  return { kind: 'value', value, to: undefined };
}

const year_ms = 365 * 24 * 60 * 60 * 1000;

// What it may mean, the likeliest first: where a day without a year is asked for and must be over,
// it is that of the year before.
function valuesOf(type: AskType, text: string, now: Date): (string | number)[] {
  const reader = type in readers ? readers[type as keyof typeof readers] : undefined;
  const others = type === 'date' && !Object.hasOwn(near_days, normal(text)) ? [-1] : [];
  return [0, ...others].flatMap((years) => {
    return reader?.(text.trim(), new Date(now.getTime() + years * year_ms)) ?? [];
  });
}

function limitValue(place: Place, session: Session, limit: Limit | undefined): string | undefined {
  if (!limit) return undefined;
  if ('literal' in limit && limit.literal === 'today') return eatDate(place.ctx.now);
  const value = 'path' in limit ? valueAt(place, session, limit.path) : limit.literal;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

type Reader = (text: string, now: Date) => string | number | undefined;

// What is to be sent cannot be typed.
const readers: Readonly<Record<Exclude<AskType, SentType>, Reader>> = {
  text: (text) => text.replace(/[\s\p{Cc}]+/gu, ' ').trim() || undefined,
  name: (text) => (isName(text) ? text.replace(/[\s\p{Cc}]+/gu, ' ').trim() : undefined),
  money: (text) => {
    const cents = centsFromTyped(text);
    return cents === undefined || cents === 0n ? undefined : decimalFromCents(cents);
  },
  number: (text) => {
    const plain = text.replace(/,(?=\d{3}\b)/g, '');
    return /^-?\d{1,9}(\.\d{1,2})?$/.test(plain) ? Number(plain) : undefined;
  },
  date: dateFrom,
  phone: (text) => msisdnFrom(text),
  pin: (text) => (/^\d{4,12}$/.test(text) ? text : undefined),
  code: (text) => {
    const digits = text.replace(/\s/g, '');
    return /^\d{4,8}$/.test(digits) ? digits : undefined;
  },
};

const near_days: Readonly<Record<string, number>> = {
  yesterday: -1,
  jana: -1,
  today: 0,
  leo: 0,
  tomorrow: 1,
  kesho: 1,
};

const month_numbers = new Map(
  'jan,feb,mar|mac,apr,may|mei,jun,jul,aug|ago,sep,oct|okt,nov,dec|des'
    .split(',')
    .flatMap((names, index) => names.split('|').map((name) => [name, index + 1] as const)),
);

/**
 * A day as people write it: "3/2/2026", "3 Feb", "2026-02-03", "kesho". The day comes before the
 * month.
 */
function dateFrom(text: string, now: Date): string | undefined {
  const said = normal(text);
  const near = Object.hasOwn(near_days, said) ? near_days[said] : undefined;
  if (near !== undefined) return eatDate(new Date(now.getTime() + near * 24 * 60 * 60 * 1000));
  const iso = /^(\d{4})-(\d\d?)-(\d\d?)$/.exec(said);
  if (iso) return realDate(iso[1], Number(iso[2]), iso[3]);
  const numbers = /^(\d\d?)[/.-](\d\d?)(?:[/.-](\d{4}|\d\d))?$/.exec(said);
  if (numbers) return nearDate(numbers[3], Number(numbers[2]), numbers[1], now);
  const words =
    /^(\d\d?)(?:st|nd|rd|th)? ?([a-z]{3})[a-z]*\.?,?(?: (\d{4}))?$/.exec(said) ??
    swapped(/^([a-z]{3})[a-z]*\.? (\d\d?)(?:st|nd|rd|th)?,?(?: (\d{4}))?$/.exec(said));
  const month = words && month_numbers.get(words[2] ?? '');
  return words && month ? nearDate(words[3], month, words[1], now) : undefined;
}

// "Feb 3" as "3 Feb".
function swapped(words: RegExpExecArray | null): (string | undefined)[] | null {
  return words && [words[0], words[2], words[1], words[3]];
}

const half_a_year_ms = 183 * 24 * 60 * 60 * 1000;

// Of a date without a year the one that is nearest is meant: in December, 5 Jan is next year's.
function nearDate(year: string | undefined, month: number, day = '', now: Date) {
  if (year !== undefined) return realDate(year.length === 2 ? `20${year}` : year, month, day);
  const this_year = Number(eatDate(now).slice(0, 4));
  const dates = [this_year, this_year - 1, this_year + 1].flatMap((it) => {
    return realDate(String(it), month, day) ?? [];
  });
  const far = (date: string) => Math.abs(Date.parse(date) - now.getTime());
  return dates.find((date) => far(date) <= half_a_year_ms) ?? dates[0];
}

// A 31 February rolls over instead of failing, so the date is read back. There is no year 0, and
// nobody means the first thousand.
function realDate(year = '', month = 0, day = ''): string | undefined {
  if (!/^[12]/.test(year)) return undefined;
  const text = `${year}-${String(month).padStart(2, '0')}-${day.padStart(2, '0')}`;
  const at = new Date(`${text}T00:00:00Z`);
  const real = !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
  return real ? text : undefined;
}

// Yes and no as people write them, for options that are called so.
const meant: Readonly<Record<string, string>> = {
  yes: 'yes',
  ndiyo: 'yes',
  ndio: 'yes',
  eeh: 'yes',
  no: 'no',
  hapana: 'no',
  la: 'no',
};

function chosenAnswer(place: Place, session: Session, step: AskStep, text: string): Understood {
  const choices = choicesOf(place, session, step);
  const choice = chosen(choices, place, session, text);
  if (choice) return chose(choice);
  return typedInstead(place, session, step, text) ?? { kind: 'wrong', note: 'not_understood' };
}

// "500" below "Pay INV-12?" is how much; more than can be paid is an amount too, unless it looks
// like a PIN.
function typedInstead(
  place: Place,
  session: Session,
  { answers }: AskStep,
  text: string,
): Understood | undefined {
  const name = answers.of === 'options' ? answers.typed : undefined;
  const step = name === undefined ? undefined : place.flow.steps.get(name);
  if (step?.kind !== 'ask' || step.answers.of !== 'typed') return undefined;
  const answer = typedAnswer(place, session, step.answers, text);
  if (answer.kind === 'value') return { kind: 'typed', step, value: answer.value, note: '' };
  const { type } = step.answers;
  const read =
    type in readers ? readers[type as keyof typeof readers](text.trim(), place.ctx.now) : undefined;
  const is_pin = isPinLike(text) && !text.trim().endsWith('0');
  if (read === undefined || is_pin) return undefined;
  return { kind: 'typed', step, value: undefined, note: `wrong_${type}` };
}

/** What may be a PIN that nobody asked for: an amount or a choice is not written so. */
export function isPinLike(text: string): boolean {
  return /^\d{4,6}$/.test(text.trim());
}

/** By number, by id, by label in either language; a label that two share chooses neither. */
function chosen(
  choices: readonly Choice[],
  place: Place,
  session: Session,
  text: string,
): Choice | undefined {
  const said = normal(text);
  const number = /^(\d{1,3})[.)]?$/.exec(said);
  if (number) return choices[Number(number[1]) - 1];
  const by_id = choices.find((choice) => choice.id.toLowerCase() === said);
  if (by_id) return by_id;
  const view = viewOf(place, session);
  const bare = said.replace(/^\d{1,3}[.)]? (?=\S)/, '');
  const labelled = choices.filter((choice) =>
    labelsOf(choice, view).some((label) => [said, bare].includes(normal(label))),
  );
  if (labelled.length === 1) return labelled[0];
  const yes_or_no = Object.hasOwn(meant, said) ? meant[said] : undefined;
  return choices.find((choice) => choice.id === yes_or_no);
}

/** The least a limit's literal must be: a number, or a day, which may be today. */
export function isLimitLiteral(type: AskType, text: string): boolean {
  if (type === 'date') return text === 'today' || realDate(...dateParts(text)) !== undefined;
  return centsFromDecimal(text) !== undefined;
}

function dateParts(text: string): [string, number, string] {
  const [year = '', month = '', day = ''] = text.split('-');
  return [year, Number(month), day];
}
