import { sha256 } from '../base/secrets.ts';
import { readStep, readText } from './compile-step.ts';
import { type Flow, FlowHead, normal, type Step } from './definition.ts';
import { type Source, shaped } from './source.ts';
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
const session_format = 1;

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
  const flow = { name: head.flow, hash, start_words, title, needs: head.needs, first, steps };
  return { source, flow, names, whole: steps.size === names.size };
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
