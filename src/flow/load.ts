import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { type Actions, languages } from './action.ts';
import { checkAlphabet, checkScreens, longestValue } from './check-screens.ts';
import { checkValues } from './check-values.ts';
import { checkWays } from './check-ways.ts';
import { compileFlow, type Draft } from './compile.ts';
import { readText } from './compile-step.ts';
import { engine_texts, type Flow, type Flows, sent_types } from './definition.ts';
import { type Step, WordsText } from './definition.ts';
import { guessFlow } from './guess.ts';
import { isEnginesWord } from './navigation.ts';
import { gsm7Length } from './gsm7.ts';
import { ussd_page } from './render.ts';
import { FlowFindings, readSource, type Source, shaped } from './source.ts';
import { house_names, slotsOf, type Text } from './words.ts';

export { FlowFindings } from './source.ts';
export type { Flows } from './definition.ts';

const shared_file = '_shared.yaml';

/**
 * Reads every conversation of a folder and checks it for every language and channel. Throws
 * FlowFindings with everything that is wrong, each as `file:line:column message`.
 */
export async function loadFlows(folder: string, actions: Actions): Promise<Flows> {
  // NAME.WORDS.yaml is a transcript of NAME.
  const files = (await readdir(folder)).filter((name) => /^[^.]+\.yaml$/.test(name)).sort();
  const called = basename(folder);
  const shared_text = files.includes(shared_file)
    ? await readFile(join(folder, shared_file), 'utf8')
    : '';
  const shared_source = readSource(`${called}/${shared_file}`, shared_text);
  const shared = readShared(shared_source);
  const sources = [shared_source];
  const drafts: Draft[] = [];
  for (const file of files) {
    if (file.startsWith('_')) continue;
    const text = await readFile(join(folder, file), 'utf8');
    const source = readSource(`${called}/${file}`, text);
    sources.push(source);
    const name = file.slice(0, -'.yaml'.length);
    const draft = source.data === undefined ? undefined : compileFlow(source, text, name, shared);
    if (draft) drafts.push(draft);
  }
  const flows = new Map(drafts.map((draft) => [draft.flow.name, draft.flow]));
  checkOthers(drafts, flows);
  for (const draft of drafts) {
    checkWays(draft, shared);
    checkValues(draft, actions);
    checkChannels(draft);
    if (!goesRound(flows, draft.flow)) checkScreens(draft, actions, flows);
  }
  const starts = collectStarts(drafts);
  const findings = sources.flatMap((source) => source.findings());
  if (findings.length > 0) throw new FlowFindings(findings);
  return { flows, earlier: new Map(), guess: guessFlow(shared), shared, starts, actions };
}

/**
 * A flow as its file was once, if what it says can still be done: its actions, shared texts and the
 * flows that it calls are today's.
 */
export function readEarlier(flows: Flows, name: string, content: string): Flow | undefined {
  const source = readSource(name, content);
  const draft =
    source.data === undefined ? undefined : compileFlow(source, content, name, flows.shared);
  if (!draft) return undefined;
  checkOthers([draft], flows.flows);
  checkWays(draft, flows.shared);
  checkValues(draft, flows.actions);
  return source.findings().length === 0 ? draft.flow : undefined;
}

// What a shared text may name besides the house's values.
const own_slots = new Map([
  ['did_you_mean', ['word', 'meant']],
  ['passed_on', ['who']],
  ['given_back', ['who']],
  ['stopped', ['title', 'word']],
  ['stopped_ussd', ['title', 'word']],
]);

function readShared(source: Source): Map<string, Text> {
  const data = shaped(source, [], z.record(z.string(), z.unknown()), source.data ?? {});
  const shared = new Map<string, Text>();
  for (const [name, value] of Object.entries(data ?? {})) {
    const words = shaped(source, [name], WordsText, value);
    const text = words === undefined ? undefined : readText(source, [name], words, shared);
    if (!text) continue;
    shared.set(name, text);
    checkAlphabet(source, [name], text);
    for (const language of languages) checkSharedText(source, [name, language], text[language]);
  }
  for (const name of engine_texts)
    if (!data || !(name in data)) source.report([], `missing text "${name}"`);
  return shared;
}

function checkSharedText(source: Source, keys: [string, string], template: Text['en']): void {
  const known = [...house_names, ...(own_slots.get(keys[0]) ?? [])];
  let length = 0;
  for (const part of template)
    length += typeof part === 'string' ? gsm7Length(part) : longestValue(part, z.string());
  for (const { path } of slotsOf(template))
    if (!known.includes(path.join('.'))) source.report(keys, `nothing sets "${path.join('.')}"`);
  if (length > ussd_page)
    source.report(
      keys,
      `this can take ${length} characters, and a USSD page has ${ussd_page} for it`,
    );
}

function checkOthers(drafts: readonly Draft[], flows: Flows['flows']): void {
  for (const { flow, source } of drafts)
    for (const step of flow.steps.values()) {
      if (step.kind === 'call') checkCall(flow, source, step, flows);
      if (step.kind !== 'ask' || step.answers.of !== 'menu') continue;
      step.answers.flows.forEach((name, index) => {
        const at = ['steps', step.name, 'pick', 'menu', index];
        const named = flows.get(name);
        if (!named) source.report(at, `there is no flow "${name}"`);
        else if (!named.title) source.report(at, `the flow "${name}" has no start.menu to show`);
      });
    }
}

function checkCall(
  flow: Flow,
  source: Source,
  step: Extract<Step, { kind: 'call' }>,
  flows: Flows['flows'],
): void {
  const report = (message: string) => source.report(['steps', step.name, 'call'], message);
  const called = flows.get(step.flow);
  if (!called) return report(`there is no flow "${step.flow}"`);
  if (goesRound(flows, called)) return report(`"${step.flow}" calls itself in the end`);
  const lacking = called.needs && !flow.needs?.every((role) => called.needs?.includes(role));
  if (lacking) report(`"${step.flow}" is not open for everybody who gets here`);
}

/** Whether a flow leads to itself by calls. */
function goesRound(flows: Flows['flows'], flow: Flow): boolean {
  const reached = new Set<Flow>();
  const open = [flow];
  for (let now = open.pop(); now; now = open.pop())
    for (const step of now.steps.values()) {
      const called = step.kind === 'call' ? flows.get(step.flow) : undefined;
      if (called === flow) return true;
      if (!called || reached.has(called)) continue;
      reached.add(called);
      open.push(called);
    }
  return false;
}

/** What is sent rather than typed can be sent on WhatsApp alone. */
function checkChannels({ flow, source }: Draft): void {
  for (const { name, on, ...step } of flow.steps.values()) {
    if (step.kind !== 'ask' || step.answers.of !== 'typed') continue;
    const { type } = step.answers;
    const sent = sent_types.some((it) => it === type);
    if (sent && (!on || on.some((channel) => channel !== 'whatsapp')))
      source.report(['steps', name], `"${type}" can be sent on WhatsApp only: say on: [whatsapp]`);
  }
}

function collectStarts(drafts: readonly Draft[]): Map<string, string> {
  const starts = new Map<string, string>();
  for (const { flow, source } of drafts)
    for (const language of languages)
      flow.start_words[language].forEach((word, index) => {
        const at = ['start', 'words', language, index];
        const taken = starts.get(word);
        if (isEnginesWord(word)) source.report(at, `the word "${word}" is the engine's own`);
        else if (/^\d*$/.test(word)) source.report(at, `"${word}" is not a word`);
        else if (taken !== undefined && taken !== flow.name)
          source.report(at, `the word "${word}" already begins ${taken}`);
        else starts.set(word, flow.name);
      });
  return starts;
}
