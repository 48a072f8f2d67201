import type { Draft } from './compile.ts';
import { type AskStep, isSecret, type Step } from './definition.ts';
import { nearest } from './guess.ts';
import type { Text } from './words.ts';
import { type Way, waysFrom } from './ways.ts';

/** Whether every way through a flow leads somewhere, and ends. */

export function checkWays(draft: Draft, shared: ReadonlyMap<string, Text>): void {
  for (const step of draft.flow.steps.values()) checkTargets(draft, step, shared);
  // Around a step that could not be read, the rest would be judged wrongly.
  if (!draft.whole) return;
  checkReached(draft);
  checkLoops(draft);
  checkEnds(draft);
}

function checkTargets(draft: Draft, step: Step, shared: ReadonlyMap<string, Text>): void {
  const { source, names } = draft;
  const told = new Set<string>();
  for (const { to, keys } of waysFrom(step)) {
    const at = ['steps', step.name, ...keys];
    if (to !== undefined && !names.has(to) && !told.has(at.join('.'))) {
      told.add(at.join('.'));
      const meant = nearest(to, names);
      const guess = meant === undefined ? '' : `; "${meant}" is nearest`;
      source.report(at, `there is no step "${to}"${guess}`);
    }
  }
  if (step.kind === 'ask' && step.answers.of === 'options' && step.answers.typed !== undefined) {
    const other = draft.flow.steps.get(step.answers.typed);
    if (other && (other.kind !== 'ask' || other.answers.of !== 'typed' || isSecret(other)))
      source.report(['steps', step.name, 'typed'], 'this is no question for typing');
  }
  const skipped = (step.on || step.when) && step.follows === undefined;
  const stuck = lacksNext(step);
  if (skipped || stuck)
    source.report(['steps', step.name], 'this way does not end: no step follows');

  const texts: [string, string[]][] =
    step.kind === 'do'
      ? Array.from(step.refusals, ([code, to]) => [to, ['else', code]])
      : [[step.kind === 'ask' ? step.tries_over : '', ['else', 'tries']]];
  for (const [to, keys] of texts)
    if (to.startsWith('$') && to !== '$tries_over' && !shared.has(to.slice(1)))
      source.report(['steps', step.name, ...keys], `there is no shared text "${to}"`);
}

function lacksNext(step: Step): boolean {
  return waysFrom(step).some(({ to, keys }) => to === undefined && keys[0] === 'to');
}

function checkReached({ flow, source }: Draft): void {
  const reached = new Set([flow.first]);
  for (const name of reached) {
    const step = flow.steps.get(name);
    for (const { to } of step ? waysFrom(step) : []) if (to !== undefined) reached.add(to);
  }
  for (const name of flow.steps.keys())
    if (!reached.has(name)) source.report(['steps', name], 'nothing leads to this step');
}

/** Going round must pass a question: otherwise one message would keep the engine going for ever. */
function checkLoops({ flow, source }: Draft): void {
  const refused_to = new Set(
    Array.from(flow.steps.values()).flatMap((step) =>
      step.kind === 'do' ? [...step.refusals.values()] : [],
    ),
  );
  const told = new Set<string>();
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) {
      const round = path.slice(start);
      const id = [...round].sort().join(' ');
      if (!told.has(id)) {
        told.add(id);
        const words = [...round, name].join(' > ');
        source.report(['steps', name], `this goes round without a question: ${words}`);
      }
      return;
    }
    const step = flow.steps.get(name);
    if (!step || done.has(name)) return;
    for (const way of waysFrom(step))
      if (way.to !== undefined && isSilent(step, way, refused_to)) visit(way.to, [...path, name]);
    done.add(name);
  };
  for (const name of flow.steps.keys()) visit(name, []);
}

// A refusal that uses up a question's tries goes on without anybody having been asked.
function isSilent(step: Step, way: Way, refused_to: ReadonlySet<string>): boolean {
  return !way.answered || (isTriesWay(way) && refused_to.has(step.name));
}

function isTriesWay({ keys }: Way): boolean {
  return keys[0] === 'else' && keys[1] === 'tries';
}

/** From every step the flow can end as its author means it: not by failing or by wrong answers. */
function checkEnds({ flow, source }: Draft): void {
  const ends = new Set<string>();
  for (let before = -1; before < ends.size;) {
    before = ends.size;
    for (const step of flow.steps.values())
      if (waysFrom(step).some((way) => endsBy(way, ends))) ends.add(step.name);
  }
  const stuck = Array.from(flow.steps.values()).find(
    (step) => !ends.has(step.name) && !lacksNext(step) && !isBroken(flow.steps, step),
  );
  if (stuck) source.report(['steps', stuck.name], 'this way does not end: it leads to no end');
}

function endsBy(way: Way, ends: ReadonlySet<string>): boolean {
  if (isTriesWay(way) || (way.keys[0] === 'else' && way.keys[1] === 'down')) return false;
  return way.to === undefined
    ? ['end', 'handoff', 'pick', 'else'].includes(way.keys[0] ?? '')
    : ends.has(way.to);
}

// Leads, directly or not, to a step that is missing or has none after it: that was reported
// already.
function isBroken(steps: ReadonlyMap<string, Step>, from: Step): boolean {
  const seen = new Set([from.name]);
  for (const name of seen) {
    const step = steps.get(name);
    if (!step || lacksNext(step)) return true;
    for (const { to } of waysFrom(step)) if (to !== undefined) seen.add(to);
  }
  return false;
}

/** The labels and words of a question, with where they are written. */
export function textsOf(step: AskStep): { text: Text; keys: string[] }[] {
  const { answers } = step;
  const labels =
    answers.of === 'options'
      ? answers.options.map(({ id, label }) => ({ text: label, keys: ['pick', id] }))
      : answers.of === 'list'
        ? answers.or.map(({ id, label }) => ({ text: label, keys: ['pick', 'or', id] }))
        : [];
  return [
    { text: step.ask, keys: ['ask'] },
    ...(step.error ? [{ text: step.error, keys: ['error'] }] : []),
    ...labels,
  ];
}
