import { addBacklog, fillBusiness } from './business.ts';
import {
  clearQueues,
  commitsSince,
  committedAt,
  newestLedgerTransaction,
  untilDrained,
} from './commits.ts';
import { confirmation, receiptOf } from './confirmations.ts';
import { post } from './load.ts';
import { type Bench, no_pgbench, type Part, ratio, scaled, type Table } from './part.ts';
import { runPgbench } from './pgbench.ts';
import { postingScript } from './posting-script.ts';
import { cpuSeconds, drainToTheEnd, type Running, startRole, startSink } from './processes.ts';
import { alternate, median, percentile } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { hook_secret } from './settings.ts';

const clients = 32;
const customers = 5_000;
const drains_one_by_one = 16;

export const endToEnd: Part = { letter: 'b', title: 'From the callback to the books', run };

async function run(bench: Bench): Promise<Table[]> {
  const { server, pgbench } = bench;
  const script = pgbench ? await postingScript(server) : '';
  const database = await server.makeDatabase('end_to_end');
  const sink = await startSink();
  try {
    await fillBusiness(database.pool, { customers, past_payments: 20_000 });
    const house = { database_url: database.url, folder: server.folder, sink };
    const drained = await drainRates(bench, database, script, () => startRole('worker', house));
    const web = await startRole('web', house);
    const worker = await startRole('worker', house);
    try {
      return [drained.table, await delays(bench, database, web, drained.rate / 2)];
    } finally {
      await worker.stop();
      await web.stop();
    }
  } finally {
    await sink.stop();
    await database.drop();
  }
}

let from = 0;

// Commits a second while a backlog is worked through, by the server's own times of the commits.
async function drainRates(
  bench: Bench,
  { pool, url }: BenchDatabase,
  script: string,
  startWorker: () => Promise<Running>,
): Promise<{ table: Table; rate: number }> {
  const { pgbench } = bench;
  const count = scaled(20_000, bench);
  const each = Math.ceil(count / 2 / clients);
  const cpu_ms = new Map<string, number[]>();
  const measure = async (
    who: string,
    it: { waits: number; held?: boolean; work: (first_inbox_id: bigint) => Promise<unknown> },
  ) => {
    const newest = await newestLedgerTransaction(pool);
    const { first_inbox_id } = await addBacklog(pool, { from, count: it.waits, customers, ...it });
    const before = cpuSeconds(bench.server.postmaster_pid, true);
    await it.work(first_inbox_id);
    const used = cpuSeconds(bench.server.postmaster_pid, true) - before;
    cpu_ms.set(who, [...(cpu_ms.get(who) ?? []), (used * 1000) / it.waits]);
    const commits = await commitsSince(pool, newest);
    if (commits.payments !== it.waits) throw new Error(`${commits.payments} of ${it.waits} paid`);
    from += it.waits;
    await clearQueues(pool);
    return commits.rate;
  };
  const oneByOneIn = (program: string) =>
    measure('reference', {
      waits: each * clients,
      held: true,
      work: (first_inbox_id) => {
        const variables = { n: 0, from, each, customers, first_inbox_id };
        const until = { each };
        return runPgbench(program, { database_url: url, script, clients, until, variables });
      },
    });
  const asWorker = async () => {
    const worker = await startWorker();
    await untilDrained(pool);
    await worker.stop();
  };
  const asDrain = (batch_size: number, drains: number) => () =>
    drainToTheEnd(url, { batch_size, drains });
  bench.say(`draining ${count} payments`);
  const { medians, notes } = await alternate(
    {
      reference: async () => (pgbench === undefined ? 0 : oneByOneIn(pgbench)),
      worker: () => measure('worker', { waits: count, work: asWorker }),
      drain: () => measure('drain', { waits: count, work: asDrain(200, 1) }),
      one_by_one: () =>
        measure('one_by_one', { waits: Math.ceil(count / 4), work: asDrain(1, drains_one_by_one) }),
    },
    1,
  );
  const row = (name: string, who: keyof typeof medians) => [
    name,
    medians[who].toFixed(0),
    who === 'reference' ? '1.00' : ratio(medians[who], medians.reference),
    median(cpu_ms.get(who) ?? []).toFixed(2),
  ];
  const table: Table = {
    title: 'Payments committed a second while a backlog is drained',
    compares:
      `A backlog of ${count} confirmations for ${customers} customers, each commit with the payments, ledger ` +
      `transactions, allocations and messages; against \`pgbench\` with ${clients} clients sending the very ` +
      'statements of our code (watched while it received two payments) for one payment a commit, prepared. ' +
      'Messages go to a trivial HTTP sink on loopback.',
    columns: ['who', 'payments', 'ratio', "ms of PostgreSQL's CPU"],
    rows: [
      row('worker process, batches, sending messages meanwhile', 'worker'),
      row('drain alone, batches of 200', 'drain'),
      row(`drain alone, one by one, ${drains_one_by_one} at once`, 'one_by_one'),
      row(`pgbench, one by one, ${clients} clients`, 'reference'),
    ],
    notes: pgbench ? notes : [...notes, no_pgbench],
  };
  return { table, rate: medians.worker };
}

// How long it takes at half of what the worker can drain.
async function delays(
  bench: Bench,
  { pool }: BenchDatabase,
  web: Running,
  pace: number,
): Promise<Table> {
  const postSome = async (count: number) => {
    const sent = new Map<string, number>();
    const load = await post({
      ports: [web.port],
      path: `/hooks/${hook_secret}/c2b/confirmation`,
      connections: clients,
      pace,
      body() {
        if (sent.size === count) return undefined;
        const nth = from + sent.size;
        sent.set(receiptOf(nth), performance.timeOrigin + performance.now());
        return confirmation(nth, customers);
      },
    });
    from += count;
    await untilDrained(pool);
    return { sent, load };
  };
  bench.say(`${pace.toFixed(0)} callbacks a second`);
  // Both processes have only just started.
  await postSome(Math.ceil(pace));
  const newest = await newestLedgerTransaction(pool);
  const { sent, load } = await postSome(Math.ceil(pace * bench.seconds * 2));
  const committed = await committedAt(pool, newest);
  const delays_ms = [...sent].map(([receipt, at]) => (committed.get(receipt) ?? Infinity) - at);
  delays_ms.sort((a, b) => a - b);
  const row = (name: string, ascending: number[]) => [
    name,
    ...[0.5, 0.9, 0.99, 1].map((share) => percentile(ascending, share).toFixed(1)),
  ];
  return {
    title: `Milliseconds at ${(load.answered / load.seconds).toFixed(0)} callbacks a second`,
    compares:
      `Callbacks posted evenly at half of the drain rate over ${clients} connections to a web process beside a ` +
      'worker process: from sending until the answer, and until its payment, ledger transactions and messages ' +
      'were committed.',
    columns: ['from sending until', 'p50', 'p90', 'p99', 'longest'],
    rows: [row('answered', load.latencies_ms), row('payment committed', delays_ms)],
    notes: load.refused > 0 ? [`${load.refused} were not answered 200`] : [],
  };
}
