import { drainPayments } from '../src/payments/jobs.ts';
import { largeBooks } from './books.ts';
import { addBacklog, fillBusiness } from './business.ts';
import { clearQueues, commitsSince, newestLedgerTransaction } from './commits.ts';
import { type Bench, type Part, ratio, scaled, type Table } from './part.ts';
import { alternate } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { busy } from './settings.ts';

const few_customers = 400;
const few_payments = 270;

export const growth: Part = { letter: 'd', title: 'Growth of the books', run };

async function run(bench: Bench): Promise<Table[]> {
  const large = await largeBooks(bench);
  const small = await bench.server.makeDatabase('small');
  await fillBusiness(small.pool, { customers: few_customers, past_payments: few_payments });
  const count = scaled(5_000, bench);
  let from = 0;
  const measure = async (database: BenchDatabase, customers: number) => {
    from += count;
    const newest = await newestLedgerTransaction(database.pool);
    await addBacklog(database.pool, { from, count, customers });
    await drainPayments(database.db, busy);
    const { rate } = await commitsSince(database.pool, newest);
    await clearQueues(database.pool);
    return 1000 / rate;
  };
  try {
    bench.say(`${count} payments each`);
    const { medians, notes } = await alternate(
      {
        small: () => measure(small, few_customers),
        large: () => measure(large, large.customers),
      },
      1,
    );
    return [
      {
        title: 'What a payment costs as the books grow, in milliseconds',
        compares:
          'Payments drained in batches, from callback to books, on books of a thousand ledger transactions and on ' +
          'large ones with all that is kept of their payments; the payments go to all customers alike.',
        columns: ['ledger transactions before', 'customers', 'ms a payment', 'ratio'],
        rows: [
          ['1,000', String(few_customers), medians.small.toFixed(3), '1.00'],
          [
            large.ledger_transactions.toLocaleString('en'),
            String(large.customers),
            medians.large.toFixed(3),
            ratio(medians.large, medians.small),
          ],
        ],
        notes,
      },
    ];
  } finally {
    await small.drop();
  }
}
