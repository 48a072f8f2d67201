import type { Pool } from 'pg';

/** Payments, by when their ledger transactions were committed. */
export interface Commits {
  payments: number;
  /** A second, from the first commit to the last. */
  rate: number;
  /** Milliseconds since 1970. */
  last_ms: number;
}

/** The newest ledger transaction: what comes after it is measured. */
export async function newestLedgerTransaction(pool: Pool): Promise<bigint> {
  const { rows } = await pool.query<{ id: bigint }>(
    'select coalesce(max(id), 0) as id from ledger_transactions',
  );
  return rows[0]?.id ?? 0n;
}

/** What has been committed since then. The server keeps the time of every commit. */
export async function commitsSince(pool: Pool, newest: bigint): Promise<Commits> {
  const { rows } = await pool.query<{
    payments: number;
    first_ms: number;
    last_ms: number;
    in_first: number;
  }>(
    `with paid as (
       select extract(epoch from pg_xact_commit_timestamp(xid::xid)) * 1000 as at_ms
       from ledger_transactions where id > $1 and kind = 'payment_received'
     )
     select count(*)::int as payments, min(at_ms)::float8 as first_ms, max(at_ms)::float8 as last_ms,
            (select count(*)::int from paid where at_ms = (select min(at_ms) from paid)) as in_first
     from paid`,
    [newest],
  );
  const it = rows[0] ?? { payments: 0, first_ms: 0, last_ms: 0, in_first: 0 };
  // What the first commit brought was done before it.
  const rate = ((it.payments - it.in_first) * 1000) / (it.last_ms - it.first_ms);
  return { payments: it.payments, rate, last_ms: it.last_ms };
}

/** When each payment was committed, by receipt, in milliseconds since 1970. */
export async function committedAt(pool: Pool, newest: bigint): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ receipt: string; at_ms: number }>(
    `select split_part(key, ':', 2) as receipt,
            (extract(epoch from pg_xact_commit_timestamp(xid::xid)) * 1000)::float8 as at_ms
     from ledger_transactions where id > $1 and kind = 'payment_received'`,
    [newest],
  );
  return new Map(rows.map((row) => [row.receipt, row.at_ms]));
}

/** Waits until nothing in the inbox waits. */
export async function untilDrained(pool: Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ waits: boolean }>(
      "select exists (select from inbox where state = 'new' and due_at < 'infinity') as waits",
    );
    if (rows[0]?.waits !== true) return;
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Forgets what is still to be told and done, so that one round leaves the next nothing. */
export async function clearQueues(pool: Pool): Promise<void> {
  await pool.query(
    "update outbox set state = 'sent', sent_at = now() where state in ('waiting', 'sending')",
  );
  await pool.query("update payments set told = 'digest' where told is null");
  await pool.query('delete from graphile_worker._private_jobs');
  await pool.query('vacuum (analyze) outbox, payments, inbox, graphile_worker._private_jobs');
  await pool.query('checkpoint');
}
