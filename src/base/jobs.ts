import { once } from 'node:events';
import { Logger, run, runMigrations, type Runner } from 'graphile-worker';
import { sql } from 'kysely';
import { openPool, type Tx, while_serving } from './db.ts';
import { messageOf } from './errors.ts';
import { log } from './log.ts';

/**
 * The background tasks, by the names that wake them. Each means "look": rows say what is to be
 * done.
 */
export type Task =
  | 'drain_payments'
  | 'book_statements'
  | 'send_prompts'
  | 'look_up_prompts'
  | 'pull_payments'
  | 'ask_status'
  | 'take_turns'
  | 'take_reports'
  | 'ask_questions'
  | 'send_outbox'
  | 'send_digest'
  | 'remind'
  | 'count_steps'
  | 'check_books';

/** Wakes a task once this commit is done. */
export async function wake(tx: Tx, task: Task): Promise<void> {
  await sql`select graphile_worker.add_job(${task}, max_attempts := 1)`.execute(tx);
}

/** Brings the queue's own tables to its version. */
export async function migrateJobs(url: string): Promise<void> {
  const pool = openPool({ url, size: 1, name: 'karani migration' });
  try {
    await runMigrations({ pgPool: pool, logger: queue_log });
  } finally {
    await pool.end();
  }
}

export interface Tasks {
  stop: () => Promise<void>;
}

/** What a task is told: whether to go on, and a signal by which what hangs is to be given up. */
export type Work = (more: () => boolean, give_up: AbortSignal) => Promise<unknown>;

const sweep_every_ms = 2_000;
// Of the ten seconds that a stop may take.
const hangs_after_ms = 4_000;

/**
 * Runs the tasks when they are woken, and each of them every two seconds besides: a job that was
 * lost, or that a killed worker keeps locked, delays nothing for longer. A job is tried once and
 * never fails, since the rows it looks at carry their own attempts. `more` says no once it is to
 * stop, and `give_up` comes some seconds later.
 */
export async function runTasks(url: string, tasks: Record<Task, Work>): Promise<Tasks> {
  const giving_up = new AbortController();
  const runs = Object.entries(tasks).map(([name, task]) => ({
    name,
    ...oneAtATime(name, (more) => task(more, giving_up.signal)),
  }));
  const wakers = Object.fromEntries(runs.map((r) => [r.name, () => r.look()]));
  const queue = await listenToQueue(url, wakers);
  const sweep = setInterval(() => {
    runs.forEach((r) => r.look());
    queue.revive();
  }, sweep_every_ms);
  runs.forEach((r) => r.look());
  return {
    stop: async () => {
      clearInterval(sweep);
      const patience = setTimeout(() => giving_up.abort(), hangs_after_ms);
      // The queue holds nothing that matters, and its connections may hang.
      const queue_ended = Promise.race([queue.stop(), once(giving_up.signal, 'abort')]);
      await Promise.all([queue_ended, ...runs.map((r) => r.finish())]);
      clearTimeout(patience);
    },
  };
}

/** Calls the waker that a job names. What ended by itself is begun again by `revive`. */
async function listenToQueue(url: string, wakers: Record<string, () => void>) {
  // Its connections are ours to open and to end: left to it, one that is lost can end the process.
  // One of them listens, and is silent for as long as nothing comes.
  const { silence_ms: _, ...patience } = while_serving;
  const pool = openPool({ url, size: 6, name: 'karani jobs', patience });
  const begin = () =>
    run({
      pgPool: pool,
      concurrency: 4,
      noHandleSignals: true,
      logger: queue_log,
      taskList: wakers,
      preset: {
        worker: { localQueue: { size: 50 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
      },
    });
  let runner: Promise<Runner | undefined>;
  let running = true;
  let stopped = false;
  const watch = (begun: Runner): Runner => {
    running = true;
    const ended = () => void (running = false);
    begun.promise.then(ended, ended);
    return begun;
  };
  runner = Promise.resolve(watch(await begin()));
  return {
    revive(): void {
      if (running || stopped) return;
      log.error({}, 'the job queue ended; starting it again');
      running = true;
      runner = begin().then(watch, (error: unknown) => {
        running = false;
        log.error({ error: messageOf(error) }, 'the job queue did not start');
        return undefined;
      });
    },
    async stop(): Promise<void> {
      stopped = true;
      await (await runner)?.stop().catch(() => undefined);
      await pool.end();
    },
  };
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

  let told: string | undefined;

  // It looks again and again: what goes on being wrong is told once, and its end too.
  function tell(error: string | undefined): void {
    if (error === told) return;
    told = error;
    if (error === undefined) log.info({ task: name }, 'task works again');
    else log.error({ task: name, error }, 'task failed; it looks again shortly');
  }

  async function work(): Promise<void> {
    do {
      again = false;
      await task(() => !stopped).then(
        () => tell(undefined),
        (error: unknown) => tell(messageOf(error)),
      );
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
