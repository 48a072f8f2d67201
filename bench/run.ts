import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../src/base/embedded-postgres.ts';
import { median, percentile, postForAWhile } from './load.ts';
import { findPgbench, runPgbench } from './pgbench.ts';
import { startWebProcess } from './web-process.ts';

// (a) Callbacks over HTTP, acknowledged after commit, against pgbench doing the same inbox insert and job in
// one statement and one commit each, with as many clients, in alternating rounds on the same server.

const rounds = 3;
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);
const connection_counts = [1, 8, 32, 128];
const largest_drift = 0.15;

const hook_secret = 'bench-hook-secret-0123456789';

let receipts = 0;
const run_id = Date.now().toString(36).toUpperCase().slice(-5);

function body(): string {
  receipts += 1;
  const receipt = `B${run_id}${receipts.toString(36).toUpperCase().padStart(6, '0')}`;
  return (
    `{"TransactionType":"Pay Bill","TransID":"${receipt}","TransTime":"20261120143000",` +
    '"TransAmount":"500.00","BusinessShortCode":"600000","BillRefNumber":"INV-20260203-0001",' +
    '"InvoiceNumber":"","OrgAccountBalance":"49197.00","ThirdPartyTransID":"",' +
    '"MSISDN":"edb3db9f36c1ef594de010ae06bcc8a019b50b629a1f508143995723bf7ae2ba",' +
    '"FirstName":"KAMAU","MiddleName":"NJOROGE","LastName":"MWANGI"}'
  );
}

// The very statement of src/inbox/keep.ts, for one arrival.
const script = `\\set n random(1, 1000000000000000)
with kept as (
  insert into inbox (source, body, body_hash, from_ip)
  select source, body, sha256(convert_to(body, 'UTF8')), from_ip from (values (
    'c2b_confirmation',
    ${`'${body().replaceAll("'", "''")}'`.replace(/"TransID":"\w+"/, `"TransID":"' || :n || '"`)},
    '127.0.0.1'::inet)) as a(source, body, from_ip)
  on conflict (source, body_hash) do nothing
  returning 1
)
select graphile_worker.add_job('drain_payments', max_attempts := 1) where exists (select from kept);
`;

/** Milliseconds for a fixed piece of work: how fast the machine is right now. */
function machineSpeed(): number {
  const began = performance.now();
  let sum = 0;
  for (let i = 0; i < 150_000_000; i += 1) sum += i % 7;
  return sum > 0 ? performance.now() - began : 0;
}

interface Row {
  connections: number;
  ours: number;
  reference: number | undefined;
  p50_ms: number;
  p99_ms: number;
}

async function measure(
  port: number,
  connections: number,
): Promise<{ rate: number; latencies: number[] }> {
  const load = await postForAWhile({
    host: '127.0.0.1',
    port,
    path: `/hooks/${hook_secret}/c2b/confirmation`,
    connections,
    seconds,
    body,
  });
  if (load.refused > 0) throw new Error(`${load.refused} callbacks were not answered 200`);
  return { rate: load.answered / load.seconds, latencies: load.latencies_ms };
}

async function compare(
  pgbench: string | undefined,
  url: string,
  port: number,
  connections: number,
): Promise<Row> {
  const ours: number[] = [];
  const reference: number[] = [];
  const latencies: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (pgbench) reference.push(runPgbench(pgbench, url, script, connections, seconds));
    const measured = await measure(port, connections);
    ours.push(measured.rate);
    latencies.push(...measured.latencies);
  }
  latencies.sort((a, b) => a - b);
  return {
    connections,
    ours: median(ours),
    reference: pgbench ? median(reference) : undefined,
    p50_ms: percentile(latencies, 0.5),
    p99_ms: percentile(latencies, 0.99),
  };
}

function show(row: Row): string {
  const ratio = row.reference ? (row.ours / row.reference).toFixed(2) : '-';
  return [
    String(row.connections).padStart(11),
    row.ours.toFixed(0).padStart(12),
    (row.reference?.toFixed(0) ?? '-').padStart(12),
    ratio.padStart(8),
    row.p50_ms.toFixed(2).padStart(9),
    row.p99_ms.toFixed(2).padStart(9),
  ].join('');
}

const folder = await mkdtemp(join(tmpdir(), 'karani-bench-'));
const postgres = await startPostgres(join(folder, 'data'));
const web = await startWebProcess({
  database_url: postgres.url,
  data_dir: join(folder, 'web'),
  hook_secret,
});
const pgbench = findPgbench();
try {
  console.log('(a) Callbacks acknowledged after commit, a second\n');
  console.log('connections        ours    pgbench   ratio   p50 ms   p99 ms');
  await measure(web.port, 32);
  for (const connections of connection_counts) {
    for (let attempt = 1; ; attempt += 1) {
      const before = machineSpeed();
      const row = await compare(pgbench, postgres.url, web.port, connections);
      const drift = Math.abs(machineSpeed() / before - 1);
      if (drift <= largest_drift || attempt === 3) {
        console.log(
          show(row) +
            (drift > largest_drift ? `   machine unsteady: ${(drift * 100).toFixed(0)} %` : ''),
        );
        break;
      }
    }
  }
  if (!pgbench)
    console.log(
      '\nWithout pgbench (Debian: postgresql-contrib) there is nothing to compare with: no verdict.',
    );
} finally {
  await web.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
