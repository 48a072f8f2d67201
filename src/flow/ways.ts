import { type Flow, isSecret, type Step } from './definition.ts';

/** The ways through a flow: from each step, where it can lead and what is known there. */

export interface Way {
  /** A step of this flow; undefined where the flow is over or another begins. */
  to: string | undefined;
  /** The value that this way sets. */
  sets: string | undefined;
  /** Whether a person has answered on it. */
  answered: boolean;
  /** Where in the step it is written. */
  keys: readonly string[];
}

/** Every way out of a step. A target that is no step is there too, for the check that says so. */
export function waysFrom(step: Step): Way[] {
  const skips = step.on || step.when ? [way(step.follows, undefined, false, ['if'])] : [];
  switch (step.kind) {
    case 'end':
    case 'handoff':
      return [...skips, way(undefined, undefined, false, [step.kind])];
    case 'say':
    case 'call':
      return [...skips, way(step.next, undefined, false, ['to'])];
    case 'do': {
      const refusals = Array.from(step.refusals, ([code, to]) =>
        way(stepIn(to), undefined, false, ['else', code]),
      );
      return [...skips, way(step.next, step.as, false, ['to']), ...refusals];
    }
    case 'ask': {
      const over = way(stepIn(step.tries_over), undefined, true, ['else', 'tries']);
      const skipped = step.optional ? [way(step.next, undefined, true, ['to'])] : [];
      const { answers } = step;
      if (answers.of === 'menu') return [...skips, over, way(undefined, undefined, true, ['pick'])];
      if (answers.of === 'list') {
        const others = answers.or.map(({ id, to }) =>
          way(to, undefined, true, ['pick', 'or', id, 'to']),
        );
        const one = way(step.next, step.name, true, ['to']);
        return [...skips, over, ...skipped, one, ...others];
      }
      if (answers.of !== 'options')
        return [...skips, over, ...skipped, way(step.next, step.name, true, ['to'])];
      const options = answers.options.map(({ id, to }) =>
        way(to ?? step.next, step.name, true, to === undefined ? ['to'] : ['pick', id, 'to']),
      );
      const typed =
        answers.typed === undefined ? [] : [way(answers.typed, step.name, true, ['typed'])];
      return [...skips, over, ...skipped, ...options, ...typed];
    }
  }
}

function way(to: string | undefined, sets: string | undefined, answered: boolean, keys: string[]) {
  return { to, sets, answered, keys };
}

function stepIn(target: string): string | undefined {
  return target.startsWith('$') ? undefined : target;
}

/**
 * What is surely set on arriving at each step that can be reached: what every way there has set.
 * Values are never unset, so the sets only shrink until they agree.
 */
export function surelySet(flow: Pick<Flow, 'first' | 'steps'>): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>([[flow.first, new Set()]]);
  const open = [flow.first];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const step = flow.steps.get(name);
    if (!step) continue;
    for (const { to, sets } of waysFrom(step)) {
      if (to === undefined || !flow.steps.has(to)) continue;
      const there = new Set(known.get(name));
      dropSecrets(flow.steps, there);
      if (sets !== undefined) there.add(sets);
      const before = known.get(to);
      const now = before ? new Set([...before].filter((value) => there.has(value))) : there;
      if (before && now.size === before.size) continue;
      known.set(to, now);
      open.push(to);
    }
  }
  return known;
}

// A secret is gone after the step behind its question.
function dropSecrets(steps: ReadonlyMap<string, Step>, values: Set<string>): void {
  for (const value of values) {
    const step = steps.get(value);
    if (step?.kind === 'ask' && isSecret(step)) values.delete(value);
  }
}
