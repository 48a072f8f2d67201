import { Logger, run, runMigrations } from 'graphile-worker';
import { sql } from 'kysely';
import { Pool } from 'pg';
import { surviveLoss, type Tx } from './db.ts';
import { messageOf } from './errors.ts';
import { log } from './log.ts';

/**
 * The background tasks, by the names that wake them. Each means "look": rows say what is to be
 * done.
 */
export type Task = 'drain_payments' | 'take_turns' | 'send_outbox' | 'send_digest';

/** Wakes a task once this commit is done. */
export async function wake(tx: Tx, task: Task): Promise<void> {
  await sql`select graphile_worker.add_job(${task}, max_attempts := 1)`.execute(tx);
}

/** Brings the queue's own tables to its version. */
export async function migrateJobs(url: string): Promise<void> {
  const pool = queuePool(url, 1);
  try {
    await runMigrations({ pgPool: pool, logger: queue_log });
  } finally {
    await pool.end();
  }
}

export interface Tasks {
  stop: () => Promise<void>;
}

/**
 * Runs the tasks when they are woken, and each of them every `sweep_ms` besides: a job that was
 * lost, or that a killed worker keeps locked, delays nothing for longer. A job is tried once and
 * never fails, since the rows it looks at carry their own attempts. `more` says no once it is to
 * stop.
 */
export async function runTasks(
  url: string,
  tasks: Record<Task, (more: () => boolean) => Promise<unknown>>,
  sweep_ms = 2_000,
): Promise<Tasks> {
  const runs = Object.entries(tasks).map(([name, task]) => ({ name, ...oneAtATime(name, task) }));
  const pool = queuePool(url, 6);
  const runner = await run({
    pgPool: pool,
    concurrency: 4,
    noHandleSignals: true,
    logger: queue_log,
    taskList: Object.fromEntries(runs.map((r) => [r.name, () => r.look()])),
    preset: {
      worker: { localQueue: { size: 50 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
    },
  });
  const lookAll = () => runs.forEach((r) => r.look());
  const sweep = setInterval(lookAll, sweep_ms);
  lookAll();
  return {
    stop: async () => {
      clearInterval(sweep);
      await runner.stop().catch(() => undefined);
      await Promise.all(runs.map((r) => r.finish()));
      await pool.end();
    },
  };
}

// The queue's connections are ours to open and to end: left to it, one that is lost can end the
// process.
function queuePool(url: string, size: number): Pool {
  const pool = new Pool({ connectionString: url, max: size, application_name: 'karani jobs' });
  surviveLoss(pool);
  return pool;
}

/**
 * A task as something to be woken: woken while it runs, it looks once more when it is done. So a
 * hundred jobs for the same task cost as much as two.
 */
function oneAtATime(name: string, task: (more: () => boolean) => Promise<unknown>) {
  let busy = false;
  let last: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  async function work(): Promise<void> {
    do {
      again = false;
      try {
        await task(() => !stopped);
      } catch (error) {
        log.error({ task: name, error: messageOf(error) }, 'task failed; it looks again shortly');
      }
    } while (again);
    // In the same breath as the last look at `again`: woken after this, it begins anew.
    busy = false;
  }

  return {
    look(): void {
      if (stopped) return;
      again = true;
      if (busy) return;
      busy = true;
      last = work();
    },
    async finish(): Promise<void> {
      stopped = true;
      again = false;
      await last;
    },
  };
}

const queue_log = new Logger(() => (level, message) => {
  if (level === 'error') log.error({ queue: message }, 'job queue');
  else if (level === 'warning') log.warn({ queue: message }, 'job queue');
});
