import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

// The style of the house as a test: who may import whom, sizes, names, and what is never called.

const root = join(import.meta.dirname, '..');
const sources = globSync('src/**/*.ts', { cwd: root }).sort();

const doors_of_all = ['base'];
const trades = ['invoices'];
const may_import: Record<string, string[]> = {
  base: [],
  daraja: doors_of_all,
  channels: doors_of_all,
  ledger: doors_of_all,
  inbox: doors_of_all,
  outbox: doors_of_all,
  flow: doors_of_all,
  people: ['base', 'outbox', 'flow'],
  payments: ['base', 'daraja', 'ledger', 'inbox', 'outbox', 'people', 'flow'],
  'mpesa-statement': ['base', 'daraja', 'ledger', 'inbox', 'payments'],
  conversation: ['base', 'channels', 'flow', 'inbox', 'outbox', 'people'],
  customers: ['base', 'ledger', 'outbox', 'people', 'flow', 'payments'],
  invoices: ['base', 'ledger', 'outbox', 'people', 'payments', 'customers', 'flow'],
  reports: ['base', 'daraja', 'ledger', 'people', 'payments', 'outbox', 'flow'],
  simulator: ['base', 'daraja', 'channels'],
  web: [
    ...['base', 'daraja', 'channels', 'ledger', 'inbox', 'outbox', 'people', 'flow'],
    ...['payments', 'conversation', 'customers', 'reports', ...trades],
  ],
};

// Where a folder may reach into another by one file alone.
const only_file: Record<string, Record<string, RegExp>> = {
  people: { flow: /^flow\/action\.ts$/ },
  payments: { flow: /^flow\/action\.ts$/ },
  customers: { flow: /^flow\/action\.ts$/, payments: /^payments\/due\.ts$/ },
  invoices: { flow: /^flow\/action\.ts$/ },
  reports: { flow: /^flow\/action\.ts$/ },
  simulator: { daraja: /^daraja\/payloads\.ts$/, channels: /\/payloads\.ts$/ },
};

interface Import {
  from: string;
  to: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...found].map((match) => ({
    from: relative('src', file),
    to: relative('src', join(dirname(file), match[1] ?? '')),
  }));
}

const folderOf = (path: string) => (path.includes('/') ? path.split('/')[0]! : '');

test('the sources and their imports were really read', () => {
  expect(sources.length).toBeGreaterThan(60);
  expect(sources.flatMap(importsOf).length).toBeGreaterThan(200);
});

test('every folder is in the import table', () => {
  const folders = new Set(sources.map((file) => folderOf(relative('src', file))));
  folders.delete('');
  expect([...folders].filter((folder) => !(folder in may_import))).toEqual([]);
});

test('imports go the way the table says', () => {
  const wrong = sources.flatMap(importsOf).filter(({ from, to }) => {
    const [here, there] = [folderOf(from), folderOf(to)];
    if (here === '') return false;
    if (here === there) {
      // Channels do not know each other.
      return here === 'channels' && from.split('/')[1] !== to.split('/')[1];
    }
    if (there === '') return true;
    if (!may_import[here]?.includes(there)) return true;
    const file = only_file[here]?.[there];
    return file !== undefined && !file.test(to);
  });
  expect(wrong).toEqual([]);
});

test('files stay readable: 400 lines at most, but for the list of all tables', () => {
  const too_long = sources
    .filter((file) => file !== 'src/base/schema.ts')
    .filter((file) => linesOf(file).length > 401);
  expect(too_long).toEqual([]);
});

test('lines stay readable: 100 characters, or 120 where SQL or a sentence stands in quotes', () => {
  const too_long = sources.flatMap((file) =>
    linesOf(file).filter((line) => {
      const is_comment = /^\s*(?:\/\/|\/?\*)/.test(line);
      return line.length > (is_comment ? 100 : 120);
    }),
  );
  expect(too_long).toEqual([]);
});

function linesOf(file: string): string[] {
  return readFileSync(join(root, file), 'utf8').split('\n');
}

test('no folder or file is called by what it is not', () => {
  const vague = /(?:^|\/)(?:utils?|helpers?|common|services?|managers?|index|misc)(?:\.ts|\/)/;
  expect(sources.filter((file) => vague.test(file))).toEqual([]);
});

const banned: { name: string; pattern: RegExp; except?: RegExp }[] = [
  { name: 'console', pattern: /\bconsole\./ },
  { name: 'default export', pattern: /^export default/m },
  { name: 'as any', pattern: /\bas any\b/ },
  { name: 'ts-ignore', pattern: /@ts-(?:ignore|expect-error)/ },
  { name: 'enum', pattern: /^\s*(?:export )?(?:const )?enum /m },
  {
    name: 'a transaction begun elsewhere',
    pattern: /\.transaction\(\)/,
    except: /^src\/(?:base\/db|ledger\/verify)\.ts$/,
  },
  {
    name: 'the time read past the clock',
    pattern: /new Date\(\)|Date\.now\(\)/,
    except: /^src\/(?:base\/(?:clock|embedded-postgres|postmaster)|simulator\/|web\/)/,
  },
  { name: 'money as a float', pattern: /parseFloat|toFixed\(/ },
];

test.each(banned)('never: $name', ({ pattern, except }) => {
  const found = sources.filter((file) => {
    if (except?.test(file)) return false;
    const code = readFileSync(join(root, file), 'utf8').replace(
      /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm,
      '',
    );
    return pattern.test(code);
  });
  expect(found).toEqual([]);
});

test('migrations are numbered without a gap', () => {
  const numbers = globSync('migrations/*.sql', { cwd: root })
    .sort()
    .map((file) => Number(file.split('/')[1]!.slice(0, 4)));
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test('nothing in the repository names the machine it was made on', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  expect(lock).not.toMatch(/"resolved": "https?:/);
});
