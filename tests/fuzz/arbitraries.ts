import fc from 'fast-check';

/** What strangers send, as fast-check makes it: the same at every run, more of it on a long hunt. */

const longer = Number(process.env['FUZZ_RUNS'] ?? '1');
const seed = Number(process.env['FUZZ_SEED'] ?? '20261121');

/** How often a property is tried: `FUZZ_RUNS=20` tries it twenty times as often. */
export function runs(times: number): { numRuns: number; seed: number } {
  return { numRuns: Math.ceil(times * longer), seed };
}

const odd_texts = [
  ...['', ' ', '\0', 'a\0b', '\u202E', '\u2066x\u2069', '\uFEFF', '\u200B', '\u0085', '\u2028'],
  ...[
    '\uD800',
    '\uDC00',
    'x\uD83D',
    '💰',
    '👨‍👩‍👧',
    'é',
    'e\u0301',
    '٣',
    '５',
    'ß',
    'ı',
    'ſ',
    'ﬁ',
    'ناجي',
  ],
  ...['-0', '0', '1e309', '1e400', '-1', '0x10', '1_000', '1,000', 'NaN', 'Infinity', 'null'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'undefined',
    'true',
    '[object Object]',
  ],
  ...[
    'a\r\nb',
    'a\tb',
    '\n',
    '*',
    '#',
    '%',
    '%00',
    '{shop}',
    '${HOME}',
    '$down',
    "'; drop --",
    '<b>',
  ],
  ...['9'.repeat(400), 'x'.repeat(5000), '💰'.repeat(200), '\u0301'.repeat(300)],
];

/** Text with everything in it that text can have, lone surrogates and NULs too. */
export const oddText: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 3, arbitrary: fc.constantFrom(...odd_texts) },
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
    { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 120 }) },
    { weight: 2, arbitrary: fc.string({ maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.nat({ max: 0xffff }), { maxLength: 40 })
        .map((units) => String.fromCharCode(...units)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constantFrom(...odd_texts),
        fc.string(),
        fc.constantFrom(...odd_texts),
      ),
    },
  )
  .map((text) => (typeof text === 'string' ? text : text.join('')));

/** The source of one JSON value, written as a program would write it or as no program should. */
export const oddJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: oddText.map((text) => JSON.stringify(text)) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...['null', 'true', 'false', '0', '-0', '1', '-1', '0.1', '1e2', '1e309', '-1e309', '1e-400'],
      ...['{}', '[]', '[[]]', '[null]', '{"a":1}', '{"__proto__":{"x":1}}', '{"":""}', '"\\u0000"'],
      ...['"\\ud800"', '"\\u202e"', '9007199254740993', '250000', '0.005', '1.10', '5e-7'],
      `1${'0'.repeat(400)}`,
      `${'['.repeat(5000)}${']'.repeat(5000)}`,
      `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`,
    ),
  },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.double().map(String) },
);

/** An object by the source of each of its values: what JSON.stringify could never write. */
export type Fields = [name: string, json: string][];

export function written(fields: Fields): string {
  return `{${fields.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
}

type Change = (fields: Fields, pick: number, value: string) => Fields;

const at = (fields: Fields, pick: number) => pick % Math.max(1, fields.length);

const changes: Change[] = [
  // Another value, none, two of them, another name, and one that nobody knows.
  (fields, pick, value) => fields.map((f, i) => (i === at(fields, pick) ? [f[0], value] : f)),
  (fields, pick) => fields.filter((_, i) => i !== at(fields, pick)),
  (fields, pick, value) => [...fields, [fields[at(fields, pick)]?.[0] ?? '', value]],
  (fields, pick, value) => [[fields[at(fields, pick)]?.[0] ?? '', value], ...fields],
  (fields, pick) => fields.map((f, i) => (i === at(fields, pick) ? [f[0].toLowerCase(), f[1]] : f)),
  (fields, pick, value) => [...fields, [['__proto__', 'extra', ''][pick % 3] ?? '', value]],
  (fields) => fields.toReversed(),
];

/** These fields after up to three changes; sometimes none. */
export function mutated(fields: fc.Arbitrary<Fields>): fc.Arbitrary<Fields> {
  const change = fc.tuple(fc.nat({ max: changes.length - 1 }), fc.nat({ max: 99 }), oddJson);
  return fc
    .tuple(fields, fc.array(change, { maxLength: 3 }))
    .map(([from, made]) =>
      made.reduce<Fields>((now, [n, pick, value]) => changes[n]!(now, pick, value), from),
    );
}

/** The bytes of a text after what a bad line does to them. */
export function damaged(text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const damage = fc.constantFrom<(bytes: Buffer, where: number) => Buffer>(
    // Mostly none, so that the other changes get past the first look.
    ...Array.from({ length: 9 }, () => (bytes: Buffer) => bytes),
    (bytes) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
    (bytes, where) => bytes.subarray(0, where % (bytes.length + 1)),
    (bytes, where) => Buffer.concat([bytes.subarray(0, where), Buffer.from([0xff]), bytes]),
    (bytes) => Buffer.from(bytes.toString('utf8'), 'utf16le'),
    (bytes) => Buffer.concat([bytes, bytes]),
    (bytes) => Buffer.concat([Buffer.from('\r\n\t '), bytes, Buffer.from('\n\0')]),
    (bytes) => Buffer.concat([Buffer.from(' '.repeat(2000)), bytes]),
  );
  return fc
    .tuple(text, damage, fc.nat({ max: 500 }))
    .map(([it, change, where]) => change(Buffer.from(it), where));
}
