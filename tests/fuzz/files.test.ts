import fc from 'fast-check';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { networkList, parseConfig } from '../../src/base/config.ts';
import { SetupError } from '../../src/base/errors.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { FlowFindings, readSource } from '../../src/flow/source.ts';
import { findingsOf, flows_folder } from '../flow/chat.ts';
import { approve, menu, refund } from '../flow/own-flows.ts';
import { oddJson, oddText, runs } from './arbitraries.ts';

// Files that an operator or an author writes: whatever stands in them, what is wrong has its place.

const example = readFileSync(new URL('../../config.yaml.example', import.meta.url), 'utf8');
const env = Object.fromEntries(
  [...example.matchAll(/\$\{(\w+)\}/g)].map((m) => [m[1]!, `given-${m[1]!.length}-0123456789`]),
);

const odd_yaml = [
  ...[
    '*384*123456#',
    '&a [*a]',
    '&a {x: *a}',
    '*nobody',
    '!!binary "*"',
    '!!set {a, b}',
    '!mine x',
  ],
  ...[
    '? [a]\n: 1',
    '<<: *a',
    '|\n  text',
    '>-',
    '"\\u0000"',
    '"\\uD800"',
    '%YAML 1.1',
    '---',
    '...',
  ],
  ...['\t- tab', '[', ']', '{', '}', '{a: {b: {c: [', '@at', '`tick`', "'", '"', '- - - -', ': :'],
  ...[
    '"a\\nb"',
    '"\\u2028"',
    '2001-01-01',
    '0o17',
    '0x1f',
    '.inf',
    '-.inf',
    '.nan',
    '~',
    'yes',
    '1e309',
    '1_000',
  ],
  ...['__proto__: {a: 1}', 'constructor: 1', '"__proto__"', 'toString', '${HOME}', '${NOBODY}'],
  '['.repeat(300),
  '{a: '.repeat(200),
  '- '.repeat(300),
  'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]',
];

// Thousands deep, the YAML reader is at the end of its stack, where V8 may end the process.
const shallow = oddJson.filter((json) => json.length < 2_000);
const piece = fc.oneof(fc.constantFrom(...odd_yaml), shallow, oddText);

/** A file with a line or two exchanged, dropped, doubled, pushed in, or ending in something odd. */
function edited(file: string): fc.Arbitrary<string> {
  const lines = file.split('\n');
  const edit = fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: lines.length - 1 }), piece);
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    edits
      .reduce(
        (now, [kind, where, odd]) =>
          now.flatMap((line, n) => {
            if (n !== where) return [line];
            const key = /^[^:]*:/.exec(line)?.[0] ?? '';
            const [indent = ''] = /^ */.exec(line) ?? [];
            const named = `${indent}${odd}${line.slice(key.length - 1)}`;
            const forms = [
              [],
              [line, line],
              [`  ${line}`],
              [`${key} ${odd}`],
              [line, odd],
              [named],
            ];
            return forms[kind] ?? [line.slice(0, odd.length)];
          }),
        lines,
      )
      .join('\n'),
  );
}

const anything = fc.oneof(
  piece,
  fc.array(piece, { maxLength: 4 }).map((lines) => lines.join('\n')),
);

test('any configuration is one, or lines of what is wrong with it and where', () => {
  const placed = /^config\.yaml:[1-9]\d* \S/;
  fc.assert(
    fc.property(fc.oneof({ weight: 3, arbitrary: edited(example) }, anything), (text) => {
      try {
        expect(parseConfig(text, 'config.yaml', env).environment).toBe('sandbox');
      } catch (error) {
        expect(error).toBeInstanceOf(SetupError);
        for (const line of (error as Error).message.split('\n')) expect(line).toMatch(placed);
      }
    }),
    runs(100),
  );
});

const faults = (text: string) => {
  try {
    parseConfig(text, 'config.yaml', env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(SetupError);
    return (error as Error).message.split('\n');
  }
};

test('a USSD code without quotes is named with its line', () => {
  const line = example.split('\n').findIndex((it) => /^ *code:/.test(it)) + 1;
  const found = faults(example.replace(/^( *code:).*$/m, '$1 *384*123456#'));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^config\\.yaml:${line} .*in quotes`));
});

test('a file that holds itself, or swells when it is read, is refused in a line', () => {
  expect(faults('business: &a [*a]')).toEqual(['config.yaml:1 business: nothing is that deep']);
  expect(faults(odd_yaml.at(-1)!)[0]).toMatch(/^config\.yaml:1 /);
});

test.each([
  '10.0.0.0/',
  '10.0.0.0/ 8',
  '10.0.0.0/0x8',
  '10.0.0.0/8/9',
  'fe80::1%eth0',
  '10.0.0.0/-0',
])('"%s" is no network, least of all everybody', (network) => {
  const named = faults(example.replace('trusted_proxies: []', `trusted_proxies: ["${network}"]`));
  expect(named.join()).toContain('expected an address or a network');
  expect(networkList([network]).check('196.201.213.1')).toBe(false);
});

const flow_files = readdirSync(flows_folder).filter((name) => /^[a-z].*\.yaml$/.test(name));
const flows = Object.fromEntries(
  flow_files.map((name) => [
    name.replace('.yaml', ''),
    readFileSync(join(flows_folder, name), 'utf8'),
  ]),
);
const shared = readFileSync(join(flows_folder, '_shared.yaml'), 'utf8');

test('any flow file is loaded, or each thing wrong in it has file, line and column', async () => {
  const placed = /^flows\/[a-z_]+\.yaml:[1-9]\d*:[1-9]\d* \S[^\n]*$/;
  const name = fc.constantFrom('_shared', 'refund', 'approve', 'menu', 'balance');
  const all: Record<string, string> = { ...flows, _shared: shared, refund, approve, menu };
  const files = name.chain((it) => {
    const changed = fc.oneof({ weight: 4, arbitrary: edited(all[it] ?? '') }, anything);
    return changed.map((text) => ({ refund, approve, menu, [it]: text }));
  });
  await fc.assert(
    fc.asyncProperty(files, async (given) => {
      for (const finding of await findingsOf(given)) expect(finding).toMatch(placed);
    }),
    runs(70),
  );
});

test('a key of several lines is named on one', async () => {
  const findings = await findingsOf({ refund, approve, menu: `${menu}\n"two\\nlines": 1\n` });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatch(/^flows\/menu\.yaml:\d+:1 unknown key "two lines"$/);
});

test('any text is YAML with its places, or says where it is none', () => {
  fc.assert(
    fc.property(anything, fc.array(fc.oneof(oddText, fc.nat()), { maxLength: 4 }), (text, keys) => {
      const source = readSource('flows/x.yaml', text);
      source.report(keys, 'here');
      for (const finding of source.findings())
        expect(finding).toMatch(/^flows\/x\.yaml:[1-9]\d*:[1-9]\d* \S[^\n]*$/);
    }),
    runs(120),
  );
});

test('any messages file is loaded, or each thing wrong in it has its place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'karani-messages-'));
  const base = readFileSync(join(flows_folder, '_messages.yaml'), 'utf8');
  try {
    await fc.assert(
      fc.asyncProperty(fc.oneof(edited(base), anything), async (text) => {
        writeFileSync(join(folder, '_messages.yaml'), text);
        await loadMessages(folder).catch((error: unknown) => {
          expect(error).toBeInstanceOf(FlowFindings);
          for (const finding of (error as FlowFindings).findings)
            expect(finding).toMatch(/_messages\.yaml:[1-9]\d*:[1-9]\d* \S[^\n]*$/);
        });
      }),
      runs(60),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
