import type { Pool } from 'pg';
import { within } from '../base/late.ts';

// Later than the deadline, so that it is Late that is told.
const grace_ms = 100;

/**
 * The rows of one query, or Late. Its connection is closed when no answer comes: who asks a
 * database that hangs, again and again, must not use up the connections that everybody shares. One
 * with a name is planned once a connection.
 */
export async function ask<Row extends object>(
  pool: Pool,
  ms: number,
  asked: { name?: string; text: string },
): Promise<Row[]> {
  const query = { ...asked, query_timeout: ms + grace_ms };
  const { rows } = await within(ms, pool.query<Row>(query));
  return rows;
}

/** All who ask at once share one look, and what it saw is good for `fresh_ms` more. */
export function shared<T>(look: () => Promise<T>, fresh_ms: number): () => Promise<T> {
  let last: Promise<T> | undefined;
  let good_until = Infinity;
  return () => {
    if (last && performance.now() < good_until) return last;
    good_until = Infinity;
    last = look().finally(() => (good_until = performance.now() + fresh_ms));
    return last;
  };
}
