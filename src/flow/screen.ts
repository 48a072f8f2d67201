import { createHash } from 'node:crypto';
import { languages } from './action.ts';
import type { AskStep, Flow, Option } from './definition.ts';
import { lastPage, pagesOf } from './render.ts';
import {
  type Choices,
  type Context,
  itemsOf,
  type Place,
  type Session,
  sharedText,
  viewOf,
} from './session.ts';
import { fill, type Path, type Text, type View } from './words.ts';

// 98 asks for the next page, so it can be nobody's number.
const most_options = 97;

/** One thing that can be chosen: by its place in the list, its id or its label in any language. */
export interface Choice {
  id: string;
  /** Where choosing it leads, when not to the step after. */
  to: string | undefined;
  /** The flow that choosing it begins. */
  flow: string | undefined;
  label: (view: View) => string;
}

/** What can be chosen at this step now, in the order of its numbers. */
export function choicesOf(place: Place, session: Session, step: AskStep): Choice[] {
  const { answers } = step;
  switch (answers.of) {
    case 'typed':
      return [];
    case 'options':
      return answers.options.map(choiceOf);
    case 'list': {
      // Their ids are no thing's of the list: what is chosen stays unset.
      const others = answers.or.map((option) => choiceOf({ ...option, id: `_${option.id}` }));
      const items = itemsOf(place, session, step).slice(0, most_options - others.length);
      const listed = items.map(({ id, item }) => ({
        id,
        to: undefined,
        flow: undefined,
        label: (view: View) =>
          fill(answers.label, { ...view, valueOf: (path) => itemValue(item, path) }),
      }));
      return [...listed, ...others];
    }
    case 'menu':
      return answers.flows.flatMap((name) => {
        const flow = place.flows.flows.get(name);
        const title = flow?.title;
        if (!flow || !title || !mayBegin({ ...place, flow })) return [];
        return { id: name, to: undefined, flow: name, label: (view: View) => fill(title, view) };
      });
  }
}

function choiceOf({ id, to, label }: Option): Choice {
  return { id, to, flow: undefined, label: (view) => fill(label, view) };
}

/** Whether the actor has one of the roles that the flow needs, and it may be used here. */
export function mayBegin(place: Place): boolean {
  return !isKeptOff(place.flow, place.ctx) && hasRole(place);
}

/** Whether the actor has one of the roles that the flow needs. */
export function hasRole({ flow: { needs }, ctx }: Pick<Place, 'flow' | 'ctx'>): boolean {
  return !needs || ctx.actor.roles.some((role) => needs.includes(role));
}

/** Whether the house keeps a flow off this channel. */
export function isKeptOff({ folders }: Flow, { kept_off }: Context): boolean {
  return kept_off !== undefined && folders.some((folder) => kept_off.includes(folder));
}

function itemValue(item: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined,
    item,
  );
}

/** The choice's label in every language, for comparing with what was typed. */
export function labelsOf(choice: Choice, view: View): string[] {
  return languages.map((language) => choice.label({ ...view, language }));
}

/** The waiting question as pages. */
export function waitingPages(place: Place, session: Session, step: AskStep): string[] {
  const view = viewOf(place, session);
  const line = (name: string) => fill(sharedText(place.flows, name, place.ctx.channel), view);
  return pagesOf(place.ctx.channel, {
    body: bodyOf(place, session, step, view),
    options: choicesOf(place, session, step).map(
      (choice) => (most) => choice.label({ ...view, most }),
    ),
    back: () => line('back'),
    more: () => line('more'),
    // Before a flow's first question there is the menu.
    can_go_back: session.trail.length > 0 || place.flow.name !== 'menu',
  });
}

// As many as WhatsApp shows in one list.
const most_taps = 10;

/** The choices of the waiting question as something to tap, where the channel can show them. */
export function tapsOf(place: Place, session: Session, step: AskStep): Choices | undefined {
  if (place.ctx.channel !== 'whatsapp') return undefined;
  const choices = choicesOf(place, session, step);
  if (choices.length === 0 || choices.length > most_taps) return undefined;
  const view = viewOf(place, session);
  return {
    body: bodyOf(place, session, step, view),
    open: fill(sharedText(place.flows, 'choose', place.ctx.channel), view),
    at: questionTag(place, session, step),
    options: choices.map((choice) => ({ id: choice.id, label: choice.label(view) })),
  };
}

/** What a menu's taps are told by: they begin a flow, whenever that is. */
export const menu_tag = 'menu';

/**
 * Tells the question as it is shown from every other: the same question about another amount is
 * another.
 */
export function questionTag(place: Place, session: Session, step: AskStep): string {
  if (step.answers.of === 'menu') return menu_tag;
  const view = viewOf(place, session);
  const shown = [
    session.id,
    place.flow.name,
    step.name,
    fill(step.ask, view),
    ...choicesOf(place, session, step).map((choice) => `${choice.id} ${choice.label(view)}`),
  ];
  return createHash('sha256').update(shown.join('\n')).digest('hex').slice(0, 12);
}

// A question's own error stands in its place; what the engine says stands above it.
function bodyOf(place: Place, session: Session, step: AskStep, view: View): string {
  const said = wordsAbove(place, session, view);
  if (session.note === 'error' && step.error) return joined(said, fill(step.error, view));
  return joined(noteWords(place, session, view), said, fill(step.ask, view));
}

function noteWords(place: Place, session: Session, view: View): string {
  if (session.note === undefined) return '';
  return fill(sharedText(place.flows, session.note, place.ctx.channel), view);
}

/** What was said on the way here, in this flow and in those that it called. */
export function wordsAbove(place: Place, session: Session, view: View): string {
  return joined(
    ...(session.above ?? []),
    ...(session.said ?? []).map((name) => {
      const step = place.flow.steps.get(name);
      return step?.kind === 'say' ? fill(step.words, view) : '';
    }),
  );
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('\n');
}

/** The last words of a flow, with what was said on the way to them. */
export function lastWords(place: Place, session: Session, words: Text): string {
  const view = viewOf(place, session);
  return lastPage(place.ctx.channel, (most) => {
    const narrow = { ...view, most };
    return joined(
      noteWords(place, session, narrow),
      wordsAbove(place, session, narrow),
      fill(words, narrow),
    );
  });
}
