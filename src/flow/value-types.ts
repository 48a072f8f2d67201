import { z } from 'zod';
import { type Actions, Attachment, Location } from './action.ts';
import { type AskStep, type AskType, type Flow, isSecret } from './definition.ts';
import { house_names, type Path } from './words.ts';

/** What a flow's values are, as far as its questions and the actions' schemas tell. */

interface ValueType {
  schema: z.ZodType;
  /** Whether it may be missing although what holds it is there. */
  optional: boolean;
}

export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'object' | 'any';

/** The type at the end of a path, or what is wrong with the path. */
export function typeAt(
  flow: Flow,
  actions: Actions,
  path: Path,
): { type: ValueType } | { problem: string } | undefined {
  const [root, ...keys] = path;
  const schema = rootType(flow, actions, root);
  return schema && typeInside({ schema, optional: false }, keys, root);
}

/** The type at these keys of a value. */
export function typeInside(
  holder: ValueType,
  keys: readonly string[],
  called: string,
): { type: ValueType } | { problem: string } {
  let type = bare(holder);
  let name = called;
  for (const key of keys) {
    const { schema, optional } = type;
    if (kindOf(schema) === 'any') return { type };
    if (!(schema instanceof z.ZodObject)) return { problem: `"${name}" has no "${key}"` };
    const inner: unknown = Object.hasOwn(schema.shape, key) ? schema.shape[key] : undefined;
    if (!(inner instanceof z.ZodType)) {
      const parts = Object.keys(schema.shape).join(', ');
      return { problem: `"${name}" has no "${key}"${parts === '' ? '' : `; it has ${parts}`}` };
    }
    type = bare({ schema: inner, optional });
    name = `${name}.${key}`;
  }
  return { type };
}

function bare({ schema, optional }: ValueType): ValueType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return bare({ schema: schema.unwrap() as z.ZodType, optional: true });
  if (schema instanceof z.ZodDefault)
    return bare({ schema: schema.unwrap() as z.ZodType, optional });
  if (schema instanceof z.ZodPipe) return bare({ schema: schema.out as z.ZodType, optional });
  return { schema, optional };
}

function rootType(flow: Flow, actions: Actions, root: string): z.ZodType | undefined {
  if (house_names.some((name) => name === root)) return z.string();
  const step = flow.steps.get(root);
  if (step?.kind === 'ask') return answerType(flow, actions, step);
  for (const other of flow.steps.values())
    if (other.kind === 'do' && other.as === root) return actions[other.action]?.output ?? z.any();
  return undefined;
}

const typed_values: Readonly<Record<AskType, z.ZodType>> = {
  text: z.string(),
  name: z.string(),
  money: z.string(),
  number: z.number(),
  date: z.string(),
  phone: z.string(),
  pin: z.string(),
  code: z.string(),
  image: Attachment,
  document: Attachment,
  location: Location,
};

/** What a question with options is set to when what it may be answered with was typed. */
export const typed_instead = 'typed';

function answerType(flow: Flow, actions: Actions, step: AskStep): z.ZodType | undefined {
  const { answers } = step;
  switch (answers.of) {
    case 'typed':
      return typed_values[answers.type];
    case 'options':
      return z.enum([
        ...answers.options.map((option) => option.id),
        ...(answers.typed === undefined ? [] : [typed_instead]),
      ]);
    case 'menu':
      return undefined;
    case 'list':
      // A list that comes from its own choice would never end here.
      return answers.from[0] === step.name ? z.any() : itemType(flow, actions, answers.from);
  }
}

/** What one thing of the list at this path is; undefined when there is no list. */
export function itemType(flow: Flow, actions: Actions, from: Path): z.ZodType | undefined {
  const found = typeAt(flow, actions, from);
  if (!found || 'problem' in found) return undefined;
  const { schema } = found.type;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return kindOf(schema) === 'any' ? z.any() : undefined;
}

export function kindOf(schema: z.ZodType): Kind {
  if (schema instanceof z.ZodArray) return 'list';
  if (schema instanceof z.ZodObject) return 'object';
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (schema instanceof z.ZodString || schema instanceof z.ZodEnum) return 'text';
  return schema instanceof z.ZodStringFormat ? 'text' : 'any';
}

/** Every name that a flow's steps may give a value. */
export function valueNamesOf(flow: Flow): Set<string> {
  const names = Array.from(flow.steps.values(), (step) => {
    if (step.kind === 'do') return step.as;
    return step.kind === 'ask' && step.answers.of !== 'menu' ? step.name : undefined;
  });
  return new Set(names.filter((name) => name !== undefined));
}

/** The names of the answers that must never be kept. */
export function secretsOf(flow: Flow): Set<string> {
  const secrets = Array.from(flow.steps.values()).filter(
    (step) => step.kind === 'ask' && isSecret(step),
  );
  return new Set(secrets.map((step) => step.name));
}
