import { sql } from 'kysely';
import type { Pool } from 'pg';
import { Busy, type Db, isAway } from '../base/db.ts';
import { sha256 } from '../base/secrets.ts';
import type { Task } from '../base/jobs.ts';

/** A callback or message, exactly as it came. */
export interface Arrival {
  source: string;
  /** What it is about: those about the same are worked through in the order they came. */
  subject: string | null;
  body: string;
  from_ip: string | null;
}

/**
 * Keeps an arrival; resolves once it is committed, whether it is new or a repeat. Throws Busy when
 * more waits than can be kept soon.
 */
export type Keep = (arrival: Arrival) => Promise<void>;

const most_in_a_batch = 500;
// Bodies are 500 characters as a rule, and may be a hundred times that.
const most_characters_in_a_batch = 2_000_000;
const most_in_flight = 2;
const most_waiting = 2_000;
const longest_wait_ms = 2_000;

interface Waiting {
  arrival: Arrival;
  since: number;
  done: () => void;
  failed: (error: unknown) => void;
}

/**
 * Makes the `keep` of one kind of arrival, which wakes `task`.
 *
 * Arrivals are written in batches without a timer: everything that comes in while two batches are
 * in flight is the next one, so a single arrival waits for nobody and a flood shares its commits
 * (measured in bench/RESULTS.md, part a). When a batch is refused it is halved, again and again, so
 * that a bad arrival fails alone.
 *
 * When the database is slow or says nothing, those that come are refused at once: behind those that
 * wait already they would be answered too late.
 */
export function keeper(pool: Pool, task: Task): Keep {
  const waiting: Waiting[] = [];
  let in_flight = 0;
  let moved_at = 0;

  function flush(): void {
    while (waiting.length > 0 && in_flight < most_in_flight) {
      const batch = waiting.splice(0, batchSize(waiting));
      in_flight += 1;
      moved_at = performance.now();
      void write(pool, task, batch).finally(() => {
        in_flight -= 1;
        moved_at = performance.now();
        flush();
      });
    }
  }

  function isBehind(now: number): boolean {
    if (waiting.length >= most_waiting) return true;
    if (now - (waiting[0]?.since ?? now) > longest_wait_ms) return true;
    return in_flight === most_in_flight && now - moved_at > longest_wait_ms;
  }

  return (arrival) =>
    new Promise((done, failed) => {
      const since = performance.now();
      if (isBehind(since)) return failed(new Busy());
      waiting.push({ arrival, since, done, failed });
      // Once the requests that are being read this very moment have arrived too.
      if (waiting.length === 1) setImmediate(flush);
    });
}

function batchSize(waiting: readonly Waiting[]): number {
  let characters = 0;
  const end = waiting.findIndex((one, index) => {
    characters += one.arrival.body.length;
    return index === most_in_a_batch || (index > 0 && characters > most_characters_in_a_batch);
  });
  return end === -1 ? waiting.length : end;
}

async function write(pool: Pool, task: Task, batch: Waiting[]): Promise<void> {
  try {
    await insert(
      pool,
      task,
      batch.map((w) => w.arrival),
    );
    for (const one of batch) one.done();
  } catch (error) {
    if (batch.length === 1 || isAway(error)) {
      for (const one of batch) one.failed(error);
      return;
    }
    const half = Math.ceil(batch.length / 2);
    await Promise.all(
      [batch.slice(0, half), batch.slice(half)].map((part) => write(pool, task, part)),
    );
  }
}

// One statement and one commit: the rows, and the job that wakes the drain when any of them is new.
// Named, so that the server plans it once a connection (measured: 1.3 to 1.4 times as fast as
// planning it each time).
//
// Numbered as they came and written in the order of their hashes, so that two processes which are
// given the same ones at once never wait for each other in a ring.
const insert_all = `
  with arrived as materialized (
    select nextval('inbox_id_seq') as id, a.*
    from unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::inet[])
      as a(source, subject, body, body_hash, from_ip)
  ), kept as (
    insert into inbox (id, source, subject, body, body_hash, from_ip)
    overriding system value
    select * from arrived order by body_hash
    on conflict (source, body_hash) do nothing
    returning 1
  )
  select graphile_worker.add_job($1, max_attempts := 1) where exists (select from kept)`;

async function insert(pool: Pool, task: Task, arrivals: Arrival[]): Promise<void> {
  await pool.query({
    name: 'keep_inbox',
    text: insert_all,
    values: [
      task,
      arrivals.map((a) => a.source),
      arrivals.map((a) => a.subject),
      arrivals.map((a) => a.body),
      arrivals.map((a) => sha256(a.body)),
      arrivals.map((a) => a.from_ip),
    ],
  });
}

/** A body that came to a callback address and could not be read. */
export interface Rejection {
  source: string;
  reason: string;
  body: Buffer;
  from_ip: string | null;
}

const head_bytes = 4_096;
const most_rejected_an_hour = 1_000;

/**
 * Keeps the head of a body that could not be read, since money may have moved; the same bytes once,
 * and no more than a thousand an hour, so that nobody fills the disk. Returns whether it is new.
 */
export async function keepRejected(db: Db, it: Rejection): Promise<boolean> {
  const hash = sha256(it.body);
  const { rows } = await sql<{ known: boolean }>`
    with kept as (
    insert into inbox_rejected (source, reason, head, length_bytes, body_hash, from_ip)
    select ${it.source}, ${it.reason}, ${it.body.subarray(0, head_bytes)}, ${it.body.length},
           ${hash}, ${it.from_ip}::inet
    where (select count(*) from inbox_rejected where received_at > now() - interval '1 hour')
          < ${most_rejected_an_hour}
    on conflict (source, body_hash) do nothing
    )
    select exists (
      select from inbox_rejected where source = ${it.source} and body_hash = ${hash}
    ) as known
  `.execute(db);
  return rows[0]?.known !== true;
}
