import { z } from 'zod';
import { decimalFromCents, centsFromDecimal } from '../base/money.ts';
import type { Role } from '../base/schema.ts';
import { type Channel, channels, type Language, languages } from './action.ts';
import { type Flows, roles } from './definition.ts';
import { described } from './describe.ts';
import { gsm7Length, outsideGsm7 } from './gsm7.ts';
import { ussd_page } from './render.ts';
import type { Session, StepEvent, Turn } from './session.ts';
import { FlowFindings, type Keys, readSource, type Source, shaped } from './source.ts';
import { dial, hear, settle, type Context } from './step.ts';

/** Conversations written down beside their flows, and played to see that they still go so. */

const Both = z.strictObject({ en: z.string(), sw: z.string() });

const Line = z.strictObject({
  /** Begins a flow by its word. */
  start: z.string().optional(),
  in: z.string().optional(),
  /** Minutes or hours in which nothing is said. */
  wait: z
    .string()
    .regex(/^[1-9]\d{0,3}[smhd]$/, 'this is a time such as 90s, 3m or 24h')
    .optional(),
  /** The USSD session died, and the code is dialled again. */
  redial: z.boolean().optional(),
  on: z.array(z.enum(channels)).min(1).optional(),
  at: z.string().optional(),
  hears: z.union([z.string(), Both]).optional(),
  ran: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  ends: z.boolean().optional(),
});
type Line = z.output<typeof Line>;

const Shape = z.strictObject({
  flow: z.string(),
  as: z.strictObject({
    roles: z.array(z.enum(roles)).default([]),
    lang: z
      .array(z.enum(languages))
      .min(1)
      .default([...languages]),
    on: z.array(z.enum(channels)).min(1).default(['whatsapp', 'ussd']),
  }),
  actions: z.record(z.string(), z.unknown()).default({}),
  say: z.array(Line).min(1),
});

export interface Transcript {
  file: string;
  source: Source;
  flow: string;
  as: { roles: Role[]; lang: Language[]; on: Channel[] };
  actions: Record<string, unknown>;
  say: Line[];
}

/** Reads a transcript. Throws FlowFindings when it is not of the form. */
export function readTranscript(file: string, text: string): Transcript {
  const source = readSource(file, text);
  const read = source.data === undefined ? undefined : shaped(source, [], Shape, source.data);
  if (!read) throw new FlowFindings(source.findings());
  return { file, source, ...read };
}

export interface Played {
  /** What went otherwise than it is written, as `file:line:column message`. */
  findings: string[];
  events: StepEvent[];
  /** By the place in `say`: what was heard where something else is written. */
  heard: Map<number, Partial<Record<Language, string>>>;
}

const began = new Date('2026-02-10T08:00:00Z');
const unit_ms: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Plays a transcript in each of its languages on each of its channels; house words are given. */
export function playTranscript(
  flows: Flows,
  transcript: Transcript,
  values: Record<string, string>,
): Played {
  const played: Played = { findings: [], events: [], heard: new Map() };
  for (const language of transcript.as.lang)
    for (const channel of transcript.as.on)
      playOnce({ flows, transcript, values, language, channel, played });
  played.findings = transcript.source.findings();
  return played;
}

interface Playing {
  flows: Flows;
  transcript: Transcript;
  values: Record<string, string>;
  language: Language;
  channel: Channel;
  played: Played;
}

function playOnce(it: Playing): void {
  const { transcript, flows, language, channel, played } = it;
  const used = new Map<string, number>();
  let now = began;
  let kept: string | undefined;
  const where = `${channel}, ${language}`;
  for (const [index, line] of transcript.say.entries()) {
    if (line.on && !line.on.includes(channel)) continue;
    const report = (keys: Keys, message: string) =>
      transcript.source.report(['say', index, ...keys], `${message} (${where})`);
    if (line.wait !== undefined) {
      now = new Date(
        now.getTime() + Number(line.wait.slice(0, -1)) * (unit_ms[line.wait.slice(-1)] ?? 0),
      );
    }
    // Where text is asked for, a start word would be taken for that text.
    const before = line.start === undefined ? kept : undefined;
    const session = before === undefined ? undefined : (JSON.parse(before) as Session);
    const text = line.start === undefined ? line.in : wordOf(flows, line.start, language);
    const redials = line.redial === true && channel === 'ussd';
    const begins = index === 0 || line.start !== undefined;
    if (text !== undefined && !begins && !session) {
      report([], 'the conversation is over already');
      return;
    }
    const ctx = contextOf(it, now);
    const ran: { action: string; input: Record<string, unknown> }[] = [];
    if (text === undefined && !redials) {
      checkPlace(line, session?.at, report);
      continue;
    }
    const id = `line-${index}`;
    let turn: Turn =
      text === undefined ? dial(flows, session, id, ctx) : hear(flows, session, text, id, ctx);
    while (turn.next === 'act') {
      ran.push({ action: turn.action, input: turn.input });
      const outcome = answerOf(it, turn.action, used);
      if (!outcome) {
        report([], `${turn.action} runs here, and actions has no answer of it`);
        return;
      }
      turn = settle(flows, JSON.parse(JSON.stringify(turn.session)) as Session, outcome, ctx);
    }
    kept = turn.next === 'wait' ? JSON.stringify(turn.session) : undefined;
    checkScreen(turn.words, channel, report);
    checkPlace(line, turn.next === 'wait' ? turn.session.at : undefined, report);
    checkRan(line, ran, report);
    if (line.ends === true && turn.next === 'wait') report(['ends'], 'the conversation goes on');
    if (checkHeard(line, turn.words, language, report)) {
      const heard = played.heard.get(index) ?? {};
      heard[language] ??= withoutKeys(turn.words);
      played.heard.set(index, heard);
    }
  }
  for (const [action, answers] of Object.entries(transcript.actions)) {
    const times = used.get(action) ?? 0;
    const wanted = inTurn(answers)?.length ?? 1;
    if (times < wanted)
      transcript.source.report(['actions', action], `this is answered ${times} times (${where})`);
  }
}

function wordOf(flows: Flows, name: string, language: Language): string {
  return flows.flows.get(name)?.start_words[language][0] ?? name;
}

function contextOf({ transcript, values, language, channel, played }: Playing, now: Date): Context {
  const actor = { id: 1n, name: 'Kamau', language, roles: transcript.as.roles, stopped: false };
  return { actor, channel, now, values, tell: (event) => played.events.push(event) };
}

/** Answers that differ from one time to the next, as `in_turn: [...]`. */
function inTurn(answers: unknown): unknown[] | undefined {
  const list = typeof answers === 'object' && answers !== null && 'in_turn' in answers;
  return list && Array.isArray(answers.in_turn) ? (answers.in_turn as unknown[]) : undefined;
}

function answerOf(
  { flows, transcript }: Playing,
  action: string,
  used: Map<string, number>,
): { value: unknown } | { refusal: string } | undefined {
  if (!Object.hasOwn(transcript.actions, action)) return undefined;
  const times = used.get(action) ?? 0;
  used.set(action, times + 1);
  const answers = transcript.actions[action];
  const answer = inTurn(answers)?.[times] ?? (inTurn(answers) ? undefined : answers);
  if (answer === undefined) return undefined;
  if (typeof answer === 'object' && answer !== null && 'refusal' in answer)
    return { refusal: String(answer.refusal) };
  const { output } = flows.actions[action] ?? {};
  if (!output) return { value: answer };
  const value = asDeclared(output, answer);
  const [wrong] = output.safeParse(value).error?.issues ?? [];
  if (!wrong) return { value };
  const where = wrong.path.filter((key) => typeof key !== 'symbol');
  const path = [...(inTurn(answers) ? ['in_turn', times] : []), ...where];
  const given = described(output);
  transcript.source.report(['actions', action, ...path], `this gives ${given}`);
  return { refusal: 'down' };
}

/** Numbers where an action says a text: amounts are written as people write them. */
function asDeclared(schema: z.ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return asDeclared(schema.unwrap() as z.ZodType, value);
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.map((item) => asDeclared(schema.element as z.ZodType, item));
  if (schema instanceof z.ZodObject && typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => {
        const shape: unknown = schema.shape[key];
        return [key, shape instanceof z.ZodType ? asDeclared(shape, inner) : inner];
      }),
    );
  return schema instanceof z.ZodString && typeof value === 'number' ? asAmount(value) : value;
}

function asAmount(value: number): string {
  const cents = centsFromDecimal(String(value));
  return cents === undefined ? String(value) : decimalFromCents(cents);
}

type Report = (keys: Keys, message: string) => void;

function checkScreen(words: string, channel: Channel, report: Report): void {
  if (channel === 'whatsapp') return;
  const sign = outsideGsm7(words);
  if (sign !== undefined) report([], `"${sign}" is not in the alphabet of ${channel}`);
  const length = gsm7Length(words);
  if (channel === 'ussd' && length > ussd_page) report([], `the screen has ${length} characters`);
}

function checkPlace(line: Line, at: string | undefined, report: Report): void {
  if (line.at !== undefined && line.at !== at)
    report(
      ['at'],
      at === undefined ? 'the conversation is over' : `the step that waits is "${at}"`,
    );
}

function checkRan(
  line: Line,
  ran: readonly { action: string; input: Record<string, unknown> }[],
  report: Report,
): void {
  for (const [action, wanted] of Object.entries(line.ran ?? {})) {
    const given = ran.find((it) => it.action === action)?.input;
    if (!given) {
      report(['ran', action], 'this did not run');
      continue;
    }
    for (const [name, value] of Object.entries(wanted))
      if (!isSame(given[name], value))
        report(['ran', action, name], `this was ${JSON.stringify(given[name])}`);
  }
}

function isSame(given: unknown, wanted: unknown): boolean {
  if (JSON.stringify(given) === JSON.stringify(wanted)) return true;
  return typeof wanted === 'number' && given === asAmount(wanted);
}

/** Whether something else is heard than is written. */
function checkHeard(line: Line, words: string, language: Language, report: Report): boolean {
  if (line.hears === undefined) return false;
  const wanted = typeof line.hears === 'string' ? line.hears : line.hears[language];
  if (words.includes(wanted.trim())) return false;
  const keys = typeof line.hears === 'string' ? ['hears'] : ['hears', language];
  report(keys, `what is heard: ${JSON.stringify(words)}`);
  return true;
}

// The engine's own keys differ between channels.
function withoutKeys(words: string): string {
  return words.replace(/\n(?:0|98) [^\n]*$/gm, '');
}
