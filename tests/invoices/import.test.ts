import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openChart } from '../../src/ledger/accounts.ts';
import { inTransaction, type Db } from '../../src/base/db.ts';
import { checks } from '../../src/registry.ts';
import { verify } from '../../src/ledger/verify.ts';
import { freshDatabase } from '../helpers/database.ts';
import { karani as run } from '../helpers/process.ts';

let db: Db;
let folder: string;
let karani: (...args: string[]) => Promise<{ code: number | null; out: string; err: string }>;

beforeEach(async () => {
  const database = await freshDatabase();
  ({ db } = database);
  await inTransaction(db, (tx) => openChart(tx, []));
  folder = await mkdtemp(join(tmpdir(), 'karani-import-'));
  karani = async (...args) => {
    const env = { DATABASE_URL: database.url, KARANI_DATA: join(folder, 'data') };
    const {
      code,
      stdout: out,
      stderr: err,
    } = await run(args, { ...env, KARANI_CONFIG: undefined });
    return { code, out, err };
  };
  return async () => {
    await database.close();
    await rm(folder, { recursive: true });
  };
});

const file = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

test('customers come from a file: each good line once, and each bad one by its number', async () => {
  const path = await file(
    'customers.csv',
    [
      '\u{feff}Name;Phone;Number',
      'Mary Njeri;0712345678;',
      '"Otieno; and Sons";0712345679;CUST-040',
      'Nobody;12345;',
      'Only a name;;',
      ';0712345670;',
      'Too;many;columns;here',
      'Njeri Mary;+254 712 345678;',
      '',
    ].join('\r\n'),
  );
  const first = await karani('customers', 'import', path, '--json');
  expect(first.code).toBe(1);
  expect(JSON.parse(first.out)).toEqual({
    added: 2,
    there: 1,
    wrong: [
      { line: 4, reason: 'the phone is no Kenyan mobile number' },
      { line: 5, reason: 'there is neither a phone nor a number to know the customer by' },
      { line: 6, reason: 'there is no name' },
      { line: 7, reason: 'has 4 columns, and the first line 3' },
    ],
  });
  const again = await karani('customers', 'import', path);
  expect(again.out).toBe('Added: 0. There already: 3. Not taken: 4.\n');
  const rows = await db.selectFrom('customers').select(['number', 'name']).orderBy('id').execute();
  expect(rows).toEqual([
    { number: 'CUST-001', name: 'Mary Njeri' },
    { number: 'CUST-040', name: 'Otieno; and Sons' },
  ]);
});

test('invoices come from a file, and a corrected file issues only what is new', async () => {
  const customers = await file('customers.csv', 'name,phone\nMary Njeri,0712345678\n');
  await karani('customers', 'import', customers);
  const header = 'reference,customer,amount,description,due\n';
  const lines = [
    'A1,0712345678,"1,500","shoes, black",31/12/2099',
    'A2,CUST-001,700,,2099-02-28',
    'A3,mary njeri,Ksh 200,socks,',
  ];
  const wrong = [
    'A4,Mary,200,,',
    'A5,CUST-001,free,,',
    'A6,CUST-001,100,,31/2/2099',
    ',CUST-001,100,,',
    'A7,CUST-001,100,,1/1/2020',
    'A1,CUST-001,900,,31/12/2099',
  ];
  const path = await file('invoices.csv', header + [...lines, ...wrong].join('\n'));
  const { code, out, err } = await karani('invoices', 'import', path);
  expect(code).toBe(1);
  expect(out).toBe('Added: 3. There already: 0. Not taken: 6.\n');
  expect(err).toBe(
    [
      'line 5: we know no such customer, or more than one',
      'line 6: the amount is none',
      'line 7: the due date is no day, such as 2026-02-28 or 28/2/2026',
      'line 8: there is no reference, by which a repeat is known',
      'line 9: the due date is over',
      'line 10: that reference was imported before, with something else',
      '',
    ].join('\n'),
  );
  await file('invoices.csv', header + [...lines, 'A4,CUST-001,200,,'].join('\n'));
  const second = await karani('invoices', 'import', path);
  expect([second.code, second.out]).toEqual([0, 'Added: 1. There already: 3. Not taken: 0.\n']);
  const rows = await db
    .selectFrom('invoices')
    .select(['total_cents', 'description'])
    .orderBy('id')
    .execute();
  expect(rows).toEqual([
    { total_cents: 150_000n, description: 'shoes, black' },
    { total_cents: 70_000n, description: '' },
    { total_cents: 20_000n, description: 'socks' },
    { total_cents: 20_000n, description: '' },
  ]);
  // Nobody is told of what was there before Karani, unless that is asked for.
  expect(await db.selectFrom('outbox').select('id').execute()).toEqual([]);
  expect(await verify(db, checks)).toEqual([]);
});

test('a file without the columns, or none, is named', async () => {
  const path = await file('customers.csv', 'who,phone\nMary,0712345678\n');
  expect((await karani('customers', 'import', path)).err).toMatch(/name is missing/);
  expect((await karani('customers', 'import', '/nowhere.csv')).err).toMatch(/nowhere.csv/);
  const broken = await file('broken.csv', 'name,phone\nMary,0712345678\n"Otieno,0712345679\n');
  const { code, err } = await karani('customers', 'import', broken);
  expect(code).toBe(1);
  expect(err).toMatch(/^line \d+: cannot be read, nor what follows/);
});
