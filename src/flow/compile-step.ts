import type { z } from 'zod';
import { languages } from './action.ts';
import { isLimitLiteral } from './answer.ts';
import {
  type Answers,
  type AskStep,
  type AskType,
  type Limit,
  type Step,
  step_shapes,
  type WordsText,
} from './definition.ts';
import { type Keys, type Source, shaped } from './source.ts';
import { pathFrom, readCondition, readTemplate, type Template, type Text } from './words.ts';

/** One step, from how its author wrote it to what the engine runs. */

export interface Reading {
  source: Source;
  shared: ReadonlyMap<string, Text>;
  /** What the flow calls its values. */
  value_names: ReadonlySet<string>;
  name: string;
  /** The step after it in the file. */
  follows: string | undefined;
}

const kinds = ['ask', 'do', 'say', 'end', 'call', 'handoff'] as const;
const kind_list = kinds.join(', ');

type Shape<K extends keyof typeof step_shapes> = z.infer<(typeof step_shapes)[K]>;
type Ask = Shape<'typed'> | Shape<'options'> | Shape<'list'> | Shape<'menu'>;

/** The step, or undefined when something in it cannot be read; all of that is reported. */
export function readStep(it: Reading, data: unknown): Step | undefined {
  const keys = ['steps', it.name];
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    it.source.report(keys, `a step has one of ${kind_list}`);
    return undefined;
  }
  const here = kinds.filter((kind) => kind in data);
  const [kind] = here;
  if (kind === undefined || here.length > 1) {
    const has = kind === undefined ? 'none' : here.join(', ');
    it.source.report(keys, `a step has one of ${kind_list}; this has ${has}`);
    return undefined;
  }
  switch (kind) {
    case 'ask':
      return readAsk(it, keys, data);
    case 'do': {
      const step = shaped(it.source, keys, step_shapes.do, data);
      const around = step && readCommon(it, keys, step);
      return around && { kind, ...around, ...doParts(step) };
    }
    case 'say': {
      const step = shaped(it.source, keys, step_shapes.say, data);
      const around = step && readCommon(it, keys, step);
      const words = step && readText(it.source, [...keys, 'say'], step.say, it.shared);
      return around && words && { kind, ...around, words };
    }
    case 'end': {
      const step = shaped(it.source, keys, step_shapes.end, data);
      const around = step && readCommon(it, keys, step);
      const words = step && readText(it.source, [...keys, 'end'], step.end, it.shared);
      const copy = step && readCopy(it, keys, step.also, words);
      return around && words && { kind, ...around, next: undefined, words, copy };
    }
    case 'call': {
      const step = shaped(it.source, keys, step_shapes.call, data);
      const around = step && readCommon(it, keys, step);
      return around && { kind, ...around, flow: step.call };
    }
    case 'handoff': {
      const step = shaped(it.source, keys, step_shapes.handoff, data);
      const around = step && readCommon(it, keys, step);
      const words = step && readText(it.source, [...keys, 'handoff'], step.handoff, it.shared);
      return around && words && { kind, ...around, next: undefined, words };
    }
  }
}

function readCopy(
  it: Reading,
  keys: Keys,
  also: Shape<'end'>['also'],
  same: Text | undefined,
): Text | undefined {
  if (!also || also.sms === 'same') return also && same;
  return readText(it.source, [...keys, 'also', 'sms'], also.sms, it.shared);
}

function readCommon(
  it: Reading,
  keys: Keys,
  step: { if?: string | undefined; on?: AskStep['on']; to?: string | undefined },
) {
  const when = step.if === undefined ? undefined : readCondition(step.if, it.value_names);
  if (step.if !== undefined && !when) {
    const form = 'a condition is a path, one of = != < <= > >= and a value, or "path is set"';
    it.source.report([...keys, 'if'], form);
    return undefined;
  }
  const { name, follows } = it;
  return { name, follows, next: step.to ?? follows, on: step.on, when };
}

function doParts(step: Shape<'do'>) {
  const inputs = Object.entries(step.with ?? {}).map(([name, path]) => ({
    name,
    path: pathFrom(path.replace(/\?$/, '')),
    optional: path.endsWith('?'),
  }));
  const refusals = new Map(Object.entries(step.else ?? {}));
  return { action: step.do, inputs, as: step.as, refusals };
}

function readAsk(it: Reading, keys: Keys, data: object): AskStep | undefined {
  const step = shaped(it.source, keys, shapeOfAsk(data), data);
  if (!step) return undefined;
  const around = readCommon(it, keys, step);
  const ask = readText(it.source, [...keys, 'ask'], step.ask, it.shared);
  const error = step.error && readText(it.source, [...keys, 'error'], step.error, it.shared);
  const answers = readAnswers(it, keys, step);
  if (!around || !ask || !answers || (step.error && !error)) return undefined;
  return {
    kind: 'ask',
    ...around,
    ask,
    answers,
    error: error || undefined,
    tries: step.tries ?? 3,
    tries_over: step.else?.tries ?? '$tries_over',
    optional: 'optional' in step && step.optional === true,
    free: 'free' in step && step.free === true,
  };
}

function shapeOfAsk(data: object) {
  if (!('pick' in data)) return step_shapes.typed;
  const pick = typeof data.pick === 'object' && data.pick !== null ? data.pick : {};
  if ('menu' in pick && Array.isArray(pick.menu)) return step_shapes.menu;
  return 'from' in pick && typeof pick.from === 'string' ? step_shapes.list : step_shapes.options;
}

function readAnswers(it: Reading, keys: Keys, step: Ask): Answers | undefined {
  if (!('pick' in step)) return readTyped(it, keys, step);
  const { pick } = step;
  if ('menu' in pick && Array.isArray(pick.menu)) return { of: 'menu', flows: pick.menu };
  if ('from' in pick && typeof pick.from === 'string') {
    const list = pick as Shape<'list'>['pick'];
    const label = readText(it.source, [...keys, 'pick', 'label'], list.label, it.shared);
    const or = readOptions(it, [...keys, 'pick', 'or'], list.or ?? {});
    return label && or && { of: 'list', from: pathFrom(list.from), label, value: list.value, or };
  }
  const fixed = pick as Shape<'options'>['pick'];
  const options = readOptions(it, [...keys, 'pick'], fixed);
  if (Object.keys(fixed).length === 0)
    it.source.report([...keys, 'pick'], 'there is nothing to pick');
  return options && options.length > 0
    ? { of: 'options', options, typed: 'typed' in step ? step.typed : undefined }
    : undefined;
}

// Undefined when one of them has no words.
function readOptions(it: Reading, keys: Keys, options: Shape<'options'>['pick']) {
  const read = Object.entries(options).map(([id, { to, ...words }]) => ({
    id,
    to,
    label: readText(it.source, [...keys, id], words, it.shared),
  }));
  const whole = read.flatMap(({ id, to, label }) => (label ? [{ id, to, label }] : []));
  return whole.length === read.length ? whole : undefined;
}

function readTyped(it: Reading, keys: Keys, step: Shape<'typed'>): Answers | undefined {
  const { type } = step;
  const bounded = ['text', 'name', 'money', 'number', 'date'].includes(type);
  let fine = true;
  const limit = (key: 'min' | 'max'): Limit | undefined => {
    const value = step[key];
    if (value === undefined) return undefined;
    const read = bounded ? limitFrom(type, value) : undefined;
    if (!read) {
      const why = bounded ? `this cannot bound a ${type}` : `a ${type} has no ${key}`;
      it.source.report([...keys, key], why);
      fine = false;
    }
    return read;
  };
  const answers: Answers = { of: 'typed', type, min: limit('min'), max: limit('max') };
  return fine ? answers : undefined;
}

function limitFrom(type: AskType, value: number | string): Limit | undefined {
  const literal = String(value);
  if (isLimitLiteral(type, literal)) return { literal };
  return /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/.test(literal)
    ? { path: pathFrom(literal) }
    : undefined;
}

/** Words in every language; a plain string stands for all where it has no letters of its own. */
export function readText(
  source: Source,
  keys: Keys,
  words: WordsText,
  shared: ReadonlyMap<string, Text>,
): Text | undefined {
  if (typeof words === 'string' && words.startsWith('$')) {
    const text = shared.get(words.slice(1));
    if (!text) source.report(keys, `there is no shared text "${words}"`);
    return text;
  }
  if (typeof words === 'string' && /\p{L}/u.test(words.replace(/\{[^{}]*\}/g, ''))) {
    source.report(keys, 'words with letters need both languages: { en, sw }');
    return undefined;
  }
  const read = languages.map((language): Template | undefined => {
    const [at, text] =
      typeof words === 'string' ? [keys, words] : [[...keys, language], words[language]];
    const result = text.trim() === '' ? { problem: 'no words' } : readTemplate(text.trim());
    if ('template' in result) return result.template;
    source.report(at, result.problem);
    return undefined;
  });
  const [en, sw] = read;
  return en && sw ? { en, sw } : undefined;
}
