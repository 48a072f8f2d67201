import { sql } from 'kysely';
import { type Db, type Tx, inSavepoint, inTransaction } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';

export interface Kept {
  id: bigint;
  source: string;
  body: string;
  received_at: Date;
}

const most_attempts = 8;

/**
 * Works through what waits in the inbox from these sources, `batch_size` at a time, oldest first, each
 * batch in one commit with everything it causes. When a batch fails its rows are tried one by one, so
 * that one bad row never holds the rest; that row is tried again later, and after 8 times is `failed`.
 * Rows are locked while they are worked on: several processes share the work, and a killed one loses none.
 */
export async function drainInbox(
  db: Db,
  sources: string[],
  batch_size: number,
  work: (tx: Tx, rows: Kept[]) => Promise<void>,
): Promise<number> {
  let drained = 0;
  for (;;) {
    const count = await drainBatch(db, sources, batch_size, work);
    drained += count;
    if (count < batch_size) return drained;
  }
}

async function drainBatch(
  db: Db,
  sources: string[],
  batch_size: number,
  work: (tx: Tx, rows: Kept[]) => Promise<void>,
): Promise<number> {
  try {
    return await inTransaction(db, async (tx) => {
      const rows = await lockWaiting(tx, sources, batch_size);
      if (rows.length > 0) {
        await work(tx, rows);
        await markDone(tx, rows);
      }
      return rows.length;
    });
  } catch (error) {
    log.warn(
      { sources, error: messageOf(error) },
      'inbox batch failed; trying its rows one by one',
    );
    return drainOneByOne(db, sources, batch_size, work);
  }
}

async function drainOneByOne(
  db: Db,
  sources: string[],
  batch_size: number,
  work: (tx: Tx, rows: Kept[]) => Promise<void>,
): Promise<number> {
  return inTransaction(db, async (tx) => {
    const rows = await lockWaiting(tx, sources, batch_size);
    for (const row of rows) {
      try {
        await inSavepoint(tx, () => work(tx, [row]));
        await markDone(tx, [row]);
      } catch (error) {
        await markFailed(tx, row, messageOf(error));
      }
    }
    return rows.length;
  });
}

async function lockWaiting(tx: Tx, sources: string[], count: number): Promise<Kept[]> {
  return tx
    .selectFrom('inbox')
    .select(['id', 'source', 'body', 'received_at'])
    .where('state', '=', 'new')
    .where('source', 'in', sources)
    .where('due_at', '<=', sql<Date>`now()`)
    .orderBy('id')
    .limit(count)
    .forUpdate()
    .skipLocked()
    .execute();
}

async function markDone(tx: Tx, rows: Kept[]): Promise<void> {
  await sql`
    update inbox set state = 'done', done_at = now(), error = null
    where id = any(${rows.map((row) => row.id)}::bigint[])
  `.execute(tx);
}

async function markFailed(tx: Tx, row: Kept, error: string): Promise<void> {
  const { rows } = await sql<{ state: string }>`
    update inbox set
      attempts = attempts + 1,
      error = ${error.slice(0, 500)},
      due_at = now() + interval '2 seconds' * power(2, attempts),
      state = case when attempts + 1 >= ${most_attempts} then 'failed' else 'new' end
    where id = ${row.id}
    returning state
  `.execute(tx);
  log.error(
    { inbox_id: String(row.id), source: row.source, state: rows[0]?.state, error },
    'inbox row failed',
  );
}
