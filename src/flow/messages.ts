import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { assert } from '../base/errors.ts';
import { type Channel, type Language, languages } from './action.ts';
import { readText } from './compile-step.ts';
import { WordsText } from './definition.ts';
import { toGsm7 } from './gsm7.ts';
import { FlowFindings, readSource, type Source, shaped } from './source.ts';
import { fill, isSet, slotsOf, type Template, type Text } from './words.ts';

/** What Karani says without having been asked: one text by key, in every language. */

/** A message by its lines; a line whose `{name?}` has no value, or only a dash, is left out. */
export type Messages = ReadonlyMap<string, readonly Text[]>;

const file_name = '_messages.yaml';

/** Reads flows/_messages.yaml. Throws FlowFindings with everything that is wrong in it. */
export async function loadMessages(folder: string): Promise<Messages> {
  const text = await readFile(join(folder, file_name), 'utf8');
  const source = readSource(`${basename(folder)}/${file_name}`, text);
  const messages = new Map<string, readonly Text[]>();
  const data = shaped(source, [], z.record(z.string(), z.unknown()), source.data ?? {});
  for (const [key, value] of Object.entries(data ?? {})) {
    const lines = readMessage(source, key, value);
    if (lines) messages.set(key, lines);
  }
  const findings = source.findings();
  if (findings.length > 0) throw new FlowFindings(findings);
  return messages;
}

function readMessage(source: Source, key: string, value: unknown): Text[] | undefined {
  const words = shaped(source, [key], WordsText, value);
  const text = words === undefined ? undefined : readText(source, [key], words, new Map());
  if (!text) return undefined;
  for (const [language, other] of [languages, [...languages].reverse()]) {
    const missing = namesIn(text[other]).find((name) => !namesIn(text[language]).includes(name));
    if (missing) source.report([key, language], `{${missing}} is in ${other} and not here`);
  }
  return linesOf(text, (problem) => source.report([key], problem));
}

function namesIn(template: Template): string[] {
  return slotsOf(template).map((slot) => slot.path.join('.'));
}

// The languages say the same line by line, so that an optional line is one in both.
function linesOf(text: Text, report: (problem: string) => void): Text[] | undefined {
  const [en, sw] = [splitLines(text.en), splitLines(text.sw)];
  if (en.length !== sw.length) {
    report('the languages differ in their number of lines');
    return undefined;
  }
  return en.map((line, index) => ({ en: line, sw: sw[index] ?? [] }));
}

function splitLines(template: Template): Template[] {
  const lines: Template[number][][] = [[]];
  for (const part of template) {
    const [first = '', ...rest] = typeof part === 'string' ? part.split('\n') : [part];
    if (first !== '') lines.at(-1)?.push(first);
    for (const line of rest) lines.push(line === '' ? [] : [line]);
  }
  return lines;
}

/**
 * A message in a person's language. Amounts are decimal strings of shillings, as in flows. A key
 * that does not exist and a value that is missing are our mistakes, and throw. `now` spares dates
 * of this year their year.
 */
export function renderMessage(
  messages: Messages,
  key: string,
  values: Readonly<Record<string, string | number>>,
  language: Language,
  channel: Channel,
  house: Readonly<Record<string, string>>,
  now?: Date,
): string {
  const lines = messages.get(key);
  assert(lines, `there is a message ${key}`);
  const all: Readonly<Record<string, unknown>> = { ...house, ...values };
  const valueOf = ([name]: readonly string[]): unknown =>
    name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
  const said = lines.filter((line) =>
    slotsOf(line[language]).every(({ path, optional }) => {
      const value = valueOf(path);
      assert(optional || value !== undefined, `the message ${key} has its ${path.join('.')}`);
      return !optional || (isSet(value) && value !== '-');
    }),
  );
  const words = said.map((line) => fill(line, { language, channel, now, valueOf })).join('\n');
  return channel === 'whatsapp' ? words : plainCopy(toGsm7(words));
}

/**
 * A message as WhatsApp's template: its name is the key, its parameters what stands in the text.
 */
export interface MessageTemplate {
  name: string;
  language: Language;
  parameters: string[];
}

/**
 * The message's parameters in the order of its text, as `templateText` numbers them. A value that
 * is missing is a dash: a template has all of its lines.
 */
export function messageTemplate(
  messages: Messages,
  key: string,
  it: {
    values: Readonly<Record<string, string | number>>;
    language: Language;
    house: Readonly<Record<string, string>>;
  },
): MessageTemplate {
  const lines = messages.get(key);
  assert(lines, `there is a message ${key}`);
  const { language } = it;
  const all: Readonly<Record<string, unknown>> = { ...it.house, ...it.values };
  const valueOf = ([name]: readonly string[]): unknown =>
    name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
  const slots = lines.flatMap((line) => slotsOf(line[language]));
  const text = (slot: (typeof slots)[number]): Text => ({ en: [slot], sw: [slot] });
  const parameters = slots.map(
    (slot) =>
      fill(text(slot), { language, channel: 'whatsapp', now: undefined, valueOf }).trim() || '-',
  );
  return { name: key, language, parameters };
}

/** The text to have approved by Meta: each value is {{1}}, {{2}}, … */
export function templateText(messages: Messages, key: string, language: Language): string {
  let nth = 0;
  const lines = (messages.get(key) ?? []).map((line) =>
    line[language].map((part) => (typeof part === 'string' ? part : `{{${(nth += 1)}}}`)).join(''),
  );
  return lines.join('\n');
}

/** Without bold, which is WhatsApp's; a picture that began a line leaves no gap. */
export function plainCopy(words: string): string {
  return words.replace(bold, '$1$2').replace(/^ +/gm, '').replace(/ +$/gm, '');
}

// As WhatsApp decides it: *384*123456# stays as it is.
const bold = /(^|[^\w*])\*(\S(?:[^*\n]*[^\s*])?)\*(?![\w*])/gm;
