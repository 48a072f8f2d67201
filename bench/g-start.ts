import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../src/base/db.ts';
import { runningPostgresUrl } from '../src/base/embedded-postgres.ts';
import { freePort } from '../tests/helpers/process.ts';
import { addBacklog } from './business.ts';
import { type Bench, type Part, scaled, type Table } from './part.ts';
import { startWhole } from './processes.ts';
import { median } from './rounds.ts';

const rounds = 3;
// What Karani's own process was killed with, and whether its PostgreSQL was as well.
const deaths = [
  { name: 'kill -9 of Karani', both: false },
  { name: 'kill -9 of Karani and its PostgreSQL', both: true },
];

export const starting: Part = { letter: 'g', title: 'Start after a crash', run };

async function run(bench: Bench): Promise<Table[]> {
  const count = { inbox: scaled(100_000, bench), outbox: scaled(10_000, bench) };
  const data_dir = join(bench.server.folder, 'whole');
  const port = await freePort();
  const rows: string[][] = [];
  let running = await startWhole(data_dir, port);
  for (const { name, both } of deaths) {
    const ready: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      bench.say(name);
      await running.kill();
      await leaveWaiting(data_dir, count);
      if (both) await killPostgres(data_dir);
      const began = performance.now();
      const [next, seconds] = await Promise.all([
        startWhole(data_dir, port),
        untilReady(port, began),
      ]);
      running = next;
      ready.push(seconds);
    }
    rows.push([name, median(ready).toFixed(2), Math.max(...ready).toFixed(2)]);
  }
  await running.stop();
  return [
    {
      title: 'Seconds from the start until /readyz says yes, after a crash',
      compares:
        `The whole demo in one process on its own database, with ${count.inbox.toLocaleString('en')} callbacks ` +
        `waiting in the inbox and ${count.outbox.toLocaleString('en')} messages in the outbox; nothing to compare with.`,
      columns: ['after', 'median', 'longest'],
      rows,
      notes: [],
    },
  ];
}

let from = 0;

// Karani is dead by now and its PostgreSQL lives on: exactly so many will wait at the start.
async function leaveWaiting(
  data_dir: string,
  count: { inbox: number; outbox: number },
): Promise<void> {
  const { pool } = openDatabase(runningPostgresUrl(data_dir) ?? '', 2);
  const { rows } = await pool.query<{ inbox: number; outbox: number }>(
    `select (select count(*)::int from inbox where state = 'new') as inbox,
            (select count(*)::int from outbox where state in ('waiting', 'sending')) as outbox`,
  );
  const more = count.inbox - (rows[0]?.inbox ?? 0);
  if (more > 0) await addBacklog(pool, { from, count: more, customers: 1_000 });
  from += Math.max(0, more);
  await pool.query(
    `insert into outbox (key, person_id, words)
     select 'bench:' || gen_random_uuid(), (select min(id) from people) + n % 8, 'Habari'
     from generate_series(1, $1::int) n`,
    [count.outbox - (rows[0]?.outbox ?? 0)],
  );
  await pool.end();
}

async function killPostgres(data_dir: string): Promise<void> {
  const note = readFileSync(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8');
  const pid = Number(note.split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((done) => setTimeout(done, 10));
  }
}

async function untilReady(port: number, began: number): Promise<number> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    if (answer?.ok) return (performance.now() - began) / 1000;
    await new Promise((done) => setTimeout(done, 10));
  }
}
