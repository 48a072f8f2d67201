import { readFileSync } from 'node:fs';
import { openDatabase } from '../src/base/db.ts';
import { verify } from '../src/ledger/verify.ts';
import { checks, running_checks } from '../src/registry.ts';
import { fillBusiness } from './business.ts';
import { clearQueues, untilDrained } from './commits.ts';
import { confirmation } from './confirmations.ts';
import { forAWhile, post } from './load.ts';
import type { Bench, Part, Table } from './part.ts';
import { type Running, startRole, startSink } from './processes.ts';
import { percentile } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { hook_secret } from './settings.ts';

const connections = 32;
const customers = 5_000;
const stretches = 10;
// A stretch is a minute at rounds of three seconds.
const rounds_a_stretch = 20;

/** Only when it is asked for by its letter: it takes ten minutes. */
export const steady: Part = {
  letter: 'h',
  title: 'Ten minutes at half of what it can',
  apart: true,
  run,
};

async function run(bench: Bench): Promise<Table[]> {
  const { server } = bench;
  const database = await server.makeDatabase('steady');
  const sink = await startSink();
  const house = { database_url: database.url, folder: server.folder, sink };
  const web = await startRole('web', house);
  const worker = await startRole('worker', house);
  try {
    await fillBusiness(database.pool, { customers, past_payments: 0 });
    return [await atHalf(bench, database, { web, worker })];
  } finally {
    await worker.stop();
    await web.stop();
    await sink.stop();
    await database.drop();
  }
}

async function atHalf(
  bench: Bench,
  { pool, url }: BenchDatabase,
  { web, worker }: { web: Running; worker: Running },
): Promise<Table> {
  let nth = 0;
  const next = () => confirmation((nth += 1), customers);
  const target = { ports: [web.port], path: `/hooks/${hook_secret}/c2b/confirmation`, connections };

  bench.say('how much it can, to the last payment committed');
  await post({ ...target, body: forAWhile(bench.seconds, next) });
  await untilDrained(pool);
  const began = performance.now();
  const all_out = await post({ ...target, body: forAWhile(bench.seconds * 3, next) });
  await untilDrained(pool);
  const most = all_out.answered / ((performance.now() - began) / 1_000);
  await clearQueues(pool);

  const rows: string[][] = [];
  let refused = 0;
  for (let n = 1; n <= stretches; n += 1) {
    bench.say(`stretch ${n} of ${stretches}, ${(most / 2).toFixed(0)} callbacks a second`);
    const body = forAWhile(bench.seconds * rounds_a_stretch, next);
    const load = await post({ ...target, pace: most / 2, body });
    refused += load.refused;
    const [p50, p99, longest] = [0.5, 0.99, 1].map((share) => percentile(load.latencies_ms, share));
    rows.push([
      String(n),
      (load.answered / load.seconds).toFixed(0),
      ...[p50, p99, longest].map((ms) => (ms ?? 0).toFixed(1)),
      ((p99 ?? 0) / (p50 || 1)).toFixed(1),
      ...[web, worker].map(({ pid }) => residentMegabytes(pid).toFixed(0)),
    ]);
  }
  await untilDrained(pool);
  const found = await findings(url);
  return {
    title: `Half of ${most.toFixed(0)} payments a second, stretch by stretch`,
    compares:
      `Callbacks posted evenly over ${connections} connections to a web process beside a worker process, at half of ` +
      'what the two can take and work through; how long the answer took, and the memory of both.',
    columns: [
      'stretch',
      'a second',
      'p50 ms',
      'p99 ms',
      'longest',
      'p99/p50',
      'web MB',
      'worker MB',
    ],
    rows,
    notes: [`${refused} were not answered 200; the check afterwards found ${found}.`],
  };
}

async function findings(url: string): Promise<string> {
  const { db } = openDatabase(url, 2);
  const found = await verify(db, [...checks, ...running_checks]);
  await db.destroy();
  return found.length === 0 ? 'nothing' : found.map((it) => it.found).join(', ');
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
