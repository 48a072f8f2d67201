import { fillBusiness } from './business.ts';
import { type Bench, scaled } from './part.ts';
import type { BenchDatabase } from './server.ts';

export interface Books extends BenchDatabase {
  customers: number;
  ledger_transactions: number;
}

const customers = 10_000;
let made: Promise<Books> | undefined;

/**
 * The books of a business with a million ledger transactions behind it, made once for all parts
 * that want it. Less than that where rounds are short, for a first look.
 */
export function largeBooks(bench: Bench): Promise<Books> {
  made ??= make(bench);
  return made;
}

async function make(bench: Bench): Promise<Books> {
  const wanted = Math.min(1_000_000, Math.max(20_000, scaled(1_000_000, bench)));
  const of_customers = Math.min(customers, Math.round(wanted / 100));
  // Each invoice is one, each payment two: five payments and their invoice make eleven.
  const past_payments = Math.round(((wanted - of_customers) * 5) / 11);
  bench.say(`filling a database with ${wanted} ledger transactions`);
  const began = performance.now();
  const database = await bench.server.makeDatabase('large');
  await fillBusiness(database.pool, { customers: of_customers, past_payments });
  const { rows } = await database.pool.query<{ count: number }>(
    'select count(*)::int as count from ledger_transactions',
  );
  bench.say(`filled in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return { ...database, customers: of_customers, ledger_transactions: rows[0]?.count ?? 0 };
}
