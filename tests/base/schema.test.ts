import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase } from '../helpers/database.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

/** A column as src/base/schema.ts writes it: "accounts.code" and what a row holds there. */
function written(): Map<string, string> {
  const text = readFileSync(new URL('../../src/base/schema.ts', import.meta.url), 'utf8');
  const body = text.slice(text.indexOf('export interface Schema {'), text.indexOf('\n}\n'));
  const columns = new Map<string, string>();
  for (const [, table, fields] of body.matchAll(/^ {2}(\w+): \{([^}]*)\}/gm)) {
    for (const [, column, type] of fields!.matchAll(/(\w+): ([^;]+);?/g)) {
      columns.set(`${table}.${column}`, meaning(type!.trim()));
    }
  }
  return columns;
}

function meaning(type: string): string {
  const filled = /^(?:Generated|GeneratedAlways)<|^At$/.test(type) ? ', filled in' : '';
  const inner = type.replace(/^(?:Generated|GeneratedAlways)<([\s\S]*)>$/, '$1');
  const nullable = inner.endsWith('| null') ? ', null' : '';
  const base = inner.replace(/ \| null$/, '');
  const kind =
    {
      bigint: 'bigint',
      number: 'number',
      boolean: 'boolean',
      Date: 'time',
      At: 'time',
      Buffer: 'bytes',
    }[base] ?? (/^(?:Json|JSONColumnType)/.test(base) ? 'json' : 'text');
  return `${kind}${nullable}${filled}`;
}

/** The same of the real tables. */
async function real(): Promise<Map<string, string>> {
  const { rows } = await sql<{ name: string; type: string; nullable: boolean; filled: boolean }>`
    select table_name || '.' || column_name as name, udt_name as type, is_nullable = 'YES' as nullable,
           (column_default is not null or is_identity = 'YES' or is_generated = 'ALWAYS') as filled
    from information_schema.columns
    where table_schema = 'public' and table_name not in ('migrations', 'installation')
    order by 1
  `.execute(database.db);
  const kinds: Record<string, string> = {
    ...{ int8: 'bigint', int2: 'number', int4: 'number', bool: 'boolean' },
    ...{ timestamptz: 'time', bytea: 'bytes', jsonb: 'json' },
  };
  return new Map(
    rows.map((row) => {
      const kind = kinds[row.type] ?? 'text';
      const filled = row.filled && kind !== 'json' ? ', filled in' : '';
      return [row.name, `${kind}${row.nullable ? ', null' : ''}${filled}`];
    }),
  );
}

test('the types of the tables are those of the real schema', async () => {
  const expected = await real();
  expect(expected.size).toBeGreaterThan(80);
  // A generated column that can be null says so in SQL even where its expression never is.
  const always = new Set(['accounts.type', 'invoices.state', 'payments.state']);
  const actual = [...written()].filter(([name]) => !always.has(name));
  expect(new Map(actual)).toEqual(new Map([...expected].filter(([name]) => !always.has(name))));
});
