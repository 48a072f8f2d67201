import { confirmation, receiptOf } from './confirmations.ts';
import { forAWhile, post } from './load.ts';
import { type Bench, no_pgbench, type Part, ratio, type Table } from './part.ts';
import { runPgbench } from './pgbench.ts';
import { startRole, startSink } from './processes.ts';
import { alternate, percentile } from './rounds.ts';
import { hook_secret } from './settings.ts';

const connection_counts = [1, 8, 32, 128];

// The very statement of src/inbox/keep.ts, for one arrival; and the row alone, waking no task.
const body = `E'${confirmation(0, 100).replaceAll(':', '\\x3a')}'`.replace(
  receiptOf(0),
  "' || :n || '",
);
const kept = `
with arrived as materialized (
  select nextval('inbox_id_seq') as id, a.*
  from (values ('c2b_confirmation', :n::text, ${body},
                sha256(convert_to(${body}, 'UTF8')), '127.0.0.1'::inet))
    as a(source, subject, body, body_hash, from_ip)
), kept as (
  insert into inbox (id, source, subject, body, body_hash, from_ip)
  overriding system value
  select * from arrived order by body_hash
  on conflict (source, body_hash) do nothing
  returning 1
)`;
const new_receipt = '\\set n random(1, 1000000000000000)';
const with_job = `${new_receipt}${kept}
select graphile_worker.add_job('drain_payments', max_attempts := 1) where exists (select from kept);
`;
const row_alone = `${new_receipt}${kept}
select from kept;
`;

export const callbacks: Part = { letter: 'a', title: 'Callbacks acknowledged', run };

async function run(bench: Bench): Promise<Table[]> {
  const { server, pgbench, seconds } = bench;
  const database = await server.makeDatabase('callbacks');
  const { folder } = server;
  const sink = await startSink();
  const web = await startRole('web', { database_url: database.url, folder, sink });
  let nth = 0;
  const ours = async (connections: number, latencies: number[]) => {
    const load = await post({
      ports: [web.port],
      path: `/hooks/${hook_secret}/c2b/confirmation`,
      connections,
      body: forAWhile(seconds, () => confirmation((nth += 1), 100)),
    });
    if (load.refused > 0) throw new Error(`${load.refused} callbacks were not answered 200`);
    latencies.push(...load.latencies_ms);
    return load.answered / load.seconds;
  };
  const reference = async (clients: number, script: string) =>
    pgbench
      ? runPgbench(pgbench, { database_url: database.url, script, clients, until: { seconds } })
      : 0;
  const rows: string[][] = [];
  const notes: string[] = pgbench ? [] : [no_pgbench];
  try {
    await ours(32, []);
    for (const connections of connection_counts) {
      bench.say(`${connections} connections`);
      const latencies: number[] = [];
      const { medians, notes: unsteady } = await alternate({
        with_job: () => reference(connections, with_job),
        ours: () => ours(connections, latencies),
        row_alone: () => reference(connections, row_alone),
      });
      latencies.sort((a, b) => a - b);
      notes.push(...unsteady.map((note) => `${connections} connections: ${note}`));
      rows.push([
        String(connections),
        ...[medians.ours, medians.with_job, medians.row_alone].map((rate) => rate.toFixed(0)),
        ratio(medians.ours, medians.with_job),
        ratio(medians.ours, medians.row_alone),
        percentile(latencies, 0.5).toFixed(2),
        percentile(latencies, 0.99).toFixed(2),
      ]);
    }
  } finally {
    await web.stop();
    await sink.stop();
    await database.drop();
  }
  return [
    {
      title: 'Callbacks acknowledged after their commit, a second',
      compares,
      columns,
      rows,
      notes,
    },
  ];
}

const compares =
  'Callbacks posted over HTTP and answered after their commit, against `pgbench` doing the same insert and job ' +
  'in one prepared statement and one commit each with as many clients, and against that insert without the job.';
const columns = [
  'connections',
  'ours',
  'pgbench',
  'row alone',
  'ratio',
  'to row alone',
  'p50 ms',
  'p99 ms',
];
