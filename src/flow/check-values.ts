import { z } from 'zod';
import { type Actions, languages } from './action.ts';
import { textsOf } from './check-ways.ts';
import type { Draft } from './compile.ts';
import type { DoStep, Flow, Step } from './definition.ts';
import {
  itemType,
  type Kind,
  kindOf,
  secretsOf,
  typeAt,
  typeInside,
  valueNamesOf,
} from './value-types.ts';
import { house_names, type Path, slotsOf, type Text } from './words.ts';

/** Whether every value is there, and is what it is used for. */

interface Use {
  path: Path;
  keys: readonly string[];
  /** What the place takes; a condition takes anything and asks itself whether it is set. */
  takes: 'words' | 'list' | 'limit' | 'input' | 'condition';
  optional: boolean;
}

export function checkValues(draft: Draft, actions: Actions): void {
  checkNames(draft);
  const { sure: set } = draft.flow;
  for (const step of draft.flow.steps.values()) {
    for (const use of usesOf(step)) checkUse(draft, actions, set.get(step.name), step, use);
    checkLanguages(draft, step);
    if (step.kind === 'do') checkAction(draft, actions, step);
    if (step.kind === 'ask' && step.answers.of === 'list') checkLabel(draft, actions, step);
  }
}

function checkNames({ flow, source, names }: Draft): void {
  const taken = new Set<string>(house_names);
  for (const name of names)
    if (taken.has(name)) source.report(['steps', name], `"${name}" is used for two things`);
  for (const name of names) taken.add(name);
  for (const step of flow.steps.values()) {
    if (step.kind !== 'do' || step.as === undefined) continue;
    if (taken.has(step.as))
      source.report(['steps', step.name, 'as'], `"${step.as}" is used for two things`);
    taken.add(step.as);
  }
}

function usesOf(step: Step): Use[] {
  const condition = step.when ? [step.when.path] : [];
  if (step.when?.right && 'path' in step.when.right) condition.push(step.when.right.path);
  const uses: Use[] = condition.map((path) => ({
    path,
    keys: ['if'],
    takes: 'condition',
    optional: true,
  }));
  switch (step.kind) {
    case 'end':
      return [...uses, ...wordUses(step.words, ['end']), ...copyUses(step)];
    case 'say':
    case 'handoff':
      return [...uses, ...wordUses(step.words, [step.kind])];
    case 'call':
      return uses;
    case 'do':
      return [
        ...uses,
        ...step.inputs.map(({ name, path, optional }): Use => ({
          path,
          keys: ['with', name],
          takes: 'input',
          optional,
        })),
      ];
    case 'ask': {
      const { answers } = step;
      const words = textsOf(step).flatMap(({ text, keys }) => wordUses(text, keys));
      if (answers.of === 'list')
        words.push({ path: answers.from, keys: ['pick', 'from'], takes: 'list', optional: false });
      if (answers.of === 'typed')
        for (const key of ['min', 'max'] as const) {
          const limit = answers[key];
          if (limit && 'path' in limit)
            words.push({ path: limit.path, keys: [key], takes: 'limit', optional: false });
        }
      return [...uses, ...words];
    }
  }
}

function copyUses({ copy, words }: Extract<Step, { kind: 'end' }>): Use[] {
  return copy && copy !== words ? wordUses(copy, ['also', 'sms']) : [];
}

// Each path once, at the language that uses it.
function wordUses(text: Text, keys: readonly string[]): Use[] {
  return languages.flatMap((language) =>
    slotsOf(text[language]).map(({ path }): Use => ({
      path,
      keys: [...keys, language],
      takes: 'words',
      optional: false,
    })),
  );
}

function checkUse(
  { flow, source, whole }: Draft,
  actions: Actions,
  set: ReadonlySet<string> | undefined,
  step: Step,
  { path, keys, takes, optional }: Use,
): void {
  const [root] = path;
  const name = path.join('.');
  const report = (message: string) => source.report(['steps', step.name, ...keys], message);
  const house = house_names.some((known) => known === root);
  if (!house && !valueNamesOf(flow).has(root)) {
    if (whole) report(`nothing sets "${root}"`);
    return;
  }
  const behind = takes === 'input' && isRightBehind(flow, root, step);
  if (secretsOf(flow).has(root) && !behind) {
    report(`the secret "${root}" may go only into the action right behind its question`);
    return;
  }
  const found = typeAt(flow, actions, path);
  if (!found) return;
  if ('problem' in found) {
    report(found.problem);
    return;
  }
  const guarded = step.when?.operator === 'is set' && startsWith(path, step.when.path);
  const sure = house || !whole || !set || set.has(root);
  if (!optional && !guarded && (!sure || found.type.optional))
    report(`"${sure ? name : root}" may not be set here`);
  const kind = kindOf(found.type.schema);
  if (fits(kind, takes)) return;
  const inside = takes === 'list' ? listsIn(found.type.schema, name) : [];
  const instead = inside.length === 0 ? '' : `; a list in it is ${inside.join(', ')}`;
  report(`"${name}" is ${called[kind]}, which does not fit here${instead}`);
}

function listsIn(schema: z.ZodType, name: string): string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).flatMap(([key, part]) =>
    part instanceof z.ZodType && kindOf(part) === 'list' ? [`${name}.${key}`] : [],
  );
}

/** What one language says and the other does not: a translator has left it out. */
function checkLanguages({ source }: Draft, step: Step): void {
  const texts =
    step.kind === 'ask'
      ? textsOf(step)
      : 'words' in step
        ? [{ text: step.words, keys: [step.kind] }]
        : [];
  for (const { text, keys } of texts)
    for (const [language, other] of [languages, [...languages].reverse()]) {
      const here = new Set(slotsOf(text[language]).map(({ path }) => path.join('.')));
      const missing = slotsOf(text[other]).find(({ path }) => !here.has(path.join('.')));
      if (missing)
        source.report(
          ['steps', step.name, ...keys, language],
          `{${missing.path.join('.')}} is in ${other} and not here`,
        );
    }
}

function isRightBehind(flow: Flow, root: string, step: Step): boolean {
  const question = flow.steps.get(root);
  return step.kind === 'do' && question?.next === step.name;
}

function startsWith(path: Path, prefix: Path): boolean {
  return prefix.every((key, index) => path[index] === key);
}

function fits(kind: Kind, takes: Use['takes']): boolean {
  if (kind === 'any' || takes === 'condition' || takes === 'input') return true;
  if (takes === 'list') return kind === 'list';
  return kind !== 'list' && kind !== 'object';
}

const called: Readonly<Record<Kind, string>> = {
  text: 'a text',
  number: 'a number',
  boolean: 'a yes or no',
  list: 'a list',
  object: 'a thing with parts',
  any: 'anything',
};

function checkAction({ flow, source }: Draft, actions: Actions, step: DoStep): void {
  const report = (keys: readonly string[], message: string) =>
    source.report(['steps', step.name, ...keys], message);
  const action = Object.hasOwn(actions, step.action) ? actions[step.action] : undefined;
  if (!action) {
    report(['do'], `there is no action "${step.action}"`);
    return;
  }
  const inputs: Readonly<Record<string, unknown>> = action.input.shape;
  for (const { name, path, optional } of step.inputs) {
    const schema = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (!(schema instanceof z.ZodType)) {
      report(['with', name], `${step.action} has no input "${name}"`);
      continue;
    }
    if (optional && !schema.safeParse(undefined).success)
      report(['with', name], `${step.action} needs "${name}", which may not be set here`);
    const given = typeAt(flow, actions, path);
    if (given && 'type' in given && !suits(given.type.schema, schema))
      report(
        ['with', name],
        `"${path.join('.')}" does not fit the input "${name}" of ${step.action}`,
      );
  }
  for (const [name, schema] of Object.entries(inputs)) {
    const needed = schema instanceof z.ZodType && !schema.safeParse(undefined).success;
    if (needed && !step.inputs.some((input) => input.name === name))
      report(['do'], `${step.action} needs the input "${name}"`);
  }
  for (const code of step.refusals.keys())
    if (code !== 'down' && !action.refusals.includes(code))
      report(['else', code], `${step.action} has no refusal "${code}"`);
  for (const code of [...action.refusals, 'down'])
    if (!step.refusals.has(code)) report(['do'], `the refusal "${code}" is not handled`);
}

// The kinds agree, and where only some words are taken, every option is one of them.
function suits(given: z.ZodType, taken: z.ZodType): boolean {
  const inner = typeInside({ schema: taken, optional: false }, [], '');
  const schema = 'type' in inner ? inner.type.schema : taken;
  const kinds = [kindOf(given), kindOf(schema)];
  if (kinds.includes('any')) return true;
  if (kinds[0] !== kinds[1]) return false;
  if (!(given instanceof z.ZodEnum) || !(schema instanceof z.ZodEnum)) return true;
  return given.options.every((option) => schema.options.includes(option));
}

function checkLabel(draft: Draft, actions: Actions, step: Extract<Step, { kind: 'ask' }>): void {
  const { flow, source } = draft;
  const { answers } = step;
  if (answers.of !== 'list') return;
  const item = itemType(flow, actions, answers.from);
  if (!item) return;
  const holder = { schema: item, optional: false };
  const list = answers.from.join('.');
  const identity = typeInside(holder, [answers.value], list);
  if ('problem' in identity) source.report(['steps', step.name, 'pick', 'value'], identity.problem);
  for (const { path, keys } of wordUses(answers.label, ['pick', 'label'])) {
    const at = ['steps', step.name, ...keys];
    const found = kindOf(item) === 'any' ? undefined : typeInside(holder, path, list);
    if (!found) continue;
    if ('problem' in found) source.report(at, found.problem);
    else if (found.type.optional) source.report(at, `"${path.join('.')}" may not be set here`);
  }
}
