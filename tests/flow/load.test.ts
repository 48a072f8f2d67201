import { expect, test } from 'vitest';
import { actions, findingsOf, flows_folder, loadFiles } from './chat.ts';
import { loadFlows } from '../../src/flow/load.ts';

// A flow named x whose steps stand from line 3 on.
const steps = (text: string) => ({ x: `flow: x\nsteps:\n${text}\n` });
const done = '  done: { end: { en: Done., sw: Tayari. } }';
const question = (rest: string) =>
  `  q:\n    ask: { en: How many?, sw: Ngapi? }\n    type: number\n${rest}\n${done}`;

test('the shipped conversations are right for every language and channel', async () => {
  const { flows } = await loadFlows(flows_folder, actions);
  expect([...flows.keys()]).toEqual([
    'add_staff',
    'approve',
    'balance',
    'change_number',
    'claim',
    'customers',
    'invoice',
    'invoices',
    'language',
    'link',
    'menu',
    'merge',
    'move',
    'new_number',
    'paid',
    'pay',
    'payments',
    'pdf',
    'person',
    'remove_staff',
    'staff',
    'statement',
    'thanks',
    'today',
    'unmatched',
    'void',
  ]);
});

const wrong: [string, Record<string, string>, string[]][] = [
  [
    'YAML that cannot be read',
    steps('  a: { end: { en: One, sw: Moja }'),
    [
      'flows/x.yaml:4:1 Flow map in block collection must be sufficiently indented and end with a } (words with { } : , or # in them go in quotes)',
    ],
  ],
  [
    'an unknown key of a flow',
    { x: `flow: x\nflw: 1\nsteps:\n${done}\n` },
    ['flows/x.yaml:2:1 unknown key "flw"'],
  ],
  [
    'an unknown key of a step',
    steps(question('    trys: 3')),
    ['flows/x.yaml:6:5 unknown key "trys"'],
  ],
  [
    'a key that does not exist yet',
    { x: `flow: x\nversion: 2\nsteps:\n${done}\n` },
    ['flows/x.yaml:2:1 unknown key "version"'],
  ],
  [
    'a missing key',
    steps(`  q:\n    ask: { en: Who?, sw: Nani? }\n${done}`),
    ['flows/x.yaml:3:3 missing key "type"'],
  ],
  ['a flow without steps', { x: 'flow: x\n' }, ['flows/x.yaml:1:1 missing key "steps"']],
  [
    "a name that is not its file's",
    { x: `flow: y\nsteps:\n${done}\n` },
    ['flows/x.yaml:1:1 the flow in x.yaml must be called "x"'],
  ],
  [
    'a name that cannot be one',
    steps(`  Done: { end: { en: Done., sw: Tayari. } }`),
    ['flows/x.yaml:3:3 "Done": a name is written like_this1'],
  ],
  [
    'two kinds in a step',
    steps(`  a: { say: { en: A, sw: A }, end: { en: B, sw: B } }`),
    ['flows/x.yaml:3:3 a step has one of ask, do, say, end, call, handoff; this has say, end'],
  ],
  [
    'no kind in a step',
    steps(`  a: { to: done }\n${done}`),
    ['flows/x.yaml:3:3 a step has one of ask, do, say, end, call, handoff; this has none'],
  ],
  [
    'a value of another kind',
    steps(question('    tries: many')),
    ['flows/x.yaml:6:5 this must be a number'],
  ],
  [
    'a type that does not exist',
    steps(`  q: { ask: { en: A?, sw: B? }, type: photo }\n${done}`),
    [
      'flows/x.yaml:3:33 this must be one of text, name, money, number, date, phone, pin, code, image, location, document',
    ],
  ],
  [
    'a jump to no step',
    steps(`${question('    to: details')}\n  details2: { end: { en: A, sw: B } }`),
    [
      'flows/x.yaml:6:5 there is no step "details"; "details2" is nearest',
      'flows/x.yaml:7:3 nothing leads to this step',
      'flows/x.yaml:8:3 nothing leads to this step',
    ],
  ],
  [
    'an option that leads to no step',
    steps(
      `  q:\n    ask: { en: A?, sw: B? }\n    pick:\n      one: { en: One, sw: Moja }\n      two: { en: Two, sw: Mbili, to: nowhere }\n${done}`,
    ),
    ['flows/x.yaml:7:34 there is no step "nowhere"'],
  ],
  [
    'tries that lead nowhere',
    steps(question('    else: { tries: nowhere }')),
    ['flows/x.yaml:6:13 there is no step "nowhere"'],
  ],
  [
    'tries that lead to no text',
    steps(question('    else: { tries: $nowhere }')),
    ['flows/x.yaml:6:13 there is no shared text "$nowhere"'],
  ],
  [
    'a step that nothing leads to',
    steps(`  a: { end: { en: A, sw: B } }\n${done}`),
    ['flows/x.yaml:4:3 nothing leads to this step'],
  ],
  [
    'a way that stops short',
    steps('  a: { say: { en: A, sw: B } }'),
    ['flows/x.yaml:3:3 this way does not end: no step follows'],
  ],
  [
    'a last step that may be skipped',
    steps(
      '  q: { ask: { en: A?, sw: B? }, type: number }\n  a: { if: q > 3, end: { en: A, sw: B } }',
    ),
    ['flows/x.yaml:4:3 this way does not end: no step follows'],
  ],
  [
    'a way that only goes round',
    steps(
      `  q: { ask: { en: A?, sw: B? }, type: number, to: r }\n  r: { ask: { en: A?, sw: B? }, type: number, to: q }`,
    ),
    ['flows/x.yaml:3:3 this way does not end: it leads to no end'],
  ],
  [
    'a loop without a question',
    steps(
      `  a: { say: { en: A, sw: B } }\n  b: { if: q > 1, say: { en: A, sw: B }, to: a }\n  q: { ask: { en: A?, sw: B? }, type: number }\n${done}`,
    ),
    ['flows/x.yaml:3:3 this goes round without a question: a > b > a'],
  ],
  [
    'a loop through a refusal and used-up tries',
    steps(
      `  q: { ask: { en: A?, sw: B? }, type: number, else: { tries: send } }\n  send: { do: orders.list, as: orders, else: { none: q, down: $down } }\n${done}`,
    ),
    ['flows/x.yaml:3:3 this goes round without a question: q > send > q'],
  ],
  [
    'a value that nothing sets',
    steps('  a: { end: { en: "{refnd}", sw: "Rudisha {refund}" } }'),
    [
      'flows/x.yaml:3:15 nothing sets "refnd"',
      'flows/x.yaml:3:15 {refund} is in sw and not here',
      'flows/x.yaml:3:30 nothing sets "refund"',
      'flows/x.yaml:3:30 {refnd} is in en and not here',
    ],
  ],
  [
    'a value that a translator has left out',
    steps(`  q: { ask: { en: A?, sw: B? }, type: number }\n  a: { end: { en: "{q}", sw: Sawa } }`),
    ['flows/x.yaml:4:26 {q} is in en and not here'],
  ],
  [
    'a value that may not be set yet',
    steps(
      `  a: { say: { en: "{q}", sw: "{q}" } }\n  q: { ask: { en: A?, sw: B? }, type: number }\n${done}`,
    ),
    ['flows/x.yaml:3:15 "q" may not be set here', 'flows/x.yaml:3:26 "q" may not be set here'],
  ],
  [
    'a result on the way of its refusal',
    steps(
      `  f: { do: orders.refund, with: { order: q, amount: m }, as: refund, else: { over_limit: late, down: $down }, to: done }\n  late: { end: "{refund.ref}" }\n  q: { ask: { en: A?, sw: B? }, type: text }\n  m: { ask: { en: A?, sw: B? }, type: money }\n${done}`,
    ),
    [
      'flows/x.yaml:3:35 "q" may not be set here',
      'flows/x.yaml:3:45 "m" may not be set here',
      'flows/x.yaml:4:11 "refund" may not be set here',
      'flows/x.yaml:5:3 nothing leads to this step',
      'flows/x.yaml:6:3 nothing leads to this step',
    ],
  ],
  [
    'an answer that may be skipped',
    steps(`  q: { ask: { en: A?, sw: B? }, type: number, optional: true }\n  a: { end: "{q}" }`),
    ['flows/x.yaml:4:8 "q" may not be set here'],
  ],
  [
    'a part that may be missing',
    steps(
      `  f: { do: orders.list, as: orders, else: { none: $down, down: $down } }\n  o: { ask: { en: A?, sw: B? }, pick: { from: orders, label: "{ref}", value: id } }\n  a: { end: "{o.note}" }`,
    ),
    ['flows/x.yaml:5:8 "o.note" may not be set here'],
  ],
  [
    'a name used for two things',
    steps(`  f: { do: orders.list, as: done, else: { none: $down, down: $down } }\n${done}`),
    ['flows/x.yaml:3:25 "done" is used for two things'],
  ],
  [
    "a name that is the house's",
    steps(`  shop: { end: { en: A, sw: B } }`),
    ['flows/x.yaml:3:3 "shop" is used for two things'],
  ],
  [
    'an action that does not exist',
    steps(`  f: { do: orders.lst, else: { down: $down } }\n${done}`),
    ['flows/x.yaml:3:8 there is no action "orders.lst"'],
  ],
  [
    'inputs that do not exist or are missing',
    steps(
      `  n: { ask: { en: A?, sw: B? }, type: number }\n  f: { do: orders.count, with: { cnt: n }, else: { down: $down } }\n${done}`,
    ),
    [
      'flows/x.yaml:4:8 orders.count needs the input "count"',
      'flows/x.yaml:4:34 orders.count has no input "cnt"',
    ],
  ],
  [
    'an input of another kind',
    steps(
      `  n: { ask: { en: A?, sw: B? }, type: text }\n  f: { do: orders.count, with: { count: n }, else: { down: $down } }\n${done}`,
    ),
    ['flows/x.yaml:4:34 "n" does not fit the input "count" of orders.count'],
  ],
  [
    'an option that the action does not take',
    steps(
      `  n: { ask: { en: A?, sw: B? }, pick: { en: { en: English, sw: English }, fr: { en: French, sw: French } } }\n  f: { do: people.speak, with: { language: n }, else: { down: $down } }\n${done}`,
    ),
    ['flows/x.yaml:4:34 "n" does not fit the input "language" of people.speak'],
  ],
  [
    'a literal as an input',
    steps(`  f: { do: orders.count, with: { count: 12 }, else: { down: $down } }\n${done}`),
    ['flows/x.yaml:3:34 this is a path, never a value'],
  ],
  [
    'an output that does not exist',
    steps(
      `  f: { do: people.speak, with: { language: q }, as: it, else: { down: $down } }\n  a: { end: "{it.tongue}", if: it.tung is set }\n${done}`,
    ),
    [
      'flows/x.yaml:3:34 nothing sets "q"',
      'flows/x.yaml:4:8 "it" has no "tongue"; it has language',
      'flows/x.yaml:4:28 "it" has no "tung"; it has language',
    ],
  ],
  [
    'refusals that do not exist or are not handled',
    steps(`  f: { do: orders.list, as: orders, else: { non: done } }\n${done}`),
    [
      'flows/x.yaml:3:8 the refusal "none" is not handled',
      'flows/x.yaml:3:8 the refusal "down" is not handled',
      'flows/x.yaml:3:45 orders.list has no refusal "non"',
    ],
  ],
  [
    'a list where words belong',
    steps(
      `  f: { do: orders.list, as: orders, else: { none: $down, down: $down } }\n  a: { end: "{orders}" }`,
    ),
    ['flows/x.yaml:4:8 "orders" is a list, which does not fit here'],
  ],
  [
    'a pick from what is no list',
    steps(
      `  n: { ask: { en: A?, sw: B? }, type: text }\n  o: { ask: { en: A?, sw: B? }, pick: { from: n, label: "{ref}", value: id } }\n${done}`,
    ),
    ['flows/x.yaml:4:41 "n" is a text, which does not fit here'],
  ],
  [
    'a label of what the list has not',
    steps(
      `  f: { do: orders.list, as: orders, else: { none: $down, down: $down } }\n  o: { ask: { en: A?, sw: B? }, pick: { from: orders, label: "{rf}", value: no } }\n${done}`,
    ),
    [
      'flows/x.yaml:4:55 "orders" has no "rf"; it has id, ref, total, note',
      'flows/x.yaml:4:70 "orders" has no "no"; it has id, ref, total, note',
    ],
  ],
  [
    'a missing translation',
    steps('  a: { end: { en: Done. } }'),
    ['flows/x.yaml:3:8 missing translation "sw"'],
  ],
  [
    'letters in words for every language',
    steps('  a: { end: "Total {shop}" }'),
    ['flows/x.yaml:3:8 words with letters need both languages: { en, sw }'],
  ],
  [
    'a shared text that does not exist',
    steps('  a: { end: $nope }'),
    ['flows/x.yaml:3:8 there is no shared text "$nope"'],
  ],
  [
    'braces that do not match',
    steps('  a: { end: { en: "A {b", sw: "A {B}" } }'),
    [
      'flows/x.yaml:3:15 a { or } stands alone',
      'flows/x.yaml:3:27 {B} is not a {path} or {path|format}',
    ],
  ],
  [
    'a format that does not exist',
    steps('  a: { end: "{shop|mony}" }'),
    ['flows/x.yaml:3:8 there is no format "mony"'],
  ],
  [
    'a condition that is none',
    steps(`  a: { if: "done == 3", say: { en: A, sw: B } }\n${done}`),
    ['flows/x.yaml:3:8 a condition is a path, one of = != < <= > >= and a value, or "path is set"'],
  ],
  [
    'a bound that cannot be one',
    steps(question('    min: lots of')),
    ['flows/x.yaml:6:5 this cannot bound a number'],
  ],
  [
    'a bound of a code',
    steps(`  q: { ask: { en: A?, sw: B? }, type: phone, min: 3 }\n${done}`),
    ['flows/x.yaml:3:46 a phone has no min'],
  ],
  [
    'a word that begins another flow',
    {
      a: `flow: a\nstart: { words: { en: [go], sw: [nenda] } }\nsteps:\n${done}\n`,
      x: `flow: x\nstart: { words: { en: [Go], sw: [twende] } }\nsteps:\n${done}\n`,
    },
    ['flows/x.yaml:2:24 the word "go" already begins a'],
  ],
  [
    "a word of the engine's",
    { x: `flow: x\nstart: { words: { en: [menu], sw: [twende] } }\nsteps:\n${done}\n` },
    ['flows/x.yaml:2:24 the word "menu" is the engine\'s own'],
  ],
  [
    'a number as a word',
    { x: `flow: x\nstart: { words: { en: ["12"], sw: [twende] } }\nsteps:\n${done}\n` },
    ['flows/x.yaml:2:24 "12" is not a word'],
  ],
  [
    'a menu of flows that are not there or have no title',
    {
      a: `flow: a\nsteps:\n${done}\n`,
      x: `flow: x\nsteps:\n  q: { ask: { en: A?, sw: B? }, pick: { menu: [a, b] } }\n`,
    },
    [
      'flows/x.yaml:3:48 the flow "a" has no start.menu to show',
      'flows/x.yaml:3:51 there is no flow "b"',
    ],
  ],
  [
    'a secret in a text',
    steps(`  pin: { ask: { en: A?, sw: B? }, type: code }\n  a: { end: "{pin}" }`),
    ['flows/x.yaml:4:8 the secret "pin" may go only into the action right behind its question'],
  ],
  [
    'a secret in a later action',
    steps(
      `  code: { ask: { en: A?, sw: B? }, type: code }\n  n: { ask: { en: A?, sw: B? }, type: number }\n  f: { do: orders.approve, with: { code: code }, else: { wrong_code: code, down: $down } }\n${done}`,
    ),
    ['flows/x.yaml:5:36 the secret "code" may go only into the action right behind its question'],
  ],
  [
    'a secret that another way does not bring',
    steps(
      `  n: { ask: { en: A?, sw: B? }, type: number }\n  jump: { if: n > 3, say: { en: A, sw: B }, to: f }\n  code: { ask: { en: A?, sw: B? }, type: code }\n  f: { do: orders.approve, with: { code: code }, else: { wrong_code: code, down: $down } }\n${done}`,
    ),
    ['flows/x.yaml:6:36 "code" may not be set here'],
  ],
  [
    'a sign that USSD has not',
    steps('  a: { end: { en: It’s done., sw: Tayari. } }'),
    ['flows/x.yaml:3:15 "’" (U+2019) is not in the alphabet of USSD'],
  ],
  [
    'last words that no page holds',
    steps(`  a: { end: { en: "${'word '.repeat(40)}", sw: Sawa. } }`),
    ['flows/x.yaml:3:15 this can take 199 characters, and a USSD page has 160 for it'],
  ],
  [
    'last words that no page holds with what is said before',
    steps(
      `  s: { say: { en: "${'word '.repeat(20)}", sw: Sawa. } }\n  a: { end: { en: "${'word '.repeat(20)}", sw: Sawa. } }`,
    ),
    [
      'flows/x.yaml:4:15 this, with what is said before it, can take 199 characters, and a USSD page has 160 for it',
    ],
  ],
  [
    'a question that no page holds',
    steps(`  q: { ask: { en: A?, sw: "${'neno '.repeat(30)}" }, type: number }\n${done}`),
    ['flows/x.yaml:3:23 this can take 149 characters, and a USSD page has 144 for it'],
  ],
  [
    'an option that no page holds',
    steps(
      `  q: { ask: { en: A?, sw: B? }, pick: { a: { en: "${'neno '.repeat(30)}", sw: B } } }\n${done}`,
    ),
    ['flows/x.yaml:3:46 this can take 152 characters, and a USSD page has 144 for it'],
  ],
];

test.each(wrong)('the loader finds %s', async (_, files, found) => {
  expect(await findingsOf(files)).toEqual(found);
});

test('a file that is empty or no map is found', async () => {
  expect(await findingsOf({ x: '', y: '- a\n' })).toEqual([
    'flows/x.yaml:1:1 this must be a map of keys',
    'flows/y.yaml:1:1 this must be a map of keys',
  ]);
});

test('what a menu calls a flow fits a page', async () => {
  const long = 'word '.repeat(30).trim();
  const text = `flow: x\nstart: { words: { en: [], sw: [] }, menu: { en: "${long}", sw: Sawa } }\nsteps:\n${done}\n`;
  expect(await findingsOf({ x: text })).toEqual([
    'flows/x.yaml:2:45 this can take 152 characters, and a USSD page has 144 for it',
  ]);
});

test('everything that is wrong is found at once, file by file', async () => {
  const found = await findingsOf({
    a: 'flow: a\nsteps:\n  s: { say: { en: Hi } }\n',
    b: 'flow: b\nsteps:\n  one: { end: { en: A, sw: B } }\n  two: { end: $gone }\n',
  });
  expect(found).toEqual([
    'flows/a.yaml:3:8 missing translation "sw"',
    'flows/b.yaml:4:10 there is no shared text "$gone"',
  ]);
});

test('a shared text that the engine needs is missed by its name', async () => {
  const found = await findingsOf({ _shared: 'back: { en: Back, sw: Rudi }\n' });
  expect(found).toContain('flows/_shared.yaml:1:1 missing text "help"');
  expect(found).not.toContain('flows/_shared.yaml:1:1 missing text "back"');
});

test('a shared text may name the house and nothing else', async () => {
  const found = await findingsOf({ _shared: 'extra: { en: "{shop} {order}", sw: "{shop}" }\n' });
  expect(found).toContain('flows/_shared.yaml:1:10 nothing sets "order"');
});

test('what only WhatsApp says is not measured for USSD', async () => {
  const long = 'word '.repeat(60);
  const text = `  s: { on: [whatsapp], say: { en: "💰 ${long}", sw: Sawa. } }\n${done}`;
  const flows = await loadFiles(steps(text));
  expect(flows.flows.has('x')).toBe(true);
});
