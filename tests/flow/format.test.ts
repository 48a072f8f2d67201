import { expect, test } from 'vitest';
import { readEarlier } from '../../src/flow/load.ts';
import { actions, Chat, findingsOf, loadFiles } from './chat.ts';
import { menu, refund } from './own-flows.ts';

const just_refund = menu.replace('[refund, approve]', '[refund]');

const survey = `
flow: survey
steps:
  stars: { ask: { en: How many stars?, sw: Nyota ngapi? }, type: number, min: 1, max: 5 }
  thanks: { end: { en: "{stars} stars. Thank you.", sw: "Nyota {stars}. Asante." } }
`;
const visit = `
flow: visit
start: { words: { en: [visit], sw: [tembelea] }, menu: { en: Visit, sw: Tembelea } }
steps:
  day: { ask: { en: Which day?, sw: Siku gani? }, type: date }
  hello: { say: { en: "On {day|date}.", sw: "Tarehe {day|date}." } }
  rate: { call: survey }
  more: { ask: { en: Anything else?, sw: Kuna lingine? }, type: text, optional: true }
  done: { end: { en: "Noted for {day|date}.", sw: "Tumeandika {day|date}." } }
`;
const calling = await loadFiles({ survey, visit });

test('a flow that is called leads back, with its last words above', () => {
  const chat = new Chat(calling, { channel: 'ussd' });
  chat.say('visit');
  expect(chat.say('3 Feb')).toBe('On 3 Feb.\nHow many stars?\n0 Back');
  expect(chat.say('9')).toMatch(/^Please write a number we can take/);
  expect(chat.say('4')).toBe('4 stars. Thank you.\nAnything else?\n0 Back');
  expect(chat.say('no')).toBe('Noted for 3 Feb.');
});

test('the way back leads out of a flow that was called, and stop stops both', () => {
  const chat = new Chat(calling);
  chat.say('visit');
  chat.say('3 Feb');
  expect(chat.say('back')).toBe('Which day?');
  expect(chat.say('4 Feb')).toMatch(/^On 4 Feb\.\nHow many/);
  expect(chat.say('stop')).toBe(
    'Stopped: Visit. To begin again, reply VISIT. For everything else, reply MENU. No more reminders: STOP again.',
  );
  expect(chat.over).toBe(true);
});

test('a person of the house is asked for', async () => {
  const flows = await loadFiles({
    person: `
flow: person
start: { words: { en: [person], sw: [mhudumu] } }
steps:
  over: { handoff: $handoff_on }
`,
  });
  const chat = new Chat(flows);
  expect(chat.say('person')).toMatch(/^A person from Duka will answer you here\./);
  expect(chat.last).toMatchObject({ next: 'over', handoff: true });
});

const files = { refund, menu: just_refund };
const before = await loadFiles(files);
const changed = refund
  .replace('  explain:\n', '  details:\n')
  .replace('to: explain', 'to: details')
  .replace('reason: explain?', 'reason: details?');

/** Somebody who began before the file changed, and goes on after. */
function across(flows: typeof before, ...said: string[]): Chat {
  const chat = new Chat(before, { channel: 'ussd' });
  for (const it of ['refund', ...said]) chat.say(it);
  chat.flows = flows;
  return chat;
}

test('who began on another file is told, and begins again', async () => {
  const flows = await loadFiles({ refund: changed, menu: just_refund });
  expect(across(flows, '1', '2').say('burnt')).toMatch(
    /^This menu was changed while you were in it\. No request was sent\. Please begin again\.\nMenu\?/,
  );
});

test('steps that were renamed are gone on with, answers too', async () => {
  const renamed = changed.replace('steps:', 'renamed: { explain: details }\nsteps:');
  const flows = await loadFiles({ refund: renamed, menu: just_refund });
  const waiting = across(flows, '1', '2');
  expect(waiting.say('burnt')).toMatch(/^How much\? Up to KES 500/);
  const later = across(flows, '1', '2', 'burnt');
  later.say('400');
  later.say('1');
  expect(later.ran.at(-1)?.input).toEqual({ order: 'o1', amount: '400.00', reason: 'burnt' });
});

test('what a renamed step needs and nobody was asked is not made up', async () => {
  const renamed = changed
    .replace('steps:', 'renamed: { reason: amount, explain: details }\nsteps:')
    .replace(/ {2}reason:\n[^]*? {4}to: amount\n/, '')
    .replaceAll('{order.ref}?"', '{order.ref} {sure}?"')
    .replace(
      '  amount:\n',
      '  sure: { ask: { en: Sure?, sw: Hakika? }, pick: { yes: { en: Yes, sw: Ndiyo } } }\n  amount:\n',
    );
  const flows = await loadFiles({ refund: renamed, menu: just_refund });
  expect(across(flows, '1').say('1')).toMatch(/^This menu was changed/);
});

test('the content that a session began on is gone on with while it is known', async () => {
  const flows = await loadFiles({ refund: changed, menu: just_refund });
  const [old] = [before.flows.get('refund')!];
  flows.earlier.set(old.hash, readEarlier(flows, 'refund', old.content)!);
  const chat = across(flows, '1', '2');
  expect(chat.say('burnt')).toMatch(/^How much\?/);
  chat.say('400');
  expect(chat.say('1')).toBe('Ref RF-9.');
  expect(chat.ran.at(-1)?.input).toEqual({ order: 'o1', amount: '400.00', reason: 'burnt' });
});

test('a file whose actions are gone is not gone on with', async () => {
  const { 'orders.refund': _, ...others } = actions;
  const flows = await loadFiles({ survey }, others);
  expect(readEarlier(flows, 'refund', refund)).toBeUndefined();
});

const done = '  done: { end: { en: Done., sw: Tayari. } }';
const long = 'far too long '.repeat(14).trim();

test.each([
  [
    'a time that is none',
    `flow: x\nidle: { ussd: 2 minutes, then: end }\nsteps:\n${done}\n`,
    ['flows/x.yaml:2:9 this is a time such as 90s, 2m, 24h or 7d'],
  ],
  [
    'an idle flow that says not what then',
    `flow: x\nidle: { ussd: 2m }\nsteps:\n${done}\n`,
    ['flows/x.yaml:2:1 missing key "then"'],
  ],
  [
    'a step that is renamed to none',
    `flow: x\nrenamed: { old: new, done: done }\nsteps:\n${done}\n`,
    [
      'flows/x.yaml:2:12 there is no step "new"',
      'flows/x.yaml:2:22 the step "done" is still there',
    ],
  ],
  [
    'a call of no flow',
    `flow: x\nsteps:\n  a: { call: nowhere }\n${done}\n`,
    ['flows/x.yaml:3:8 there is no flow "nowhere"'],
  ],
  [
    'a call that goes round',
    `flow: x\nsteps:\n  a: { call: x }\n${done}\n`,
    ['flows/x.yaml:3:8 "x" calls itself in the end'],
  ],
  [
    'a photo where nobody can send one',
    `flow: x\nsteps:\n  a: { ask: { en: Photo?, sw: Picha? }, type: image, on: [whatsapp, ussd] }\n${done}\n`,
    ['flows/x.yaml:3:3 "image" can be sent on WhatsApp only: say on: [whatsapp]'],
  ],
  [
    'a copy that is no SMS',
    `flow: x\nsteps:\n  a: { end: { en: Done., sw: Tayari. }, also: { sms: { en: "${long}", sw: Tayari } } }\n`,
    ['flows/x.yaml:3:56 this can take 181 characters, and an SMS has 160'],
  ],
  [
    'a call after which the screen is too small',
    `flow: x\nsteps:\n  a: { call: told }\n  b: { end: { en: "${long.slice(0, 120)}", sw: Tayari } }\n`,
    [
      'flows/x.yaml:4:15 this, with what is said before it, can take 171 characters, and a USSD page has 160 for it',
    ],
  ],
])('the loader finds %s', async (_, x, found) => {
  const told = `flow: told\nsteps:\n  a: { end: { en: "${'o'.repeat(50)}", sw: Sawa } }\n`;
  expect(await findingsOf({ x, told })).toEqual(found);
});

test('a flow cannot call one that is not open for everybody there', async () => {
  const closed = `flow: closed\nneeds: [admin]\nsteps:\n${done}\n`;
  const x = `flow: x\nneeds: [admin, customer]\nsteps:\n  a: { call: closed }\n${done}\n`;
  expect(await findingsOf({ x, closed })).toEqual([
    'flows/x.yaml:4:8 "closed" is not open for everybody who gets here',
  ]);
  expect(await findingsOf({ x: x.replace(', customer', ''), closed })).toEqual([]);
});
