import { sql } from 'kysely';
import { z } from 'zod';
import type { Check } from './base/check.ts';
import { SetupError } from './base/errors.ts';
import { centsFromDecimal } from './base/money.ts';

// What a simulator says has happened at M-Pesa, held against the database. It is read over HTTP as
// anybody else would read it: the two know nothing of each other.

const Truth = z.array(
  z.object({
    receipt: z.string(),
    amount: z.number().transform((shillings) => centsFromDecimal(String(shillings)) ?? -1n),
    to: z.string(),
    delivered: z.boolean(),
  }),
);
type Truth = z.output<typeof Truth>;

/**
 * Proves, against the simulator at this address, that every payment whose callback was answered is
 * on the books once with its amount, or waits its turn, and that there is none that M-Pesa never
 * had. Throws SetupError when no simulator answers there.
 */
export async function truthCheck(url: string): Promise<Check> {
  // Read before the database and after it: meanwhile people go on paying.
  const before = await readTruth(url);
  return {
    name: 'payments are those of M-Pesa',
    run: async (db) => {
      const { rows } = await sql<{ receipt: string; shortcode: string; cents: bigint | null }>`
        select p.receipt, p.shortcode, (
          select sum(amount_cents)::bigint from postings where ledger_transaction_id = t.id
        ) as cents
        from payments p
        left join ledger_transactions t on t.key = 'payment:' || p.receipt || ':received'
      `.execute(db);
      const waits = await sql<{ receipt: string }>`
        select distinct subject as receipt from inbox
        where source = 'c2b_confirmation' and state = 'new' and subject is not null
      `.execute(db);
      const recorded = new Map(rows.map((row) => [row.receipt, row]));
      const waiting = new Set(waits.rows.map((row) => row.receipt));
      const known = new Set((await readTruth(url)).map((it) => it.receipt));
      const strange = [...recorded.keys()].filter((receipt) => !known.has(receipt));
      return [
        ...differences(before, recorded, waiting),
        ...strange.map((receipt) => `${receipt} is here and M-Pesa never had it`),
      ].slice(0, 20);
    },
  };
}

function differences(
  truth: Truth,
  recorded: ReadonlyMap<string, { shortcode: string; cents: bigint | null }>,
  waiting: ReadonlySet<string>,
): string[] {
  return truth.flatMap(({ receipt, amount, to, delivered }) => {
    const found = recorded.get(receipt);
    if (!found) {
      return delivered && !waiting.has(receipt) ? [`${receipt} was answered and is not here`] : [];
    }
    if (found.cents !== amount) return [`${receipt} is ${found.cents} cents here, not ${amount}`];
    return found.shortcode === to ? [] : [`${receipt} is of ${found.shortcode} here, not of ${to}`];
  });
}

async function readTruth(url: string): Promise<Truth> {
  try {
    const response = await fetch(`${url}/sim/mpesa/transactions`);
    return Truth.parse(await response.json());
  } catch {
    throw new SetupError(`No simulator answers at ${url}: give --mpesa the address it printed.`);
  }
}
