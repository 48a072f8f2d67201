import { z } from 'zod';
import { type Role, staff_roles } from '../base/schema.ts';
import { type Actions, type Channel, channels, type Language } from './action.ts';
import type { Condition, Path, Text } from './words.ts';

/** What a flow file may hold, as its author writes it (the shapes), and what the engine runs. */

export const roles = [
  ...staff_roles,
  'owner',
  'tenant',
  'borrower',
  'customer',
  'bettor',
] as const satisfies readonly Role[];

export const sent_types = ['image', 'location', 'document'] as const;
const ask_types = [
  'text',
  'name',
  'money',
  'number',
  'date',
  'phone',
  'pin',
  'code',
  ...sent_types,
] as const;
export type AskType = (typeof ask_types)[number];

/** What is sent rather than typed, and so can be answered on WhatsApp only. */
export type SentType = (typeof sent_types)[number];

const name_pattern = /^[a-z][a-z0-9_]*$/;
const Name = z.string().regex(name_pattern, 'a name is written like_this1');
const Target = z
  .string()
  .regex(/^\$?[a-z][a-z0-9_]*$/, 'this leads to a step or to a $shared text');
const PathText = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/, 'this is a path such as order.total');

const Both = z.strictObject({ en: z.string(), sw: z.string() });
export const WordsText = z.union([z.string(), Both]);
export type WordsText = z.infer<typeof WordsText>;

const Limit = z.union([z.number(), z.string()]);
const anywhere = { if: z.string().optional(), on: z.array(z.enum(channels)).min(1).optional() };
const common = { ...anywhere, to: Name.optional() };
const asked = {
  ask: WordsText,
  tries: z.int().min(1).max(20).optional(),
  error: WordsText.optional(),
  else: z.strictObject({ tries: Target }).optional(),
  ...common,
};

/**
 * The shapes of a step; which one is meant is told by its keys, so that a finding is to the point.
 */
export const step_shapes = {
  typed: z.strictObject({
    ...asked,
    free: z.boolean().optional(),
    type: z.enum(ask_types),
    min: Limit.optional(),
    max: Limit.optional(),
    optional: z.boolean().optional(),
  }),
  options: z.strictObject({
    ...asked,
    pick: z.record(Name, z.strictObject({ en: z.string(), sw: z.string(), to: Name.optional() })),
    typed: Name.optional(),
    optional: z.boolean().optional(),
  }),
  list: z.strictObject({
    ...asked,
    pick: z.strictObject({
      from: PathText,
      label: WordsText,
      value: Name,
      or: z.record(Name, z.strictObject({ en: z.string(), sw: z.string(), to: Name })).optional(),
    }),
    optional: z.boolean().optional(),
  }),
  menu: z.strictObject({ ...asked, pick: z.strictObject({ menu: z.array(Name).min(1) }) }),
  do: z.strictObject({
    do: z.string(),
    with: z
      .record(
        Name,
        z
          .string('this is a path, never a value')
          .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\??$/, 'this is a path, never a value'),
      )
      .optional(),
    as: Name.optional(),
    else: z.record(Name, Target).optional(),
    ...common,
  }),
  say: z.strictObject({ say: WordsText, ...common }),
  end: z.strictObject({
    end: WordsText,
    also: z.strictObject({ sms: z.union([z.literal('same'), Both]) }).optional(),
    ...anywhere,
  }),
  call: z.strictObject({ call: Name, ...common }),
  handoff: z.strictObject({ handoff: WordsText, ...anywhere }),
} as const;

const Duration = z
  .string()
  .regex(/^[1-9]\d{0,3}[smhd]$/, 'this is a time such as 90s, 2m, 24h or 7d');

const Idle = z.strictObject({
  ussd: Duration.optional(),
  whatsapp: Duration.optional(),
  sms: Duration.optional(),
  // oxlint-disable-next-line unicorn/no-thenable -- the author's word for it
  then: z.enum(['resume', 'restart', 'end']),
});

export const FlowHead = z.strictObject({
  flow: Name,
  start: z
    .strictObject({
      words: z.strictObject({ en: z.array(z.string()), sw: z.array(z.string()) }),
      menu: Both.optional(),
    })
    .optional(),
  needs: z.array(z.enum(roles)).min(1).optional(),
  idle: Idle.optional(),
  renamed: z.record(Name, Name).optional(),
  steps: z.record(Name, z.unknown()),
});
export type FlowHead = z.infer<typeof FlowHead>;

interface Common {
  name: string;
  /** The next step in the file: where a skipped step leads. */
  follows: string | undefined;
  /** Where the step leads when it is done. */
  next: string | undefined;
  on: readonly Channel[] | undefined;
  when: Condition | undefined;
}

export interface Option {
  id: string;
  label: Text;
  to: string | undefined;
}

/** What an `ask` takes for an answer. */
export type Answers =
  | { of: 'typed'; type: AskType; min: Limit | undefined; max: Limit | undefined }
  /** `typed`: a question for typing that may be answered here at once, "500" for its amount. */
  | { of: 'options'; options: readonly Option[]; typed?: string | undefined }
  /** `or`: ways on that stand behind the list, and choose nothing of it. */
  | { of: 'list'; from: Path; label: Text; value: string; or: readonly Option[] }
  | { of: 'menu'; flows: readonly string[] };

/** A bound of an answer: shillings, a count or a date as written, or the path of a value. */
export type Limit = { literal: string } | { path: Path };

export interface AskStep extends Common {
  kind: 'ask';
  ask: Text;
  answers: Answers;
  tries: number;
  /** Where it leads when the tries are used up: a step or a $shared text. */
  tries_over: string;
  error: Text | undefined;
  optional: boolean;
  /** Any words will do, those that begin a flow too. */
  free: boolean;
}

export interface DoStep extends Common {
  kind: 'do';
  action: string;
  inputs: readonly { name: string; path: Path; optional: boolean }[];
  as: string | undefined;
  /** Refusal → a step or a $shared text. */
  refusals: ReadonlyMap<string, string>;
}

interface SayStep extends Common {
  kind: 'say';
  words: Text;
}

interface EndStep extends Common {
  kind: 'end';
  words: Text;
  /** What is kept by SMS where the screen vanishes. */
  copy: Text | undefined;
}

/** Another flow, then back to what follows; its last words stand above that. */
interface CallStep extends Common {
  kind: 'call';
  flow: string;
}

/** Last words, after which a person of the house answers. */
interface HandoffStep extends Common {
  kind: 'handoff';
  words: Text;
}

export type Step = AskStep | DoStep | SayStep | EndStep | CallStep | HandoffStep;

/** What becomes of a session in which nothing was said for so long. */
export interface Idle {
  after_ms: Readonly<Record<Channel, number>>;
  /** Whether a new dial on USSD goes on; otherwise it begins at the menu. */
  redial: boolean;
  way: 'resume' | 'restart' | 'end';
}

export interface Flow {
  name: string;
  /** The file, and its hash: a session goes on with the content that it began on. */
  content: string;
  hash: string;
  /** The words that begin it; the first of a language is the one that texts name. */
  start_words: Readonly<Record<Language, readonly string[]>>;
  title: Text | undefined;
  needs: readonly Role[] | undefined;
  /** The folders whose actions it runs: what may be kept off a channel. */
  folders: readonly string[];
  idle: Idle;
  /** What steps of older files are called in this one; undefined when none can be gone on with. */
  renamed: ReadonlyMap<string, string> | undefined;
  first: string;
  steps: ReadonlyMap<string, Step>;
  /** What is surely set on arriving at a step. */
  sure: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Flows {
  flows: ReadonlyMap<string, Flow>;
  /** Earlier contents of files in which sessions still live, by their hash, as they are met. */
  earlier: Map<string, Flow>;
  shared: ReadonlyMap<string, Text>;
  /** The engine's own question whether a word was meant that it knows. */
  guess: Flow;
  /** The word that begins a flow, in lower case → the flow's name. */
  starts: ReadonlyMap<string, string>;
  actions: Actions;
}

/** Texts that the engine itself says, and so must be in flows/_shared.yaml. */
export const engine_texts = [
  'not_understood',
  'help',
  'tries_over',
  'stopped',
  'reminders_off',
  'reminders_on',
  'down',
  'not_allowed',
  'flow_changed',
  'did_you_mean',
  'yes',
  'no_menu',
  'expired',
  'resumed',
  'earlier',
  'pin_typed',
  'expired_tap',
  'choose',
  'not_by_sms',
  'handoff_off',
  'handoff_menu',
  'several_chats',
  'question_over',
  'digits_hidden',
  'slow',
  'dial_on',
  'too_often',
  'try_again',
  'nothing_here',
  'nothing_open',
  'back',
  'more',
  ...ask_types.map((type) => `wrong_${type}`),
] as const;

/** Whether the answer is a secret, which goes to one action and is gone. */
export function isSecret(step: AskStep): boolean {
  return step.answers.of === 'typed' && ['pin', 'code'].includes(step.answers.type);
}

/** The language-free text of a start word or an answer: lower case, single spaces. */
export function normal(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ');
}
