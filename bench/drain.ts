import { openDatabase } from '../src/base/db.ts';
import { drainInbox } from '../src/inbox/take.ts';
import { receivePayments } from '../src/payments/receive.ts';
import { hearingOf } from '../src/payments/jobs.ts';
import { busy } from './settings.ts';

// A process: what the worker does with payments and nothing else, in batches of any size.

const [url = '', batch_size = '200', drains = '1'] = process.argv.slice(2);
const { db, pool } = openDatabase(url);
await Promise.all(
  Array.from({ length: Number(drains) }, () =>
    drainInbox(
      db,
      {
        source: 'c2b_confirmation',
        batch_size: Number(batch_size),
        work: (tx, rows) => receivePayments(tx, busy, rows.map(hearingOf)),
      },
      () => true,
    ),
  ),
);
await pool.end();
console.log('drained');
