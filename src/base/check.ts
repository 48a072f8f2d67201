import type { sql } from 'kysely';
import type { Db } from './db.ts';

/** Something that must hold, as a question to the database. */
export interface Check {
  name: string;
  /** Each text says what is wrong, and where: ids and keys, never a name; at most 20. */
  run: (db: Db) => Promise<string[]>;
}

/** A check whose query selects what is wrong as `found`. */
export function finding(name: string, query: ReturnType<typeof sql<{ found: string }>>): Check {
  return {
    name,
    run: async (db) => (await query.execute(db)).rows.map((row) => row.found),
  };
}
