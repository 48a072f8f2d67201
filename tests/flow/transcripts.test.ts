import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadFlows } from '../../src/flow/load.ts';
import { mermaidOf } from '../../src/flow/graph.ts';
import { testFlows } from '../../src/flow/test-flows.ts';
import { actions, flows_folder, loadFiles } from './chat.ts';
import { menu, refund } from './own-flows.ts';

test('the shipped conversations go as their transcripts say, and none leaves a step out', async () => {
  const flows = await loadFlows(flows_folder, actions);
  const tested = await testFlows(flows_folder, flows);
  expect(tested.findings).toEqual([]);
  expect(tested.untouched).toEqual([]);
  expect(tested.transcripts).toBeGreaterThanOrEqual(flows.flows.size);
});

const flows = await loadFiles({ refund, menu: menu.replace('[refund, approve]', '[refund]') });
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'karani-flows-'));
});
afterEach(() => rm(folder, { recursive: true }));

const good = `flow: refund
as: { roles: [customer], on: [whatsapp, ussd] }
actions:
  orders.list: [{ id: o1, ref: ORD-12, total: 500 }]
  orders.refund: { in_turn: [{ refusal: over_limit }, { ref: RF-9 }] }
say:
  - { start: refund, at: order }
  - { in: "1" }
  - { in: "1", at: amount }
  - { in: "900", at: amount, hears: { en: "Enter KES 10 to KES 500.", sw: "Weka KES 10 hadi KES 500." } }
  - { in: "450", at: confirm }
  - { in: "1", at: amount }
  - { in: "400" }
  - { in: "1", ran: { orders.refund: { order: o1, amount: 400 } }, ends: true }
`;

async function played(text: string, update = false) {
  const file = join(folder, 'refund.late.yaml');
  await writeFile(file, text);
  const { findings } = await testFlows(folder, flows, update);
  const called = folder.split('/').at(-1) ?? '';
  return findings.map((finding) => finding.replace(`${called}/refund.late.yaml:`, ''));
}

test('a transcript is played in every language on every channel, with what actions answer', async () => {
  expect(await played(good)).toEqual([]);
  const { untouched } = await testFlows(folder, flows);
  expect(untouched.map((line) => line.replace(/^.*?:/, '')).slice(0, 3)).toEqual([
    '4:3 no transcript comes to "choose"',
    '6:48 nobody is refused "none"',
    '6:63 nobody is refused "down"',
  ]);
});

test.each([
  [
    'another step waits',
    good.replace('at: confirm', 'at: explain'),
    ['11:18 the step that waits is "confirm" (whatsapp, en)'],
  ],
  [
    'something else is heard',
    good.replace('KES 500.", sw', 'KES 600.", sw'),
    ['10:39 what is heard: "Enter KES 10 to KES 500." (whatsapp, en)'],
  ],
  [
    'an action is given something else',
    good.replace('amount: 400', 'amount: 300'),
    ['14:51 this was "400.00" (whatsapp, en)'],
  ],
  [
    'the conversation goes on',
    good.replace('"450", at: confirm', '"450", ends: true'),
    ['11:18 the conversation goes on (whatsapp, en)'],
  ],
  [
    'the conversation is over',
    `${good}  - { in: "1" }\n`,
    ['15:5 the conversation is over already (whatsapp, en)'],
  ],
  [
    'an action was not said',
    good.replace(/ {2}orders.list:.*\n/, ''),
    ['6:5 orders.list runs here, and actions has no answer of it (whatsapp, en)'],
  ],
  [
    'an answer is left over',
    good.replace('{ ref: RF-9 }] }', '{ ref: RF-9 }, { ref: RF-10 }] }'),
    ['5:3 this is answered 2 times (whatsapp, en)'],
  ],
  ['it is not of the form', good.replace('at: order', 'it: order'), ['7:22 unknown key "it"']],
])('a transcript that is wrong is found: %s', async (_, text, found) => {
  expect(await played(text)).toEqual(expect.arrayContaining(found));
});

test('what is heard is written down, and nothing else of the file changes', async () => {
  const old = good.replace('Enter KES 10 to', 'Enter at least');
  expect(await played(old, true)).toEqual([]);
  const text = await readFile(join(folder, 'refund.late.yaml'), 'utf8');
  expect(text).toContain('Enter KES 10 to KES 500.');
  await cp(join(folder, 'refund.late.yaml'), join(folder, 'refund.again.yaml'));
  expect((await testFlows(folder, flows)).findings).toEqual([]);
});

test('a conversation is drawn: every step once, and every way out of it', () => {
  const drawn = mermaidOf(flows.flows.get('refund')!).split('\n');
  expect(drawn).toContain('  _find["orders.list"]');
  expect(drawn).toContain('  _find -->|"none"| _nothing');
  expect(drawn).toContain('  _reason -->|"other"| _explain');
  expect(drawn.filter((line) => line.startsWith('  _confirm('))).toHaveLength(1);
});
