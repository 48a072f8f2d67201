import { assert } from '../base/errors.ts';
import { understand } from './answer.ts';
import { type AskStep, type Flow, type Flows, isSecret, normal, type Step } from './definition.ts';
import { type Command, commandIn, isGreeting } from './navigation.ts';
import { lastWords, mayBegin, waitingPages } from './screen.ts';
import {
  type Context,
  itemsOf,
  newSession,
  type Place,
  type Session,
  sharedText,
  type Turn,
  valueAt,
  viewOf,
} from './session.ts';
import { type Text, fill, holds } from './words.ts';

export type { Context, Turn } from './session.ts';

/**
 * The machine: a session and what happened, in; the next session and what to say or to do, out. It
 * knows no clock, no database and no network, and any words of a person lead somewhere.
 */

// Questions that `back` remembers.
const longest_trail = 20;

/** Begins a flow, unless it is not open for this person. */
export function begin(flows: Flows, name: string, session_id: string, ctx: Context): Turn {
  return start(flows, name, session_id, ctx);
}

/**
 * One message of a person. Without a session it is their first: a flow's word begins that flow,
 * anything else the menu.
 */
export function hear(
  flows: Flows,
  session: Session | undefined,
  text: string,
  session_id: string,
  ctx: Context,
): Turn {
  if (!session) return firstWords(flows, text, session_id, ctx);
  const place = placeOf(flows, session, ctx);
  const step = place?.flow.steps.get(session.at);
  if (!place || step?.kind !== 'ask') return menu(flows, session_id, ctx, 'flow_changed');
  const command = commandIn(text, ctx.channel, step);
  if (command) return obey(place, session, step, command, session_id);

  const answer = understand(place, session, step, text);
  switch (answer.kind) {
    case 'nothing':
      return wait(place, session, step);
    case 'flow':
      return start(flows, answer.flow, session_id, ctx);
    case 'value':
      return answered(place, session, step, answer.value, answer.to ?? step.next);
    case 'wrong': {
      const other = step.answers.of === 'typed' ? undefined : flows.starts.get(normal(text));
      if (other !== undefined) return startBy(flows, other, text, session_id, ctx);
      // Somebody who comes back the next day and says hello means no option.
      if (step.answers.of !== 'typed' && isGreeting(text)) return menu(flows, session_id, ctx);
      return wrong(place, session, step, answer.note);
    }
  }
}

/** Goes on after an action, with its value or its refusal; `down` is our own fault. */
export function settle(
  flows: Flows,
  session: Session,
  outcome: { value: unknown } | { refusal: string },
  ctx: Context,
): Turn {
  const place = placeOf(flows, session, ctx);
  const step = place?.flow.steps.get(session.at);
  if (!place || step?.kind !== 'do') return menu(flows, session.id, ctx, 'flow_changed');
  if ('refusal' in outcome) {
    const to = step.refusals.get(outcome.refusal) ?? step.refusals.get('down') ?? '$down';
    return refused(place, session, to);
  }
  if (step.as === undefined) return run(place, session, step.next);
  // Only what the action declared is kept: a session holds nothing by accident.
  const value: unknown = flows.actions[step.action]?.output.parse(outcome.value);
  return run(place, { ...session, values: { ...session.values, [step.as]: value } }, step.next);
}

/** Whether what this session hears next is a secret, and must not be kept anywhere. */
export function awaitsSecret(flows: Flows, session: Session): boolean {
  const step = flows.flows.get(session.flow)?.steps.get(session.at);
  return session.secret || (step?.kind === 'ask' && isSecret(step));
}

function placeOf(flows: Flows, session: Session, ctx: Context): Place | undefined {
  const flow = flows.flows.get(session.flow);
  return flow && flow.hash === session.hash ? { flows, flow, ctx } : undefined;
}

function start(flows: Flows, name: string, id: string, ctx: Context, note?: string): Turn {
  const flow = flows.flows.get(name);
  assert(flow, `there is a flow ${name}`);
  const place = { flows, flow, ctx };
  const session = newSession(flow, id, note);
  if (!mayBegin(place, flow.needs)) return end(place, session, 'not_allowed');
  return run(place, session, flow.first);
}

// A word that begins a flow and names an option of its first question ("kiswahili") answers that as
// well.
function startBy(flows: Flows, name: string, text: string, id: string, ctx: Context): Turn {
  const turn = start(flows, name, id, ctx);
  if (turn.next !== 'wait') return turn;
  const place = placeOf(flows, turn.session, ctx);
  const step = place?.flow.steps.get(turn.session.at);
  if (!place || step?.kind !== 'ask' || step.answers.of !== 'options') return turn;
  const answer = understand(place, turn.session, step, text);
  if (answer.kind !== 'value') return turn;
  return answered(place, turn.session, step, answer.value, answer.to ?? step.next);
}

function menu(flows: Flows, id: string, ctx: Context, note?: string): Turn {
  if (flows.flows.has('menu')) return start(flows, 'menu', id, ctx, note);
  return closing(flows, ctx, note ?? 'help');
}

// The engine's words outside any flow.
function closing(flows: Flows, ctx: Context, name: string): Turn {
  const flow: Flow = {
    name: '',
    hash: '',
    start_words: { en: [], sw: [] },
    title: undefined,
    needs: undefined,
    first: '',
    steps: new Map(),
  };
  return end({ flows, flow, ctx }, newSession(flow, ''), name);
}

function firstWords(flows: Flows, text: string, id: string, ctx: Context): Turn {
  const command = commandIn(text, ctx.channel, undefined);
  if (command === 'help') return closing(flows, ctx, 'help');
  if (command === 'stop') return closing(flows, ctx, 'nothing_to_stop');
  const named = flows.starts.get(normal(text));
  if (named !== undefined) return startBy(flows, named, text, id, ctx);
  const quiet = command !== undefined || normal(text) === '' || isGreeting(text);
  return menu(flows, id, ctx, quiet ? undefined : 'not_understood');
}

function obey(
  place: Place,
  session: Session,
  step: AskStep,
  command: Command,
  session_id: string,
): Turn {
  const { flows, flow, ctx } = place;
  switch (command) {
    case 'home':
      return menu(flows, session_id, ctx);
    case 'stop':
      return flow.title ? end(place, session, 'stopped') : end(place, session, 'nothing_to_stop');
    case 'help':
      return wait(place, { ...session, note: 'help', said: [], page: 0 }, step);
    case 'more':
      return wait(place, { ...session, page: session.page + 1 }, step);
    case 'skip':
      return answered(place, session, step, undefined, step.next);
    case 'back':
      return goBack(place, session, step, session_id);
  }
}

function goBack(place: Place, session: Session, step: AskStep, session_id: string): Turn {
  if (session.page > 0) return wait(place, { ...session, page: session.page - 1 }, step);
  const last = session.trail.at(-1);
  const before = last && place.flow.steps.get(last.at);
  if (before?.kind === 'ask') {
    const trail = session.trail.slice(0, -1);
    return wait(
      place,
      { ...withoutNote(session), at: before.name, said: last?.said ?? [], trail },
      before,
    );
  }
  // Nothing was asked before this: the way back is the menu.
  return place.flow.name === 'menu'
    ? wait(place, session, step)
    : menu(place.flows, session_id, place.ctx);
}

function answered(
  place: Place,
  session: Session,
  step: AskStep,
  value: string | number | undefined,
  to: string | undefined,
): Turn {
  const { [step.name]: _, ...others } = session.values;
  const keep = value !== undefined && !isSecret(step);
  const trail = [...session.trail, { at: step.name, said: session.said }].slice(-longest_trail);
  const next: Session = {
    ...withoutNote(session),
    values: keep ? { ...others, [step.name]: value } : others,
    trail,
  };
  return run(place, next, to, isSecret(step) ? { [step.name]: value } : undefined);
}

function withoutNote(session: Session): Session {
  const { note: _, ...rest } = session;
  return { ...rest, said: [], page: 0 };
}

/** Counts a wrong answer and asks again, or leaves when the tries are used up. */
function wrong(place: Place, session: Session, step: AskStep, note: string): Turn {
  const count = (session.tries[step.name] ?? 0) + 1;
  const next: Session = {
    ...withoutNote(session),
    tries: { ...session.tries, [step.name]: count },
  };
  if (count >= step.tries) return leave(place, next, step.tries_over);
  return wait(place, { ...next, note: step.error ? 'error' : note }, step);
}

function refused(place: Place, session: Session, to: string): Turn {
  const step = place.flow.steps.get(to);
  // A refusal that leads back to its question is one more wrong answer to it.
  const asked = step?.kind === 'ask' && session.trail.some((entry) => entry.at === to);
  if (!asked || isSkipped(place, session, step)) return leave(place, session, to);
  const index = session.trail.findLastIndex((entry) => entry.at === to);
  return wrong(place, { ...session, trail: session.trail.slice(0, index) }, step, 'try_again');
}

function leave(place: Place, session: Session, to: string): Turn {
  return to.startsWith('$') ? end(place, session, to.slice(1)) : run(place, session, to);
}

// The secret lives for one call of this function: from its question to the action right behind it.
function run(
  place: Place,
  session: Session,
  from: string | undefined,
  secret?: Record<string, unknown>,
): Turn {
  let { said } = session;
  let name = from;
  for (;;) {
    const step: Step | undefined = place.flow.steps.get(name ?? '');
    assert(step, `a step of ${place.flow.name} leads to ${name}`);
    if (isSkipped(place, session, step)) {
      name = step.follows;
      continue;
    }
    const here = { ...session, said, at: step.name };
    switch (step.kind) {
      case 'say':
        said = [...said, step.name];
        name = step.next;
        break;
      case 'end':
        return { next: 'over', words: lastWords(place, here, step.words) };
      case 'ask':
        if (step.answers.of === 'list' && itemsOf(place, here, step).length === 0)
          return end(place, here, 'nothing_here');
        return wait(place, { ...here, page: 0 }, step);
      case 'do': {
        const visits = session.visits + 1;
        const inputs = step.inputs.map((input) => {
          const [root] = input.path;
          const given = secret && root in secret ? secret[root] : valueAt(place, here, input.path);
          return [input.name, given] as const;
        });
        const input = Object.fromEntries(inputs.filter(([, value]) => value !== undefined));
        const key = `${session.id}:${place.flow.name}:${step.name}:${visits}`;
        const next = { ...here, secret: false, visits };
        return { next: 'act', session: next, action: step.action, input, key };
      }
    }
  }
}

function isSkipped(place: Place, session: Session, step: Step): boolean {
  if (step.on && !step.on.includes(place.ctx.channel)) return true;
  return step.when !== undefined && !holds(step.when, (path) => valueAt(place, session, path));
}

function wait(place: Place, session: Session, step: AskStep): Turn {
  const pages = waitingPages(place, session, step);
  const page = Math.min(session.page, pages.length - 1);
  return {
    next: 'wait',
    session: { ...session, at: step.name, page, secret: isSecret(step) },
    words: pages[page] ?? '',
  };
}

/** Ends with a shared text alone; it may name what was left and the word to begin it again. */
function end(place: Place, session: Session, name: string): Turn {
  const { flows, flow, ctx } = place;
  const values: Record<string, string> = { ...ctx.values };
  if (name === 'stopped') {
    values['title'] = flow.title ? fill(flow.title, viewOf(place, session)) : '';
    values['word'] = (flow.start_words[ctx.actor.language][0] ?? '').toUpperCase();
  }
  const text: Text = sharedText(flows, name, ctx.channel);
  const bare = { ...newSession(flow, session.id), said: [] };
  const words = lastWords({ ...place, ctx: { ...ctx, values } }, bare, text);
  return { next: 'over', words };
}
