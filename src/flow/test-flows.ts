import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import type { Flow, Flows } from './definition.ts';
import type { StepEvent } from './session.ts';
import { FlowFindings, readSource } from './source.ts';
import { type Played, playTranscript, readTranscript } from './transcript.ts';

/** All transcripts of a folder, and what of the flows they do not touch. */

export interface Tested {
  transcripts: number;
  findings: string[];
  /** Steps and refusals that no transcript comes to, as `file:line:column message`. */
  untouched: string[];
}

// As a text names the house.
const sample_house = {
  shop: 'Duka',
  help: '0722000000',
  paybill: '600000',
  ussd: '*384*123456#',
};

/** Plays the transcripts; `update` writes down what is heard instead of what was written. */
export async function testFlows(folder: string, flows: Flows, update = false): Promise<Tested> {
  const files = (await readdir(folder)).filter((name) => /^[^.]+\.[^.]+\.yaml$/.test(name)).sort();
  const called = basename(folder);
  const findings: string[] = [];
  const events: StepEvent[] = [];
  for (const file of files) {
    const path = join(folder, file);
    const text = await readFile(path, 'utf8');
    try {
      const transcript = readTranscript(`${called}/${file}`, text);
      const played = playTranscript(flows, transcript, sample_house);
      events.push(...played.events);
      if (update && played.heard.size > 0) await writeFile(path, rewritten(text, played));
      else findings.push(...played.findings);
    } catch (error) {
      if (!(error instanceof FlowFindings)) throw error;
      findings.push(...error.findings);
    }
  }
  const untouched = Array.from(flows.flows.values()).flatMap((flow) =>
    untouchedOf(flow, `${called}/${flow.name}.yaml`, events),
  );
  return { transcripts: files.length, findings, untouched };
}

function rewritten(text: string, { heard }: Played): string {
  const doc = parseDocument(text);
  for (const [index, words] of heard) {
    const both = doc.getIn(['say', index, 'hears']);
    if (typeof both === 'string') doc.setIn(['say', index, 'hears'], words.en ?? words.sw);
    else
      for (const [language, said] of Object.entries(words))
        doc.setIn(['say', index, 'hears', language], said);
  }
  return doc.toString({ lineWidth: 0 });
}

function untouchedOf(flow: Flow, file: string, events: readonly StepEvent[]): string[] {
  const source = readSource(file, flow.content);
  const own = events.filter((event) => event.flow === flow.name);
  const touched = new Set(own.map((event) => `${event.step} ${event.what} ${event.code ?? ''}`));
  return Array.from(flow.steps.values()).flatMap((step) => {
    const at = ['steps', step.name];
    if (!touched.has(`${step.name} entered `))
      return [`${source.placeOf(at)} no transcript comes to "${step.name}"`];
    if (step.kind !== 'do') return [];
    return Array.from(step.refusals.keys())
      .filter((code) => !touched.has(`${step.name} refused ${code}`))
      .map((code) => `${source.placeOf([...at, 'else', code])} nobody is refused "${code}"`);
  });
}
