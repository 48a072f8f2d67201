import { sha256 } from '../base/secrets.ts';
import { readStep, readText } from './compile-step.ts';
import { channels } from './action.ts';
import { type Flow, FlowHead, type Idle, normal, type Step } from './definition.ts';
import { type Source, shaped } from './source.ts';
import { surelySet } from './ways.ts';
import type { Text } from './words.ts';

/** From a file as its author wrote it to what the engine runs; what cannot be read is reported. */

/** A flow that was read, with what the later checks need to know of its file. */
export interface Draft {
  source: Source;
  flow: Flow;
  /** Every step that the file names, also one that could not be read. */
  names: ReadonlySet<string>;
  /** Whether every step could be read: only then is the whole judged. */
  whole: boolean;
}

// Part of every hash: another number when sessions of an older engine must not be continued.
const session_format = 2;

export function compileFlow(
  source: Source,
  text: string,
  expected_name: string,
  shared: ReadonlyMap<string, Text>,
): Draft | undefined {
  const head = shaped(source, [], FlowHead, source.data);
  if (!head) return undefined;
  if (head.flow !== expected_name)
    source.report(['flow'], `the flow in ${expected_name}.yaml must be called "${expected_name}"`);
  const names = new Set(Object.keys(head.steps));
  const [first] = names;
  if (first === undefined) {
    source.report(['steps'], 'a flow needs at least one step');
    return undefined;
  }
  const steps = new Map<string, Step>();
  const all = [...names];
  const value_names = valueNames(head);
  all.forEach((name, index) => {
    const reading = { source, shared, value_names, name, follows: all[index + 1] };
    const step = readStep(reading, head.steps[name]);
    if (step) steps.set(name, step);
  });
  const start_words = {
    en: (head.start?.words.en ?? []).map(normal),
    sw: (head.start?.words.sw ?? []).map(normal),
  };
  const title = head.start?.menu
    ? readText(source, ['start', 'menu'], head.start.menu, shared)
    : undefined;
  const hash = sha256(`${session_format}\n${text}`).toString('hex').slice(0, 16);
  const renamed = head.renamed && new Map(Object.entries(head.renamed));
  for (const [old, now] of renamed ?? []) {
    if (!names.has(now)) source.report(['renamed', old], `there is no step "${now}"`);
    if (names.has(old)) source.report(['renamed', old], `the step "${old}" is still there`);
  }
  const flow: Flow = {
    name: head.flow,
    content: text,
    hash,
    start_words,
    title,
    needs: head.needs,
    folders: foldersIn(steps.values()),
    idle: readIdle(head.idle),
    renamed,
    first,
    steps,
    sure: surelySet({ first, steps }),
  };
  return { source, flow, names, whole: steps.size === names.size };
}

function foldersIn(steps: Iterable<Step>): string[] {
  const actions = Array.from(steps).flatMap((step) => (step.kind === 'do' ? step.action : []));
  return Array.from(new Set(actions.map((action) => action.replace(/\..*$/, ''))));
}

const usual_idle = { ussd: '2m', whatsapp: '24h', sms: '24h' } as const;
const unit_ms: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function readIdle(given: FlowHead['idle']): Idle {
  const after = channels.map((channel) => {
    const text = given?.[channel] ?? usual_idle[channel];
    return [channel, Number(text.slice(0, -1)) * (unit_ms[text.slice(-1)] ?? 0)] as const;
  });
  const after_ms = Object.fromEntries(after) as Idle['after_ms'];
  return { after_ms, redial: given !== undefined, way: given?.then ?? 'end' };
}

// What a condition's right side may begin with to be a path.
function valueNames(head: FlowHead): Set<string> {
  const names = Object.entries(head.steps).flatMap(([name, step]) => {
    if (typeof step !== 'object' || step === null) return [];
    if ('ask' in step) return [name];
    return 'as' in step && typeof step.as === 'string' ? [step.as] : [];
  });
  return new Set(names);
}
