import { Kysely, PostgresDialect, type PostgresPool } from 'kysely';
import type { Pool } from 'pg';
import type { Db } from '../src/base/db.ts';
import type { Schema } from '../src/base/schema.ts';

/** A statement that our code has sent. */
export interface Statement {
  text: string;
  /** Parameters as the driver sends them. */
  values: (string | null)[];
  rows: Record<string, unknown>[];
}

/** A database that writes down every statement that goes to it, with what came back. */
export function watched(pool: Pool): { db: Db; statements: Statement[] } {
  const statements: Statement[] = [];
  const connect = async () => {
    const client = await pool.connect();
    const query = async (text: string, values: readonly unknown[]) => {
      const result = await client.query<Record<string, unknown>>(text, [...values]);
      statements.push({ text, values: values.map(textOf), rows: result.rows });
      return result;
    };
    return { query, release: () => client.release() };
  };
  const watching = { connect, end: () => Promise.resolve() } as unknown as PostgresPool;
  const dialect = new PostgresDialect({ pool: watching });
  return { db: new Kysely<Schema>({ dialect }), statements };
}

// As node-postgres writes a parameter.
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)) {
    throw new Error('no parameter of this kind has been seen before');
  }
  if (value instanceof Date) return value.toISOString();
  if (!Array.isArray(value)) return `${value as string | number | bigint | boolean}`;
  const items = value.map((item) => {
    const text = textOf(item);
    return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${items.join(',')}}`;
}
