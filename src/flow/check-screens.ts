import { z } from 'zod';
import { type Actions, type Language, languages } from './action.ts';
import { textsOf } from './check-ways.ts';
import type { Draft } from './compile.ts';
import type { Flow, Flows, Step } from './definition.ts';
import { gsm7Length, outsideGsm7, toGsm7 } from './gsm7.ts';
import { ussd_page } from './render.ts';
import type { Keys, Source } from './source.ts';
import { itemType, typeAt, typeInside } from './value-types.ts';
import { waysFrom } from './ways.ts';
import type { Slot, Template, Text } from './words.ts';

/** Whether every screen of USSD is in its alphabet and fits its page with the longest values. */

// What "0 Back" and "98 More" take in the longer language, with their line ends.
const ways_on = gsm7Length('\n0 Back\n98 Zaidi');

const sms_part = 160;

// An option stands behind its number.
const number_length = '12 '.length;

export function checkScreens(draft: Draft, actions: Actions, flows: Flows['flows']): void {
  const { flow, source } = draft;
  const said = longestSaid({ flow, actions, flows }, draft.whole);
  for (const step of flow.steps.values()) {
    if (step.kind === 'end') checkCopy(draft, actions, step);
    if (step.on && !step.on.includes('ussd')) {
      if (step.on.includes('sms')) checkAlphabets(source, step);
      continue;
    }
    checkAlphabets(source, step);
    const at = ['steps', step.name, step.kind];
    if (step.kind === 'end' || step.kind === 'handoff') {
      for (const language of languages) {
        const before = said.get(step.name)?.[language] ?? 0;
        const length = before + longest(flow, actions, step.words[language]);
        if (length > ussd_page)
          source.report([...at, language], tooLong(length, ussd_page, before > 0));
      }
    }
    if (step.kind === 'ask') checkQuestion(draft, actions, step);
  }
  const measure: Measure = (template) => number_length + longest(flow, actions, template);
  if (flow.title) checkAlphabet(source, ['start', 'menu'], flow.title);
  if (flow.title) checkLine(source, ['start', 'menu'], flow.title, measure);
}

function checkAlphabets(source: Source, step: Step): void {
  const at = ['steps', step.name];
  if (step.kind === 'say' || step.kind === 'end' || step.kind === 'handoff')
    checkAlphabet(source, [...at, step.kind], step.words);
  if (step.kind !== 'ask') return;
  for (const { text, keys } of textsOf(step)) checkAlphabet(source, [...at, ...keys], text);
  if (step.answers.of === 'list')
    checkAlphabet(source, [...at, 'pick', 'label'], step.answers.label);
}

/** A copy by SMS is one part. */
function checkCopy(
  { flow, source }: Draft,
  actions: Actions,
  { name, words, copy }: Extract<Step, { kind: 'end' }>,
): void {
  if (!copy || copy === words) return;
  const at = ['steps', name, 'also', 'sms'];
  checkAlphabet(source, at, copy);
  for (const language of languages) {
    const length = longest(flow, actions, copy[language]);
    if (length > sms_part)
      source.report(
        [...at, language],
        `this can take ${length} characters, and an SMS has ${sms_part}`,
      );
  }
}

function checkQuestion(
  { flow, source }: Draft,
  actions: Actions,
  step: Extract<Step, { kind: 'ask' }>,
): void {
  const at = ['steps', step.name];
  for (const { text, keys } of textsOf(step)) {
    const before = keys[0] === 'pick' ? number_length : 0;
    const measure: Measure = (template) => before + longest(flow, actions, template);
    checkLine(source, [...at, ...keys], text, measure);
  }
  const { answers } = step;
  if (answers.of !== 'list') return;
  const item = itemType(flow, actions, answers.from) ?? z.any();
  const typeOf = (slot: Slot) => typeInside({ schema: item, optional: false }, slot.path, '');
  checkLine(
    source,
    [...at, 'pick', 'label'],
    answers.label,
    (template) => number_length + longestOf(template, typeOf),
  );
}

type Measure = (template: Template) => number;

/** A question or an option is on one page with the ways on. */
function checkLine(source: Source, keys: Keys, text: Text, measure: Measure): void {
  const room = ussd_page - ways_on;
  for (const language of languages) {
    const length = measure(text[language]);
    if (length > room) source.report([...keys, language], tooLong(length, room, false));
  }
}

function tooLong(length: number, room: number, with_said: boolean): string {
  const what = with_said ? 'this, with what is said before it,' : 'this';
  return `${what} can take ${length} characters, and a USSD page has ${room} for it`;
}

/** Reports the first sign of a text that is not in the alphabet of USSD and SMS. */
export function checkAlphabet(source: Source, keys: Keys, text: Text): void {
  for (const language of languages)
    for (const part of text[language]) {
      const sign = typeof part === 'string' ? outsideGsm7(part) : undefined;
      if (sign === undefined) continue;
      const code = (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      source.report([...keys, language], `"${sign}" (U+${code}) is not in the alphabet of USSD`);
      break;
    }
}

type Lengths = Record<Language, number>;

interface Measured {
  flow: Flow;
  actions: Actions;
  flows: Flows['flows'];
}

/**
 * The most that can stand above each step from `say` steps on the way to it. Ways with questions
 * begin anew; the others go round nowhere, so the first visit of a step in their order is the last.
 */
function longestSaid(it: Measured, whole: boolean): Map<string, Lengths> {
  const { flow } = it;
  const known = new Map<string, Lengths>();
  if (!whole) return known;
  const visit = (name: string, before: Lengths, depth: number): void => {
    const step = flow.steps.get(name);
    const now = known.get(name) ?? { en: 0, sw: 0 };
    const longer = languages.some((language) => before[language] > now[language]);
    if (!step || depth > flow.steps.size || (known.has(name) && !longer)) return;
    const most = { en: Math.max(now.en, before.en), sw: Math.max(now.sw, before.sw) };
    known.set(name, most);
    const own = !step.on || step.on.includes('ussd') ? saidBy(it, step) : undefined;
    for (const { to, answered, keys } of waysFrom(step)) {
      if (to === undefined) continue;
      const above = { ...most };
      if (answered) above.en = above.sw = 0;
      else if (own && keys[0] !== 'if')
        for (const language of languages) above[language] += own[language] + 1;
      visit(to, above, depth + 1);
    }
  };
  visit(flow.first, { en: 0, sw: 0 }, 0);
  return known;
}

/** What a step leaves standing above the next: its own words, or the last ones of another flow. */
function saidBy({ flow, actions, flows }: Measured, step: Step): Lengths | undefined {
  if (step.kind === 'say') {
    const [en, sw] = languages.map((language) => longest(flow, actions, step.words[language]));
    return { en: en ?? 0, sw: sw ?? 0 };
  }
  const called = step.kind === 'call' ? flows.get(step.flow) : undefined;
  if (!called) return undefined;
  const said = longestSaid({ flow: called, actions, flows }, true);
  const most = { en: 0, sw: 0 };
  for (const last of called.steps.values()) {
    if (last.kind !== 'end') continue;
    for (const language of languages) {
      const before = said.get(last.name)?.[language] ?? 0;
      const length = before + longest(called, actions, last.words[language]);
      most[language] = Math.max(most[language], length);
    }
  }
  return most;
}

function longest(flow: Flow, actions: Actions, template: Template): number {
  return longestOf(template, (slot) => typeAt(flow, actions, slot.path));
}

type Found = ReturnType<typeof typeAt>;

function longestOf(template: Template, typeOf: (slot: Slot) => Found): number {
  return template.reduce((sum, part) => {
    if (typeof part === 'string') return sum + gsm7Length(toGsm7(part));
    const found = typeOf(part);
    return sum + longestValue(part, found && 'type' in found ? found.type.schema : z.any());
  }, 0);
}

// How long people's text may get before a screen cuts it, by what it is.
const usual = new Map(
  Object.entries({
    name: 12,
    who: 24,
    asker: 24,
    to: 24,
    payer: 24,
    ref: 17,
    account: 17,
    number: 17,
    invoice: 17,
    paid_for: 17,
    receipt: 10,
    phone: 12,
    help: 10,
    paybill: 7,
    shortcode: 7,
    shop: 16,
    ussd: 12,
    question: 6,
    why: 40,
  }),
);

/**
 * The most characters that a value can take where it stands; above `usual`, people's text is cut.
 */
export function longestValue({ path, format }: Slot, schema: z.ZodType): number {
  const name = path.at(-1) ?? '';
  switch (format) {
    case 'money':
    case 'exact':
      return ['total', 'received', 'unmatched_total'].includes(name)
        ? 'KES 9,999,999.00'.length
        : 'KES 250,000.00'.length;
    case 'date':
      return '28 Feb 2026'.length;
    case 'time':
      return '14:30'.length;
    case 'phone':
    case 'mask':
      return '0722xxx004'.length;
    case 'short':
      return 20;
    case 'price':
      return '999.99'.length;
    case 'number':
      return '999,999'.length;
    // Any number of lines: for a chat.
    case 'lines':
      return 2_000;
    case undefined:
      if (schema instanceof z.ZodNumber) return 5;
      if (schema instanceof z.ZodEnum)
        return Math.max(...schema.options.map((option) => String(option).length));
      return usual.get(name) ?? 20;
  }
}
