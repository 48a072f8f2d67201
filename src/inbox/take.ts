import { sql } from 'kysely';
import { type Db, type Tx, inSavepoint, inTransaction, isAway, sqlState } from '../base/db.ts';
import { Hopeless, messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { shownLine } from '../base/text.ts';

export interface Kept {
  id: bigint;
  source: string;
  /** What it is about; see `Arrival`. */
  subject: string | null;
  body: string;
  /** How long it has been here, by the database's clock. */
  age_s: number;
}

const most_attempts = 8;
const longest_error = 500;

export interface Drain {
  source: string;
  batch_size: number;
  /**
   * Does everything that these rows cause, in the commit that marks them done. Rows that it returns
   * came too early, and come again shortly.
   */
  work: (tx: Tx, rows: Kept[]) => Promise<Kept[] | void>;
  /** What else happens when a row is given up, in the same commit. */
  gaveUp?: (tx: Tx, row: Kept) => Promise<void>;
}

/**
 * Works through what waits in the inbox from one source, oldest first, each batch in one commit
 * with everything it causes. When a batch fails its rows are tried one by one, so that one bad row
 * never holds the rest; that row is tried again later, and after 8 times is `failed`; what is
 * Hopeless is so at once. Rows are locked while they are worked on: several processes share the
 * work, and a killed one loses none. A row waits for every earlier one about the same subject, in
 * whatever process that is. Goes on until nothing waits or `more` says no.
 */
export async function drainInbox(db: Db, drain: Drain, more: () => boolean): Promise<number> {
  let drained = 0;
  while (more()) {
    const count = await drainBatch(db, drain);
    drained += count;
    // Not at the first small batch: what waited for one of its rows can be taken now.
    if (count === 0) break;
  }
  return drained;
}

async function drainBatch(db: Db, drain: Drain): Promise<number> {
  try {
    return await inTransaction(db, async (tx) => {
      const rows = await lockWaiting(tx, drain);
      if (rows.length > 0) {
        await workThrough(tx, drain, rows);
      }
      return rows.length;
    });
  } catch (error) {
    // Away: nothing is wrong with the rows, and they wait.
    if (isAway(error) && !isOfOne(error)) throw error;
    const { source } = drain;
    log.warn({ source, error: messageOf(error) }, 'inbox batch failed; trying its rows one by one');
    return drainOneByOne(db, drain);
  }
}

async function drainOneByOne(db: Db, drain: Drain): Promise<number> {
  return inTransaction(db, async (tx) => {
    const rows = await lockWaiting(tx, drain);
    for (const row of rows) {
      try {
        await inSavepoint(tx, () => workThrough(tx, drain, [row]));
      } catch (error) {
        if (sqlState(error) === held_up) await putOff(tx, [row]);
        else if (isAway(error) && !isOfOne(error)) throw error;
        else await countFailure(tx, drain, row, error);
        // The others may be slow too, and each costs seconds: they are taken up anew.
        if (isOfOne(error)) return rows.length;
      }
    }
    return rows.length;
  });
}

// Somebody else holds what it needs: its turn comes again, and it has not failed.
const held_up = '55P03';
const took_too_long = '57014';

/** Whether one row may be the reason, so that the others can be worked through without it. */
function isOfOne(error: unknown): boolean {
  return [held_up, took_too_long].includes(sqlState(error) ?? '');
}

async function workThrough(tx: Tx, drain: Drain, rows: Kept[]): Promise<void> {
  const early = (await drain.work(tx, rows)) ?? [];
  if (early.length > 0) await putOff(tx, early);
  await markDone(
    tx,
    rows.filter((row) => !early.includes(row)),
  );
}

// By the clock, since the transaction may have begun long before.
async function putOff(tx: Tx, rows: Kept[]): Promise<void> {
  await sql`
    update inbox set due_at = clock_timestamp() + interval '10 seconds'
    where id = any(${rows.map((row) => row.id)}::bigint[])
  `.execute(tx);
}

async function countFailure(tx: Tx, { gaveUp }: Drain, row: Kept, why: unknown): Promise<void> {
  const most = why instanceof Hopeless ? 1 : most_attempts;
  const state = await markFailed(tx, row, messageOf(why), most);
  if (state !== 'failed' || !gaveUp) return;
  // Telling of it must not bring the row back.
  await inSavepoint(tx, () => gaveUp(tx, row)).catch((error: unknown) => {
    log.error({ inbox_id: String(row.id), error: messageOf(error) }, 'nobody could be told of it');
  });
}

// By due time, as the index has them: by id alone the planner may walk all that was ever received.
// And one look by the index for each row's earlier ones: `not exists` may become a join that reads
// all that waits. `is not true` and not `is null`, which the planner takes for so rare that it
// sorts all that waits first (measured with 9,000: 180 ms instead of 9).
async function lockWaiting(tx: Tx, { source, batch_size }: Drain): Promise<Kept[]> {
  return tx
    .selectFrom('inbox')
    .select(['id', 'source', 'subject', 'body'])
    .select(sql<number>`extract(epoch from now() - received_at)::float8`.as('age_s'))
    .where('state', '=', 'new')
    .where('source', '=', source)
    .where('due_at', '<=', sql<Date>`now()`)
    .where(
      (row) =>
        row
          .selectFrom('inbox as earlier')
          .select(sql<boolean>`true`.as('is_there'))
          .whereRef('earlier.source', '=', 'inbox.source')
          .whereRef('earlier.subject', '=', 'inbox.subject')
          .whereRef('earlier.id', '<', 'inbox.id')
          .where('earlier.state', '=', 'new')
          .limit(1),
      'is not',
      true,
    )
    .orderBy('due_at')
    .orderBy('id')
    .limit(batch_size)
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

async function markFailed(
  tx: Tx,
  row: Kept,
  error: string,
  most: number,
): Promise<string | undefined> {
  const { rows } = await sql<{ state: string }>`
    update inbox set
      attempts = attempts + 1,
      error = ${shownLine(error, longest_error)},
      due_at = clock_timestamp() + interval '2 seconds' * power(2, attempts),
      state = case when attempts + 1 >= ${most} then 'failed' else 'new' end
    where id = ${row.id}
    returning state
  `.execute(tx);
  log.error(
    { inbox_id: String(row.id), source: row.source, state: rows[0]?.state, error },
    'inbox row failed',
  );
  return rows[0]?.state;
}
