import { sql } from 'kysely';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Db } from '../base/db.ts';

export interface Metrics {
  registry: Registry;
  /**
   * Counts an answer at a callback door: 'c2b', 'whatsapp', 'ussd', or 'unknown' for a wrong
   * secret.
   */
  answered: (door: string, status: number) => void;
}

/** What an operator watches, in Prometheus' form. The database is asked when somebody reads it. */
export function makeMetrics(db: Db): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const callbacks = new Counter({
    name: 'karani_callbacks_total',
    help: 'Callbacks by door and answer',
    labelNames: ['door', 'status'],
    registers: [registry],
  });
  const waiting = new Gauge({
    name: 'karani_rows',
    help: 'Rows by table and state: what waits and what was given up',
    labelNames: ['table', 'state'],
    registers: [registry],
  });
  const oldest = new Gauge({
    name: 'karani_oldest_waiting_seconds',
    help: 'Age of the oldest row that waits, by table',
    labelNames: ['table'],
    registers: [registry],
  });
  const unmatched = new Gauge({
    name: 'karani_unmatched_shillings',
    help: 'Money received that has found nothing to pay',
    registers: [registry],
    collect: async () => {
      const now = await readWaiting(db);
      for (const row of now.rows) {
        waiting.set({ table: row.name, state: row.state }, row.count);
        if (row.state === 'waiting') oldest.set({ table: row.name }, row.oldest_s);
      }
      unmatched.set(now.unmatched);
    },
  });
  return {
    registry,
    answered: (door, status) => callbacks.inc({ door, status }),
  };
}

interface WaitingRow {
  name: string;
  state: string;
  count: number;
  oldest_s: number;
}

async function readWaiting(db: Db): Promise<{ rows: WaitingRow[]; unmatched: number }> {
  const { rows } = await sql<WaitingRow>`
    select 'inbox' as name, 'waiting' as state, count(*)::int as count,
           coalesce(extract(epoch from now() - min(received_at)), 0)::float8 as oldest_s
    from inbox where state = 'new'
    union all
    select 'inbox', 'failed', count(*)::int, 0 from inbox where state = 'failed'
    union all
    select 'inbox', 'rejected', count(*)::int, 0 from inbox_rejected
    union all
    select 'outbox', 'waiting', count(*)::int,
           coalesce(extract(epoch from now() - min(created_at)), 0)::float8
    from outbox where state in ('waiting', 'sending')
    union all
    select 'outbox', 'failed', count(*)::int, 0 from outbox where state = 'failed'
    union all
    select 'hearings', 'conflict', count(*)::int, 0 from hearings where verdict = 'conflict'
  `.execute(db);
  const sum = await sql<{ shillings: number }>`
    select coalesce(sum(amount_cents - allocated_cents) / 100.0, 0)::float8 as shillings
    from payments where allocated_cents < amount_cents
  `.execute(db);
  return { rows, unmatched: sum.rows[0]?.shillings ?? 0 };
}
