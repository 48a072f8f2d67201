import { fillBusiness } from './business.ts';
import { clearQueues, commitsSince, newestLedgerTransaction, untilDrained } from './commits.ts';
import { confirmation } from './confirmations.ts';
import { post } from './load.ts';
import { type Bench, type Part, ratio, scaled, type Table } from './part.ts';
import { cpuSeconds, type Running, startRole, startSink } from './processes.ts';
import { alternate, median } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { hook_secret } from './settings.ts';

const customers = 5_000;
const connections = 32;

export const severalProcesses: Part = { letter: 'e', title: 'Several processes', run };

type Cpu = Record<'web' | 'workers' | 'PostgreSQL' | 'load' | 'sink', number>;

async function run(bench: Bench): Promise<Table[]> {
  const { server } = bench;
  const database = await server.makeDatabase('processes');
  await fillBusiness(database.pool, { customers, past_payments: 20_000 });
  const sink = await startSink();
  const cpu: Record<1 | 2, Cpu[]> = { 1: [], 2: [] };
  try {
    const house = { database_url: database.url, folder: server.folder, sink };
    const { medians, notes } = await alternate(
      {
        one: () => measure(bench, database, 1, house, cpu[1]),
        two: () => measure(bench, database, 2, house, cpu[2]),
      },
      1,
    );
    const row = (each: 1 | 2, rate: number) => [
      `${each} web, ${each} worker`,
      rate.toFixed(0),
      ratio(rate, medians.one),
      ...(['web', 'workers', 'PostgreSQL', 'load', 'sink'] as const).map((who) =>
        median(cpu[each].map((used) => used[who])).toFixed(2),
      ),
    ];
    return [{ title, compares, columns, rows: [row(1, medians.one), row(2, medians.two)], notes }];
  } finally {
    await sink.stop();
    await database.drop();
  }
}

const title = 'Payments a second from the callback to the books, by processes';
const compares =
  `Callbacks posted as fast as they are answered over ${connections} connections, until the last payment was ` +
  'committed: two web and two worker processes on one database against one of each; and milliseconds of CPU ' +
  'that each part of it used for one payment, all of them sharing this machine.';
const columns = ['processes', 'payments', 'ratio', 'web', 'workers', 'PostgreSQL', 'load', 'sink'];

let nth = 0;

async function measure(
  bench: Bench,
  { pool }: BenchDatabase,
  each: 1 | 2,
  house: { database_url: string; folder: string; sink: Running },
  used: Cpu[],
): Promise<number> {
  bench.say(`${each} of each`);
  const processes = (role: 'web' | 'worker') =>
    Promise.all(Array.from({ length: each }, () => startRole(role, house)));
  const webs = await processes('web');
  const workers = await processes('worker');
  const cpuNow = (): Cpu => ({
    web: webs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    workers: workers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    PostgreSQL: cpuSeconds(bench.server.postmaster_pid, true),
    load: process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    sink: cpuSeconds(house.sink.pid),
  });
  const newest = await newestLedgerTransaction(pool);
  const before = cpuNow();
  const began = performance.timeOrigin + performance.now();
  const last = nth + scaled(15_000, bench);
  const count = last - nth;
  await post({
    ports: webs.map((web) => web.port),
    path: `/hooks/${hook_secret}/c2b/confirmation`,
    connections,
    body: () => (nth < last ? confirmation((nth += 1), customers) : undefined),
  });
  await untilDrained(pool);
  const after = cpuNow();
  const { payments, last_ms } = await commitsSince(pool, newest);
  if (payments !== count) throw new Error(`${payments} payments of ${count}`);
  used.push(
    Object.fromEntries(
      (Object.keys(before) as (keyof Cpu)[]).map((who) => [
        who,
        ((after[who] - before[who]) * 1000) / count,
      ]),
    ) as Cpu,
  );
  await Promise.all([...webs, ...workers].map((running) => running.stop()));
  await clearQueues(pool);
  return (payments * 1000) / (last_ms - began);
}
