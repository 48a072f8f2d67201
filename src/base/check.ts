import type { sql } from 'kysely';
import type { Db } from './db.ts';

/** Something that must hold, as a question to the database. */
export interface Check {
  name: string;
  /** Each text says what is wrong, and where: ids and keys, never a name; at most most_found. */
  run: (db: Db) => Promise<string[]>;
}

/** How many a query of a check names: nobody reads more, and a million would be a report. */
export const most_found = 20;

/** A check whose query selects what is wrong as `found`. */
export function finding(name: string, query: ReturnType<typeof sql<{ found: string }>>): Check {
  return {
    name,
    run: async (db) => (await query.execute(db)).rows.map((row) => row.found),
  };
}
