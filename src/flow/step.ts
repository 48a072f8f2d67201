import { assert } from '../base/errors.ts';
import { isPinLike, understand } from './answer.ts';
import { type AskStep, type Flows, isSecret, normal, type Step } from './definition.ts';
import { nearest } from './guess.ts';
import { type Command, commandIn, isGreeting } from './navigation.ts';
import {
  beginningIn,
  closing,
  meantInstead,
  menu,
  start,
  startAside,
  startBy,
  wordAway,
} from './begin.ts';
import { answered, callerOf, end, refused, run, typed, wait, withoutNote, wrong } from './run.ts';
import { hasRole, mayBegin, menu_tag } from './screen.ts';
import {
  askedAt,
  type Context,
  type Heard,
  newSession,
  type Place,
  type Session,
  tell,
  type Turn,
} from './session.ts';
import { contentOf, lateness, type Standing, standingOf } from './standing.ts';

export type { Context, Turn } from './session.ts';

/**
 * The machine: a session and what happened, in; the next session and what to say or to do, out. It
 * knows no clock, no database and no network, and any words of a person lead somewhere.
 */

/**
 * One message of a person. Without a session it is their first: a flow's word begins that flow,
 * anything else the menu. What comes after a flow's idle time is taken for no answer.
 */
export function hear(
  flows: Flows,
  session: Session | undefined,
  heard: Heard,
  session_id: string,
  ctx: Context,
): Turn {
  const tapped = tappedInMenu(flows, heard);
  if (tapped !== undefined) return start(flows, tapped, session_id, ctx);
  if (!session) return firstWords(flows, heard, session_id, ctx);
  const standing = standingOf(flows, session, ctx);
  const step = standing && stepOf(standing);
  if (!standing || step?.kind !== 'ask') return menu(flows, session_id, ctx, 'flow_changed');
  if (!isStillOpen(standing)) return noMore(standing, heard, session_id);
  if (lateness(standing) !== 'in_time') return hearLate(standing, step, heard, session_id);
  return hearNow(standing, step, heard, session_id);
}

/** Begins a flow for somebody who has said nothing: a question that Karani asks. */
export function begin(flows: Flows, flow: string, session_id: string, ctx: Context): Turn {
  return start(flows, flow, session_id, ctx);
}

/** A dial on USSD: it says nothing, so a question that waits is asked again. */
export function dial(
  flows: Flows,
  session: Session | undefined,
  session_id: string,
  ctx: Context,
): Turn {
  const standing = session && standingOf(flows, session, ctx);
  const step = standing && stepOf(standing);
  if (!standing || step?.kind !== 'ask' || !standing.place.flow.idle.redial) {
    return menu(flows, session_id, ctx);
  }
  if (!isStillOpen(standing)) return noMore(standing, '', session_id);
  const how = lateness(standing);
  if (how !== 'in_time') tell(standing.place, step.name, 'timed_out');
  const { name, idle } = standing.place.flow;
  if (how === 'in_time' || (how === 'late' && idle.way === 'resume')) {
    return askAgain(standing, step);
  }
  return how === 'late' && idle.way === 'restart'
    ? start(flows, name, session_id, ctx)
    : menu(flows, session_id, ctx);
}

// A role that was taken away ends what it had opened: what was looked up for it is shown no more.
function isStillOpen({ place, session }: Standing): boolean {
  const { flows, ctx } = place;
  const around = (session.callers ?? []).flatMap((caller) => contentOf(flows, caller) ?? []);
  return [place.flow, ...around].every((flow) => hasRole({ flow, ctx }));
}

function noMore({ place, session }: Standing, heard: Heard, session_id: string): Turn {
  const { flows, ctx } = place;
  const text = typeof heard === 'string' ? heard : '';
  const other = commandIn(text, ctx.channel, undefined) ?? beginningIn(flows, text);
  if (other !== undefined) return firstWords(flows, text, session_id, ctx);
  tell(place, session.at, 'not_allowed');
  return end(place, session, 'not_allowed');
}

function hearNow(
  { place, session }: Standing,
  step: AskStep,
  heard: Heard,
  session_id: string,
): Turn {
  const { flows, flow, ctx } = place;
  const command = typeof heard === 'string' && commandIn(heard, ctx.channel, step);
  if (command) return obey(place, session, step, command, session_id);

  const away = typeof heard === 'string' ? wordAway(place, step, heard) : undefined;
  if (away) return startAside({ place, session, step }, away);
  const answer = understand(place, session, step, heard);
  switch (answer.kind) {
    case 'nothing': {
      const other = typeof heard === 'string' ? beginningIn(flows, heard) : undefined;
      return other ? startAside({ place, session, step }, other) : wait(place, session, step);
    }
    case 'earlier':
      return wait(place, { ...session, note: 'earlier', page: undefined }, step);
    case 'flow':
      return start(flows, answer.flow, session_id, ctx);
    case 'value':
      if (flow === flows.guess) return guessed(place, session, answer.value, session_id);
      return answered(place, session, step, answer.value, answer.to ?? step.next);
    case 'typed':
      return typed(place, session, step, answer);
    case 'wrong': {
      if (typeof heard !== 'string') return wrong(place, session, step, answer.note);
      const other = beginningIn(flows, heard);
      if (other) return startAside({ place, session, step }, other);
      // Somebody who comes back the next day and says hello means no option.
      if (isGreeting(heard)) return greeted({ place, session }, step, session_id);
      if (isPinLike(heard) && step.answers.of !== 'typed') {
        return wait(place, { ...session, note: 'pin_typed', page: undefined }, step);
      }
      const meant = flow.name === 'menu' ? meantBy(flows, heard, ctx) : undefined;
      if (meant !== undefined) return guess(place, session_id, heard, meant);
      return wrong(place, session, step, answer.note);
    }
  }
}

function hearLate(standing: Standing, step: AskStep, heard: Heard, session_id: string): Turn {
  tell(standing.place, step.name, 'timed_out');
  const { flows, flow, ctx } = standing.place;
  const over = lateness(standing) === 'over';
  const text = typeof heard === 'string' ? heard : '';
  const wanted = commandIn(text, ctx.channel, undefined) ?? beginningIn(flows, text);
  if (wanted === undefined && !over && flow.idle.way === 'resume') return askAgain(standing, step);
  if (wanted === undefined && !over && flow.idle.way === 'restart') {
    return start(flows, flow.name, session_id, ctx);
  }
  // Who had answered something and now answers more hears that nothing came of it.
  const half_done = flow.title !== undefined && standing.session.trail.length > 0;
  if (wanted === undefined && half_done && !isGreeting(text)) {
    return end(standing.place, standing.session, 'expired');
  }
  return firstWords(flows, heard, session_id, ctx);
}

function greeted(standing: Standing, step: AskStep, session_id: string): Turn {
  const { flows, ctx } = standing.place;
  return step.answers.of === 'typed' ? askAgain(standing, step) : menu(flows, session_id, ctx);
}

function askAgain({ place, session }: Standing, step: AskStep): Turn {
  return wait(place, { ...session, note: 'resumed', page: undefined }, step);
}

function stepOf({ place, session }: Standing): Step | undefined {
  return place.flow.steps.get(session.at);
}

/** Goes on after an action, with its value or its refusal; `down` is our own fault. */
export function settle(
  flows: Flows,
  session: Session,
  outcome: { value: unknown } | { refusal: string },
  ctx: Context,
): Turn {
  const standing = standingOf(flows, session, ctx);
  const step = standing && stepOf(standing);
  if (!standing || step?.kind !== 'do') return menu(flows, session.id, ctx, 'flow_changed');
  const { place } = standing;
  if ('refusal' in outcome) {
    tell(place, step.name, 'refused', outcome.refusal);
    const to = step.refusals.get(outcome.refusal) ?? step.refusals.get('down') ?? '$down';
    const instead = meantInstead(place, session, to);
    if (instead) return startAside(instead, instead.beginning);
    return refused(place, session, to);
  }
  if (step.as === undefined) return run(place, session, step.next);
  // Only what the action declared is kept: a session holds nothing by accident.
  const value: unknown = flows.actions[step.action]?.output.parse(outcome.value);
  return run(place, { ...session, values: { ...session.values, [step.as]: value } }, step.next);
}

/** Whether what this session hears next is a secret, and must not be kept anywhere. */
export function awaitsSecret(flows: Flows, session: Session): boolean {
  const step = contentOf(flows, session)?.steps.get(session.at);
  return session.secret === true || (step?.kind === 'ask' && isSecret(step));
}

/** Whether digits are no surprise where this session waits. */
export function takesDigits(flows: Flows, session: Session): boolean {
  const step = contentOf(flows, session)?.steps.get(session.at);
  if (step?.kind !== 'ask') return false;
  const { answers } = step;
  return answers.of === 'typed' || (answers.of === 'options' && answers.typed !== undefined);
}

/** Whether what this session hears next is chosen from what it shows. */
export function waitsForChoice(flows: Flows, session: Session): boolean {
  const step = contentOf(flows, session)?.steps.get(session.at);
  return step?.kind === 'ask' && step.answers.of !== 'typed';
}

function noReminders(flows: Flows, ctx: Context): Turn {
  return { ...closing(flows, ctx, 'reminders_off'), reminders: 'off' };
}

// To whom nothing was stopped it is the menu.
function startAgain(flows: Flows, id: string, ctx: Context): Turn {
  if (!ctx.actor.stopped) return menu(flows, id, ctx);
  return { ...closing(flows, ctx, 'reminders_on'), reminders: 'on' };
}

/** A menu is good for as long as it stands in the chat: each of its choices begins a flow. */
function tappedInMenu(flows: Flows, heard: Heard): string | undefined {
  if (typeof heard === 'string' || heard.type !== 'tap' || heard.at !== menu_tag) return undefined;
  const flow = flows.flows.get(heard.id);
  // What has no place in a menu is no choice of one.
  return flow?.title && flow.name;
}

function firstWords(flows: Flows, heard: Heard, id: string, ctx: Context): Turn {
  if (typeof heard !== 'string') {
    return menu(flows, id, ctx, heard.type === 'tap' ? 'expired_tap' : 'not_understood');
  }
  const text = heard;
  const command = commandIn(text, ctx.channel, undefined);
  if (command === 'help') return closing(flows, ctx, 'help');
  if (command === 'stop') return noReminders(flows, ctx);
  if (command === 'cancel') return menu(flows, id, ctx, 'nothing_open');
  if (command === 'start') return startAgain(flows, id, ctx);
  const beginning = beginningIn(flows, text);
  if (beginning) return startBy(flows, beginning, id, ctx);
  if (isPinLike(text)) return menu(flows, id, ctx, 'pin_typed');
  const meant = meantBy(flows, text, ctx);
  if (meant !== undefined) return guess({ flows, flow: flows.guess, ctx }, id, text, meant);
  const quiet = command !== undefined || normal(text) === '' || isGreeting(text);
  return menu(flows, id, ctx, quiet ? undefined : 'not_understood');
}

/** The word that somebody nearly wrote, of those that begin what is open for them. */
function meantBy(flows: Flows, text: string, ctx: Context): string | undefined {
  const open = Array.from(flows.starts).flatMap(([word, name]) => {
    const flow = flows.flows.get(name);
    return flow && mayBegin({ flows, flow, ctx }) ? [word] : [];
  });
  return nearest(normal(text), open);
}

function guess(asked: Place, id: string, word: string, meant: string): Turn {
  const place = { ...asked, flow: asked.flows.guess };
  const session = newSession(place.flow, id, place.ctx.now);
  const step = place.flow.steps.get(place.flow.first);
  assert(step?.kind === 'ask', 'a guess is a question');
  const values = { word: word.trim(), meant: meant.toUpperCase() };
  return wait(place, { ...session, values }, step);
}

function guessed({ flows, ctx }: Place, session: Session, value: unknown, id: string): Turn {
  const beginning = beginningIn(flows, String(session.values['meant']));
  return value === 'yes' && beginning ? startBy(flows, beginning, id, ctx) : menu(flows, id, ctx);
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
      return flow.title || session.callers
        ? end(place, session, 'stopped')
        : noReminders(flows, ctx);
    case 'cancel':
      return flow.title || session.callers
        ? end(place, session, 'stopped')
        : menu(flows, session_id, ctx, 'nothing_open');
    case 'start':
      return startAgain(flows, session_id, ctx);
    case 'help':
      return wait(place, { ...withoutNote(session), note: 'help' }, step);
    case 'more':
      return wait(place, { ...session, page: (session.page ?? 0) + 1 }, step);
    case 'skip':
      return answered(place, session, step, undefined, step.next);
    case 'back':
      return goBack({ place, session }, step, session_id);
  }
}

function goBack(standing: Standing, step: AskStep, session_id: string): Turn {
  const { place, session } = standing;
  const { page = 0 } = session;
  if (page > 0) return wait(place, { ...session, page: page - 1 }, step);
  const before = lastAsked(standing);
  if (before) {
    tell(place, step.name, 'went_back');
    return wait(before.place, before.session, before.step);
  }
  // Nothing was asked before this: the way back is the menu.
  return place.flow.name === 'menu'
    ? wait(place, session, step)
    : menu(place.flows, session_id, place.ctx);
}

/** The question before, in this flow or in those that called it. */
function lastAsked({ place, session }: Standing): (Standing & { step: AskStep }) | undefined {
  const last = session.trail.at(-1);
  const step = last === undefined ? undefined : place.flow.steps.get(askedAt(last));
  if (step?.kind !== 'ask') {
    const outer = callerOf(place, session);
    const asked = outer?.place.flow.steps.get(outer.session.at);
    // Beside a question that waits, the way back is that question.
    return outer && asked?.kind === 'ask' ? { ...outer, step: asked } : outer && lastAsked(outer);
  }
  const trail = session.trail.slice(0, -1);
  const said = typeof last === 'object' ? last.said : undefined;
  const back = { ...withoutNote(session), at: step.name, said, trail };
  return { place, session: back, step };
}
