import type { Actor, Channel } from './action.ts';
import type { AskStep, Flow, Flows, SentType } from './definition.ts';
import type { Path, Text, View } from './words.ts';

/**
 * One person in one flow: plain JSON, the same after it was written and read. Never holds a secret.
 * What is as it was at the beginning is left out: each turn reads and writes all of it.
 */
export interface Session {
  id: string;
  flow: string;
  /** The content of the flow's file when this session began. */
  hash: string;
  /** The step that waits for an answer, or whose action runs. */
  at: string;
  /** Whether what is answered next must not be kept. */
  secret?: boolean | undefined;
  /** Actions begun so far: makes the key of each another. */
  visits: number;
  /** What is known by the name of its step or `as`; of a list's choice the identity only. */
  values: Record<string, unknown>;
  /** Wrong answers by step. */
  tries?: Record<string, number> | undefined;
  /** `say` steps whose words stand above the screen. */
  said?: string[] | undefined;
  /** What stands above those: words of other flows, as they were said. */
  above?: string[] | undefined;
  /** The flows that wait for this one to end, outermost first. */
  callers?: Caller[] | undefined;
  /** When this person was last heard here, in milliseconds since 1970. */
  heard_at_ms: number;
  /** What the engine has to say first: a shared text, or "error" for the question's own. */
  note?: string | undefined;
  /**
   * What was written along with the word that began the flow, for its first question; or that word
   * itself, for options that are called so.
   */
  given?: { text: string; is_word: boolean } | undefined;
  page?: number | undefined;
  /** Asked again after another flow, and not answered since: it is left behind the next time. */
  resumed?: boolean | undefined;
  /** Questions answered before, oldest first, with what stood above them. */
  trail: Asked[];
}

/** A question that was answered, with what stood above it where something did. */
export type Asked = string | { at: string; said?: string[] | undefined };

/** The step of a question that was answered. */
export function askedAt(asked: Asked): string {
  return typeof asked === 'string' ? asked : asked.at;
}

/** A flow that called another, as it is gone on with. */
export type Caller = Pick<Session, 'flow' | 'hash' | 'at' | 'values' | 'tries' | 'trail'>;

/** What came from a person: words, a thing that they sent, or a choice that they tapped. */
export type Heard = string | { type: SentType; value: unknown } | Tap;

/** A tapped choice, and the question under which it stood: it may be one of long ago. */
export interface Tap {
  type: 'tap';
  at: string;
  id: string;
}

/** A question's choices, for channels that show them as something to tap. */
export interface Choices {
  /** The words above them. */
  body: string;
  /** What opens them where they do not fit as buttons. */
  open: string;
  /** The question as it is shown, for telling its taps from another's. */
  at: string;
  options: { id: string; label: string }[];
}

/** Something that happened at a step: what is counted, and what tests ask for. */
export interface StepEvent {
  flow: string;
  step: string;
  what:
    | 'entered'
    | 'answered'
    | 'wrong'
    | 'gave_up'
    | 'timed_out'
    | 'went_back'
    | 'refused'
    | 'not_allowed';
  /** Of a refusal. */
  code?: string;
}

/** Who talks where, and when. */
export interface Context {
  actor: Actor;
  channel: Channel;
  now: Date;
  /** Folders of actions that may not be used on this channel. */
  kept_off?: readonly string[];
  /** House-wide words for every text: shop, paybill, help, ussd. */
  values?: Record<string, string>;
  /** Hears what happens at each step. */
  tell?: (event: StepEvent) => void;
}

export type Turn =
  | { next: 'wait'; session: Session; words: string; choices?: Choices }
  | {
      next: 'act';
      session: Session;
      action: string;
      /** May hold a secret: it goes to the action and nowhere else. */
      input: Record<string, unknown>;
      /** The same for a repeated turn, another for each visit of the step. */
      key: string;
    }
  | {
      next: 'over';
      words: string;
      /** What is sent by SMS as well, since the screen vanishes. */
      copy?: string;
      /** What this person has said of reminders and news. */
      reminders?: 'on' | 'off';
      /** Whether a person of the house answers from now on. */
      handoff?: boolean;
    };

/** Where the engine stands: everything a step needs to know but does not change. */
export interface Place {
  flows: Flows;
  flow: Flow;
  ctx: Context;
}

/** A session at the beginning of a flow. */
export function newSession(flow: Flow, id: string, now: Date, note?: string): Session {
  return {
    id,
    flow: flow.name,
    hash: flow.hash,
    at: flow.first,
    visits: 0,
    values: {},
    heard_at_ms: now.getTime(),
    trail: [],
    ...(note === undefined ? {} : { note }),
  };
}

/** Tells whoever counts. */
export function tell({ flow, ctx }: Place, step: string, what: StepEvent['what'], code?: string) {
  ctx.tell?.({ flow: flow.name, step, what, ...(code === undefined ? {} : { code }) });
}

/** The value at a path: of the session, with a choice looked up in its list, or of the house. */
export function valueAt(place: Place, session: Session, path: Path): unknown {
  const [root, ...keys] = path;
  return keys.reduce(ownValue, rootValue(place, session, root));
}

function rootValue(place: Place, session: Session, root: string): unknown {
  const value = ownValue(session.values, root);
  if (value === undefined) return ownValue(place.ctx.values, root);
  const step = place.flow.steps.get(root);
  if (step?.kind !== 'ask' || step.answers.of !== 'list') return value;
  return itemsOf(place, session, step).find((item) => item.id === value)?.item;
}

function ownValue(holder: unknown, key: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key))
    return undefined;
  return (holder as Record<string, unknown>)[key];
}

/** The things to choose from, each with its identity as text. */
export function itemsOf(
  place: Place,
  session: Session,
  step: AskStep,
): { id: string; item: unknown }[] {
  const { answers } = step;
  if (answers.of !== 'list') return [];
  const list = valueAt(place, session, answers.from);
  if (!Array.isArray(list)) return [];
  return list.map((item) => ({ id: String(ownValue(item, answers.value)), item }));
}

/** How texts look to this person, with the session's values in them. */
export function viewOf(place: Place, session: Session): View {
  const { actor, channel, now } = place.ctx;
  const valueOf = (path: Path) => valueAt(place, session, path);
  return { language: actor.language, channel, now, valueOf };
}

/**
 * A text of the engine's own. Where `name_ussd` exists it is what USSD gets: there, a closing
 * screen has nothing to reply to.
 */
export function sharedText(flows: Flows, name: string, channel: Channel): Text {
  const ussd = channel === 'ussd' ? flows.shared.get(`${name}_ussd`) : undefined;
  return ussd ?? flows.shared.get(name) ?? { en: [''], sw: [''] };
}
