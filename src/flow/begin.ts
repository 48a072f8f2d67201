import { assert } from '../base/errors.ts';
import { type AskStep, type Flow, type Flows, isSecret, normal } from './definition.ts';
import { close, end, isAside, run } from './run.ts';
import { hasRole, isKeptOff, mayBegin } from './screen.ts';
import {
  askedAt,
  type Context,
  newSession,
  type Place,
  type Session,
  tell,
  type Turn,
} from './session.ts';

/** How conversations begin: by a word, from the menu, or beside a question that waits. */

/** Begins a flow for this person, where they may. */
export function start(
  flows: Flows,
  name: string,
  id: string,
  ctx: Context,
  more: Partial<Pick<Session, 'note' | 'given' | 'visits' | 'callers'>> = {},
): Turn {
  const flow = flows.flows.get(name);
  assert(flow, `there is a flow ${name}`);
  const place = { flows, flow, ctx };
  const session = { ...newSession(flow, id, ctx.now), ...more };
  if (isKeptOff(flow, ctx)) return close(place, session, 'not_here');
  if (!hasRole(place)) {
    tell(place, flow.first, 'not_allowed');
    return close(place, session, 'not_allowed');
  }
  if (ctx.channel === 'sms' && asksSecretsBySms(flow)) return close(place, session, 'not_by_sms');
  return run(place, session, flow.first);
}

// A text message stays on the phone, and anybody can write one in another's name.
function asksSecretsBySms({ steps }: Flow): boolean {
  return Array.from(steps.values()).some(
    (step) => step.kind === 'ask' && isSecret(step) && (!step.on || step.on.includes('sms')),
  );
}

export interface Beginning {
  flow: string;
  given: NonNullable<Session['given']>;
}

/** The flow that these words begin, and what they say besides: "balance CUST-001". */
export function beginningIn(flows: Flows, text: string): Beginning | undefined {
  const said = normal(text);
  const whole = flows.starts.get(said);
  if (whole !== undefined) return { flow: whole, given: { text: said, is_word: true } };
  const words = text.trim().split(/\s+/);
  for (let count = words.length - 1; count > 0; count -= 1) {
    const flow = flows.starts.get(normal(words.slice(0, count).join(' ')));
    const rest = words.slice(count).join(' ');
    if (flow !== undefined) return { flow, given: { text: rest, is_word: false } };
  }
  return undefined;
}

/** Begins the flow that words begin, with what they say besides. */
export function startBy(flows: Flows, { flow, given }: Beginning, id: string, ctx: Context): Turn {
  return start(flows, flow, id, ctx, { given });
}

/** The menu, where there is one. */
export function menu(flows: Flows, id: string, ctx: Context, note?: string): Turn {
  if (flows.flows.has('menu')) {
    return start(flows, 'menu', id, ctx, note === undefined ? {} : { note });
  }
  return closing(flows, ctx, note ?? 'help');
}

/** The engine's words outside any flow. */
export function closing(flows: Flows, ctx: Context, name: string) {
  const flow: Flow = {
    name: '',
    content: '',
    hash: '',
    start_words: { en: [], sw: [] },
    title: undefined,
    needs: undefined,
    folders: [],
    idle: { after_ms: { whatsapp: 0, ussd: 0, sms: 0 }, redial: false, way: 'end' },
    renamed: undefined,
    first: '',
    steps: new Map(),
    sure: new Map(),
  };
  return end({ flows, flow, ctx }, newSession(flow, '', ctx.now), name);
}

/** What a question that waits is left for, and how it stands while that lasts. */
interface Aside {
  place: Place;
  session: Session;
  step: AskStep;
}

/**
 * Begins another flow while a question waits. What somebody has half done is asked again when that
 * flow is over, once; on USSD there is no room for both, and a question of Karani's own waits by
 * itself.
 */
export function startAside({ place, session, step }: Aside, beginning: Beginning): Turn {
  const { flows, flow, ctx } = place;
  const left = session.callers && isAside(flows, session) ? session.callers : asCaller();
  function asCaller() {
    const half_done =
      flow.title !== undefined && session.trail.length > 0 && !session.callers && !session.resumed;
    const { hash, values, tries, trail } = session;
    return half_done ? [{ flow: flow.name, hash, at: step.name, values, tries, trail }] : undefined;
  }
  const keeps = ctx.channel !== 'ussd' && !ctx.values?.['question'] && beginning.flow !== flow.name;
  return start(flows, beginning.flow, session.id, ctx, {
    given: beginning.given,
    visits: session.visits,
    callers: keeps ? left : undefined,
  });
}

/**
 * The flow that a word alone begins where something else is to be typed: no name, reference or
 * phone is written so. Where any words will do (`free`), it is an answer.
 */
export function wordAway(
  { flows, ctx }: Place,
  step: AskStep,
  text: string,
): Beginning | undefined {
  const { answers } = step;
  if (answers.of !== 'typed' || step.free || !['text', 'name'].includes(answers.type)) {
    return undefined;
  }
  const beginning = beginningIn(flows, text);
  const flow = flows.flows.get(beginning?.flow ?? '');
  if (!beginning || !flow || !mayBegin({ flows, flow, ctx })) return undefined;
  // "balance CUST-001" is nobody's name either.
  const said = answers.type === 'name' && /\d/.test(beginning.given.text);
  return beginning.given.is_word || said ? beginning : undefined;
}

/**
 * The flow that was meant by an answer that was looked up and not found; and the session as it was
 * while its question waited.
 */
export function meantInstead(
  place: Place,
  session: Session,
  to: string,
): (Aside & { beginning: Beginning }) | undefined {
  const step = place.flow.steps.get(to);
  const last = session.trail.at(-1);
  if (step?.kind !== 'ask' || step.answers.of !== 'typed' || !last || askedAt(last) !== to) {
    return undefined;
  }
  const said = session.values[to];
  const beginning = typeof said === 'string' ? beginningIn(place.flows, said) : undefined;
  const waiting = { ...session, at: to, trail: session.trail.slice(0, -1) };
  return beginning && { place, session: waiting, step, beginning };
}
