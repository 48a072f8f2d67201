import type { Pool } from 'pg';
import { drainPayments } from '../src/payments/jobs.ts';
import { addConfirmations, addCustomers, fillInBulk, posting } from './business.ts';
import { clearQueues } from './commits.ts';
import { byPhone } from './confirmations.ts';
import { type Bench, type Part, ratio, scaled, type Table } from './part.ts';
import { alternate } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { busy } from './settings.ts';

export const openDues: Part = { letter: 'k', title: 'Payments among many open dues', run };

const dues_of_many = 50;
const least = { one: 500, many: 10 };
// Who pay in one round, however many there are: those who pay together are looked up together.
const payers = 10;

/** Customers are numbered: first those who have one due open, then those who have fifty. */
interface Filled {
  database: BenchDatabase;
  one: number;
  many: number;
}

async function run(bench: Bench): Promise<Table[]> {
  const wanted = Math.min(1_000_000, scaled(1_000_000, bench));
  const small = await fill(bench, 'few_dues', least);
  const large = await fill(bench, 'many_dues', {
    one: Math.round(wanted / 100),
    many: Math.round((wanted * 0.99) / dues_of_many),
  });
  const count = Math.min(2_000, scaled(1_000, bench));
  let from = 0;
  const measure = async ({ database, one, many }: Filled, who: 'one' | 'many') => {
    const { pool } = database;
    const there = who === 'one' ? one : many;
    const picked = Math.floor(Math.random() * (there - payers + 1));
    const bodies = Array.from({ length: count }, (_, n) => {
      const nth = picked + (n % payers);
      return byPhone(from + n, who === 'one' ? nth : one + nth);
    });
    await addConfirmations(pool, { from, bodies });
    from += count;
    const began = performance.now();
    const drained = await drainPayments(database.db, busy);
    const took_ms = performance.now() - began;
    if (drained !== count) throw new Error(`${drained} of ${count} were drained`);
    await clearQueues(pool);
    return took_ms / count;
  };
  try {
    bench.say(`${count} payments each`);
    const { medians, notes } = await alternate(
      {
        small_one: () => measure(small, 'one'),
        large_one: () => measure(large, 'one'),
        small_many: () => measure(small, 'many'),
        large_many: () => measure(large, 'many'),
      },
      1,
    );
    const row = (it: Filled, who: 'one' | 'many', ms: number, beside: number) => [
      (it.one + it.many * dues_of_many).toLocaleString('en'),
      who === 'one' ? '1' : String(dues_of_many),
      ms.toFixed(3),
      ratio(ms, beside),
    ];
    return [
      {
        title: 'What a payment costs among so many open dues, in milliseconds',
        compares:
          'Payments without an account, matched by the payer’s phone, drained in batches from callback to books, for ' +
          'persons with one open due and with fifty, among few open dues and many; against the same among few.',
        columns: ['open dues', 'of the payer', 'ms a payment', 'ratio'],
        rows: [
          row(small, 'one', medians.small_one, medians.small_one),
          row(large, 'one', medians.large_one, medians.small_one),
          row(small, 'many', medians.small_many, medians.small_many),
          row(large, 'many', medians.large_many, medians.small_many),
        ],
        notes: [
          `fifty against one: ${ratio(medians.small_many, medians.small_one)} among few, ` +
            `${ratio(medians.large_many, medians.large_one)} among many`,
          ...notes,
        ],
      },
    ];
  } finally {
    await small.database.drop();
    await large.database.drop();
  }
}

async function fill(
  bench: Bench,
  name: string,
  { one, many }: { one: number; many: number },
): Promise<Filled> {
  const began = performance.now();
  const database = await bench.server.makeDatabase(name);
  await fillDues(database.pool, one, many);
  const dues = one + many * dues_of_many;
  const seconds = (performance.now() - began) / 1000;
  bench.say(`${dues} open dues were there after ${seconds.toFixed(0)} s`);
  return { database, one, many };
}

/** Invoices that nothing has been paid of, each large enough for any number of payments. */
function fillDues(pool: Pool, one: number, many: number): Promise<void> {
  return fillInBulk(pool, async (client) => {
    await addCustomers(client, one + many);
    // One of each customer after the other, as they are issued over the year.
    await client.query(`
      create unlogged table bench_invoices as
      select nextval('invoices_id_seq') as id, c.id as customer_id, c.receivable_id,
             'INV-' || to_char(date '2026-01-01' + nth * 6, 'YYYYMMDD') || '-' || lpad(c.customer::text, 6, '0')
               as number,
             100000000::bigint as total_cents, date '2026-01-01' + nth * 6 as issued_on
      from generate_series(0, ${dues_of_many - 1}) nth
      join bench_customers c on c.customer >= case nth when 0 then 0 else ${one} end
      order by nth, c.customer;
      insert into invoices (id, number, customer_id, total_cents, outstanding_cents, issued_on, due_on)
      overriding system value
      select id, number, customer_id, total_cents, total_cents, issued_on, issued_on + 14
      from bench_invoices;
      ${posting(`
        select 'invoice:' || number || ':issued' as key, 'invoice_issued' as kind,
               issued_on::timestamptz as effective_at, receivable_id as debit_id,
               (select id from accounts where code = '4000') as credit_id, total_cents as cents
        from bench_invoices`)};
      drop table bench_invoices, bench_customers`);
  });
}
