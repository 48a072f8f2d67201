import { inTransaction, openDatabase } from '../src/base/db.ts';
import { type LedgerTransaction, postLedger } from '../src/ledger/post.ts';
import { type Bench, type Part, ratio, type Table } from './part.ts';
import { alternate } from './rounds.ts';
import type { BenchDatabase } from './server.ts';

const accounts = 100_000;
const connections = 16;
const batch_sizes = [1, 20, 200];

export const hotAccount: Part = { letter: 'c', title: 'One hot account', run };

async function run(bench: Bench): Promise<Table[]> {
  const database = await bench.server.makeDatabase('hot');
  await openAccounts(database);
  const { db, pool } = openDatabase(database.url, connections);
  const rows: string[][] = [];
  const notes: string[] = [];
  let nth = 0;
  const posting = (control: () => string): LedgerTransaction => {
    nth += 1;
    return {
      key: `hot:${nth}`,
      kind: 'payment_received',
      effective_at: new Date(),
      postings: [{ debit: control(), credit: `2010:H-${anyAccount()}`, amount_cents: 50_000n }],
    };
  };
  const measure = async (size: number, control: () => string) => {
    const began = performance.now();
    const until = began + bench.seconds * 1000;
    let posted = 0;
    const keepPosting = async () => {
      while (performance.now() < until) {
        const batch = Array.from({ length: size }, () => posting(control));
        await inTransaction(db, (tx) => postLedger(tx, batch));
        posted += size;
      }
    };
    await Promise.all(Array.from({ length: connections }, keepPosting));
    return (posted * 1000) / (performance.now() - began);
  };
  try {
    for (const size of batch_sizes) {
      bench.say(`batches of ${size}`);
      const { medians, notes: unsteady } = await alternate({
        one: () => measure(size, () => '1010:600000:utility'),
        spread: () => measure(size, () => `1010:S-${anyAccount()}`),
      });
      notes.push(...unsteady.map((note) => `batches of ${size}: ${note}`));
      const rates = [medians.one, medians.spread].map((rate) => rate.toFixed(0));
      rows.push([String(size), ...rates, ratio(medians.one, medians.spread)]);
    }
  } finally {
    await pool.end();
    await database.drop();
  }
  return [{ title: 'Ledger transactions posted a second', compares, columns, rows, notes }];
}

const compares =
  `\`postLedger\` from ${connections} connections at once, between accounts of 100,000 customers and one account ` +
  'of ours, as all payments go, against the same with our side spread over 100,000 accounts.';
const columns = ['in one commit', 'one account', 'spread', 'ratio'];

const anyAccount = () => Math.floor(Math.random() * accounts);

// Customers' accounts keep their balance row by row, as in the house; ours do not.
async function openAccounts({ pool }: BenchDatabase): Promise<void> {
  await pool.query(`
    insert into accounts (code) select '1010:S-' || n from generate_series(0, ${accounts - 1}) n;
    with opened as (
      insert into accounts (code, owner_kind, owner_id)
      select '2010:H-' || n, 'customer', n from generate_series(0, ${accounts - 1}) n
      returning id
    )
    insert into account_balances (account_id, floor_cents) select id, 0 from opened;`);
  await pool.query('vacuum (analyze)');
}
