import { assert } from '../base/errors.ts';
import { understand } from './answer.ts';
import { type AskStep, type Flows, isSecret, type Step } from './definition.ts';
import { lastWords, tapsOf, waitingPages, wordsAbove } from './screen.ts';
import {
  askedAt,
  itemsOf,
  newSession,
  type Place,
  type Session,
  sharedText,
  tell,
  type Turn,
  valueAt,
  viewOf,
} from './session.ts';
import { contentOf, type Standing } from './standing.ts';
import { typed_instead } from './value-types.ts';
import { type Text, fill, holds } from './words.ts';

/** From step to step, until a person is asked, an action is to run, or all is said. */

// Questions that `back` remembers.
const longest_trail = 20;

/** Goes on with an answer under its question's name; a secret goes into the next action alone. */
export function answered(
  place: Place,
  session: Session,
  step: AskStep,
  value: unknown,
  to: string | undefined,
): Turn {
  tell(place, step.name, 'answered');
  const keep = value !== undefined && !isSecret(step);
  const { said } = session;
  const trail = [...session.trail, said ? { at: step.name, said } : step.name];
  if (trail.length > longest_trail) trail.shift();
  const next: Session = {
    ...session,
    ...nothing_above,
    values: keep ? { ...session.values, [step.name]: value } : without(session.values, step.name),
    trail,
  };
  return run(place, next, to, isSecret(step) ? { [step.name]: value } : undefined);
}

/** Goes on with what was typed where options waited: the answer to another question. */
export function typed(
  place: Place,
  session: Session,
  step: AskStep,
  answer: { step: AskStep; value: unknown; note: string },
): Turn {
  tell(place, step.name, 'answered');
  const values = { ...session.values, [step.name]: typed_instead };
  const trail = [...session.trail, step.name].slice(-longest_trail);
  const there = { ...session, ...nothing_above, values, trail, at: answer.step.name };
  return answer.value === undefined
    ? wrong(place, there, answer.step, answer.note)
    : answered(place, there, answer.step, answer.value, answer.step.next);
}

function without(values: Session['values'], name: string): Session['values'] {
  if (!(name in values)) return values;
  const { [name]: _, ...others } = values;
  return others;
}

// Set rather than left out, which costs five times as much: JSON has neither.
const nothing_above = {
  note: undefined,
  said: undefined,
  above: undefined,
  page: undefined,
  resumed: undefined,
};

/** Without what stood above the last screen. */
export function withoutNote(session: Session): Session {
  return { ...session, ...nothing_above };
}

/** Counts a wrong answer and asks again, or leaves when the tries are used up. */
export function wrong(place: Place, session: Session, step: AskStep, why: string): Turn {
  const count = (session.tries?.[step.name] ?? 0) + 1;
  const next: Session = {
    ...withoutNote(session),
    tries: { ...session.tries, [step.name]: count },
  };
  tell(place, step.name, count >= step.tries ? 'gave_up' : 'wrong');
  if (count >= step.tries) return leave(place, next, step.tries_over);
  return wait(place, { ...next, note: step.error ? 'error' : why }, step);
}

/** Leads where a step's `else` says. */
export function refused(place: Place, session: Session, to: string): Turn {
  const step = place.flow.steps.get(to);
  // A refusal that leads back to its question is one more wrong answer to it.
  const asked = step?.kind === 'ask' && session.trail.some((it) => askedAt(it) === to);
  if (!asked || isSkipped(place, session, step)) return leave(place, session, to);
  const index = session.trail.findLastIndex((it) => askedAt(it) === to);
  return wrong(place, { ...session, trail: session.trail.slice(0, index) }, step, 'try_again');
}

function leave(place: Place, session: Session, to: string): Turn {
  return to.startsWith('$') ? close(place, session, to.slice(1)) : run(place, session, to);
}

/** Ends with a shared text; a question that was left for this flow is asked again below it. */
export function close(place: Place, session: Session, name: string): Turn {
  const turn = end(place, session, name);
  return isAside(place.flows, session) ? resumed(place, session, turn.words) : turn;
}

/**
 * Runs from a step on. The secret lives for one call of this function: from its question to the
 * action right behind it.
 */
export function run(
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
    const here: Session = { ...session, said, at: step.name };
    tell(place, step.name, 'entered');
    switch (step.kind) {
      case 'say':
        said = [...(said ?? []), step.name];
        name = step.next;
        break;
      case 'end':
        return session.callers ? returned(place, here, step.words) : over(place, here, step);
      case 'handoff':
        return { next: 'over', words: lastWords(place, here, step.words), handoff: true };
      case 'call':
        return called(place, here, step.flow);
      case 'ask':
        if (isEmptyList(place, here, step)) return close(place, here, 'nothing_here');
        // Where Karani's question went by SMS, it may be answered there up to this.
        if (place.ctx.channel === 'sms' && isSecret(step)) return close(place, here, 'not_by_sms');
        here.page = undefined;
        return ask(place, here, step);
      case 'do': {
        const visits = session.visits + 1;
        const inputs = step.inputs.map((input) => {
          const [root] = input.path;
          const given = secret && root in secret ? secret[root] : valueAt(place, here, input.path);
          return [input.name, given] as const;
        });
        const input = Object.fromEntries(inputs.filter(([, value]) => value !== undefined));
        const key = `${session.id}:${place.flow.name}:${step.name}:${visits}`;
        // Of this turn alone, so it can be set.
        here.secret = undefined;
        here.visits = visits;
        return { next: 'act', session: here, action: step.action, input, key };
      }
    }
  }
}

function isEmptyList(place: Place, here: Session, step: AskStep): boolean {
  const { answers } = step;
  if (answers.of !== 'list' || answers.or.length > 0) return false;
  return itemsOf(place, here, step).length === 0;
}

// The first question may be answered already, by what was written along with the word that began
// the flow.
function ask(place: Place, here: Session, step: AskStep): Turn {
  const { given } = here;
  const session = given ? { ...here, given: undefined } : here;
  if (!given || isSecret(step)) return wait(place, session, step);
  if (given.is_word && step.answers.of !== 'options') return wait(place, session, step);
  const answer = understand(place, session, step, given.text);
  if (answer.kind === 'value') {
    return answered(place, session, step, answer.value, answer.to ?? step.next);
  }
  if (answer.kind === 'typed') return typed(place, session, step, answer);
  const note = given.is_word ? {} : { note: 'not_understood' };
  return wait(place, { ...session, ...note }, step);
}

function isSkipped(place: Place, session: Session, step: Step): boolean {
  if (step.on && !step.on.includes(place.ctx.channel)) return true;
  return step.when !== undefined && !holds(step.when, (path) => valueAt(place, session, path));
}

/** Shows a question, on the page where the session is. */
export function wait(place: Place, session: Session, step: AskStep): Turn {
  const pages = waitingPages(place, session, step);
  const page = Math.min(session.page ?? 0, pages.length - 1);
  const choices = tapsOf(place, session, step);
  return {
    next: 'wait',
    session: {
      ...session,
      hash: place.flow.hash,
      at: step.name,
      page: page || undefined,
      secret: isSecret(step) || undefined,
      heard_at_ms: place.ctx.now.getTime(),
    },
    words: pages[page] ?? '',
    ...(choices && pages.length === 1 ? { choices } : {}),
  };
}

function over(place: Place, session: Session, step: Extract<Step, { kind: 'end' }>): Turn {
  const words = lastWords(place, session, step.words);
  if (!step.copy || place.ctx.channel !== 'ussd') return { next: 'over', words };
  const view = { ...viewOf(place, session), channel: 'sms' as const };
  return { next: 'over', words, copy: fill(step.copy, view) };
}

/** Begins the flow that a step calls; what was said before stands above it. */
function called(place: Place, session: Session, name: string): Turn {
  const flow = place.flows.flows.get(name);
  assert(flow, `there is a flow ${name}`);
  const { at, values, tries, trail } = session;
  const caller = { flow: session.flow, hash: session.hash, at, values, tries, trail };
  const above = wordsAbove(place, session, viewOf(place, session));
  const inner: Session = {
    ...newSession(flow, session.id, place.ctx.now, session.note),
    visits: session.visits,
    above: above === '' ? undefined : [above],
    callers: [...(session.callers ?? []), caller],
  };
  return run({ ...place, flow }, inner, flow.first);
}

/** Goes on in the flow that called this one, with its last words above. */
function returned(place: Place, session: Session, words: Text): Turn {
  const said = lastWords(place, session, words);
  if (isAside(place.flows, session)) return resumed(place, session, said);
  const outer = callerOf(place, session);
  const step = outer?.place.flow.steps.get(outer.session.at);
  if (!outer || step?.kind !== 'call') {
    return end(place, session, 'flow_changed');
  }
  return run(outer.place, { ...outer.session, above: [said] }, step.next);
}

/** Whether this flow was begun while a question of another waited. */
export function isAside(flows: Flows, session: Session): boolean {
  const caller = session.callers?.at(-1);
  return caller !== undefined && contentOf(flows, caller)?.steps.get(caller.at)?.kind === 'ask';
}

/** Asks again what was left for this flow, below its last words. */
function resumed(place: Place, session: Session, words: string): Turn {
  const outer = callerOf(place, session);
  const step = outer?.place.flow.steps.get(outer.session.at);
  assert(outer && step?.kind === 'ask', 'a question was left');
  const note = sharedText(place.flows, 'resumed', place.ctx.channel);
  const above = [words, fill(note, viewOf(outer.place, outer.session))];
  return wait(outer.place, { ...outer.session, above, resumed: true }, step);
}

/** The flow that called this one, where it did. */
export function callerOf(place: Place, session: Session): Standing | undefined {
  const caller = session.callers?.at(-1);
  const flow = caller && contentOf(place.flows, caller);
  if (!flow) return undefined;
  const { note: _, ...rest } = session;
  const others = session.callers?.slice(0, -1) ?? [];
  const callers = others.length > 0 ? others : undefined;
  const outer: Session = {
    ...rest,
    ...caller,
    callers,
    said: undefined,
    above: undefined,
    page: undefined,
  };
  return { place: { ...place, flow }, session: outer };
}

/** Ends with a shared text alone; it may name what was left and the word to begin it again. */
export function end(place: Place, session: Session, name: string): Extract<Turn, { next: 'over' }> {
  const { flows, ctx } = place;
  const outermost = session.callers?.[0];
  const flow = (outermost && contentOf(flows, outermost)) ?? place.flow;
  const values: Record<string, string> = { ...ctx.values };
  if (name === 'stopped') {
    values['title'] = flow.title ? fill(flow.title, viewOf(place, session)) : '';
    values['word'] = (flow.start_words[ctx.actor.language][0] ?? '').toUpperCase();
  }
  const text: Text = sharedText(flows, name, ctx.channel);
  const bare = newSession(flow, session.id, ctx.now);
  const words = lastWords({ ...place, ctx: { ...ctx, values } }, bare, text);
  return { next: 'over', words };
}
