import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { sha256 } from '../src/base/secrets.ts';
import { fillBusiness } from './business.ts';
import { openInvoiceOf, receiptOf } from './confirmations.ts';
import { type Bench, type Part, ratio, scaled, type Table } from './part.ts';
import type { BenchDatabase } from './server.ts';

export const statementImport: Part = { letter: 'm', title: 'A long statement of M-Pesa’s', run };

const customers = 1_000;
const heap_mb = 256;

interface Imported {
  seconds: number;
  peak_mb: number;
}

async function run(bench: Bench): Promise<Table[]> {
  const lines = Math.min(100_000, scaled(100_000, bench));
  const database = await bench.server.makeDatabase('imports');
  try {
    await fillBusiness(database.pool, { customers, past_payments: 0 });
    const path = join(bench.server.folder, 'statement.csv');
    await pipeline(Readable.from(linesOf(lines)), createWriteStream(path));
    bench.say(`importing ${lines} lines`);
    const first = await importIn(database.url, path);
    bench.say('the same once more');
    const again = await importIn(database.url, path);
    const parsed = await parseAlone(path, lines);
    const copied = await copyAlone(database, path);
    const row = (what: string, seconds: number, peak_mb?: number) => [
      what,
      Math.round(lines / seconds).toLocaleString('en'),
      ratio(parsed, seconds),
      peak_mb === undefined ? '-' : peak_mb.toFixed(0),
    ];
    return [
      {
        title: `Lines a second of a statement of ${lines.toLocaleString('en')}`,
        compares:
          `Imported by a process whose heap may be ${heap_mb} MB: each line read, kept, matched and posted, with ` +
          'messages for admins alone; beside csv-parse reading the file, and PostgreSQL copying it into a table.',
        columns: ['what', 'lines a second', 'to csv-parse', 'peak MB'],
        rows: [
          row('imported, all of it new', first.seconds, first.peak_mb),
          row('imported again', again.seconds, again.peak_mb),
          row('csv-parse alone', parsed),
          row('copy alone', copied),
        ],
        notes: [],
      },
    ];
  } finally {
    await database.drop();
  }
}

/** The newest first, as the portal exports them; payments for open invoices, years of them. */
function* linesOf(count: number): Generator<string> {
  const header =
    'Receipt No,Completion Time,Details,Transaction Status,Paid In (KSHs),Withdrawn (KSHs),Balance (KSHs)';
  yield `${header}\r\n`;
  for (let n = count - 1; n >= 0; n -= 1) {
    const at = new Date(Date.UTC(2024, 0, 1) + n * 60_000).toISOString();
    const [year, month, day] = at.slice(0, 10).split('-');
    const payer = `25471****${String(n % 1000).padStart(3, '0')} - KAMAU NJOROGE`;
    const details = `Pay Bill from ${payer} Acc. ${openInvoiceOf(n % customers)}`;
    const when = `${day}/${month}/${year} ${at.slice(11, 19)}`;
    yield `${receiptOf(n)},${when},${details},Completed,500.00,0.00,${(n + 1) * 500}.00\r\n`;
  }
}

async function importIn(url: string, path: string): Promise<Imported> {
  const script = new URL('./import.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [`--max-old-space-size=${heap_mb}`, script, url, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`The import ended with ${code}`);
  return JSON.parse(said) as Imported;
}

async function parseAlone(path: string, expected: number): Promise<number> {
  const began = performance.now();
  let read = 0;
  for await (const _ of createReadStream(path).pipe(parse())) read += 1;
  if (read !== expected + 1) throw new Error(`${read} lines were read`);
  return (performance.now() - began) / 1000;
}

async function copyAlone({ pool }: BenchDatabase, path: string): Promise<number> {
  const name = `copied_${sha256(path).toString('hex').slice(0, 8)}`;
  await pool.query(`create table ${name} (a text, b text, c text, d text, e text, f text, g text)`);
  const began = performance.now();
  await pool.query(`copy ${name} from '${path.replaceAll("'", "''")}' with (format csv, header)`);
  return (performance.now() - began) / 1000;
}
