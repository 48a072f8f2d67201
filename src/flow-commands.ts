import type { ExitCode } from './exit.ts';
import { languages } from './flow/action.ts';
import { described } from './flow/describe.ts';
import { mermaidOf } from './flow/graph.ts';
import { FlowFindings, type Flows, loadFlows } from './flow/load.ts';
import { loadMessages, templateText } from './flow/messages.ts';
import { testFlows } from './flow/test-flows.ts';
import { actions } from './registry.ts';
import { flows_folder } from './serve.ts';

/** What is done with conversations on the command line. */

/** Says whether every conversation is right, and otherwise where not. */
export async function checkFlows(): Promise<ExitCode> {
  const flows = await read();
  if (!flows) return 1;
  print('Every conversation is right.');
  return 0;
}

/** What conversations can do, as flows name it: what each action takes, gives and refuses. */
export async function printActions(): Promise<ExitCode> {
  for (const [name, action] of Object.entries(actions).sort()) {
    const { input, output, refusals } = action;
    print(`${name}\n  takes   ${described(input)}\n  gives   ${described(output)}`);
    print(`  refuses ${['down', ...refusals].join(', ')}\n`);
  }
  return 0;
}

/** Plays the transcripts, and says which steps and refusals none comes to. */
export async function testAllFlows(update: boolean, as_json: boolean): Promise<ExitCode> {
  const flows = await read();
  if (!flows) return 1;
  const { transcripts, findings, untouched } = await testFlows(flows_folder, flows, update);
  if (as_json) print(JSON.stringify({ transcripts, findings, untouched }));
  else {
    for (const finding of findings) process.stderr.write(`${finding}\n`);
    // A transcript that goes wrong does not come to what it would have come to.
    const left = findings.length > 0 ? [] : untouched;
    for (const line of left) print(line);
    const coverage = findings.length > 0 ? '' : `, ${untouched.length} not come to`;
    print(`${transcripts} transcripts, ${findings.length} findings${coverage}.`);
  }
  return findings.length === 0 ? 0 : 1;
}

/** Prints one conversation as a diagram. */
export async function graphFlow(name: string): Promise<ExitCode> {
  const flows = await read();
  if (!flows) return 1;
  const flow = flows.flows.get(name);
  if (!flow) {
    const all = [...flows.flows.keys()].join(', ');
    process.stderr.write(`There is no conversation ${name}. There are ${all}.\n`);
    return 1;
  }
  print(mermaidOf(flow));
  return 0;
}

/** Prints what Meta has to approve, so that people can be told who have not written for a day. */
export async function printTemplates(): Promise<ExitCode> {
  const messages = await loadMessages(flows_folder);
  const templates = Array.from(messages.keys()).flatMap((name) =>
    languages.map((language) => ({
      name,
      language,
      category: 'UTILITY',
      body: templateText(messages, name, language),
    })),
  );
  print(JSON.stringify(templates, null, 2));
  return 0;
}

async function read(): Promise<Flows | undefined> {
  try {
    await loadMessages(flows_folder);
    return await loadFlows(flows_folder, actions);
  } catch (error) {
    if (!(error instanceof FlowFindings)) throw error;
    for (const finding of error.findings) process.stderr.write(`${finding}\n`);
    process.stderr.write('There may be more once these are right.\n');
    return undefined;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
