import { customerStatement } from '../src/reports/customer-statement.ts';
import { fillBusiness } from './business.ts';
import { type Bench, type Part, ratio, scaled, type Table } from './part.ts';
import { alternate } from './rounds.ts';

export const customerStatements: Part = { letter: 'l', title: 'A long statement', run };

const customers = 10;
const number = 'CUST-100003';

async function run(bench: Bench): Promise<Table[]> {
  const wanted = Math.min(10_000, scaled(10_000, bench));
  const database = await bench.server.makeDatabase('statements');
  const { db, pool } = database;
  try {
    bench.say(`${customers} customers with ${wanted} movements each`);
    // Five payments and their invoice make six.
    await fillBusiness(pool, {
      customers,
      past_payments: Math.round((wanted * customers * 5) / 6),
    });
    let lines = 0;
    const time = async (work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      return performance.now() - began;
    };
    const whole = { from: undefined, until: undefined };
    const year = {
      from: new Date('2026-06-01T00:00:00Z'),
      until: new Date('2026-07-01T00:00:00Z'),
    };
    const measures = {
      ours: () =>
        time(async () => (lines = (await customerStatement(db, number, whole)).lines.length)),
      month: () => time(() => customerStatement(db, number, year)),
      rows: () => time(() => pool.query(rows_alone, [`1200:${number}`, `2010:${number}`])),
    };
    // Planned, and in memory.
    for (const measure of Object.values(measures)) await measure();
    const { medians, notes } = await alternate(measures, 1);
    return [
      {
        title: `Milliseconds for the statement of a customer with ${lines.toLocaleString('en')} movements`,
        compares:
          'The statement of all time with its running balance and references, and of one month with what was before ' +
          'it, from the database to objects; against a select of the same rows of postings and ledger transactions.',
        columns: ['what', 'ms', 'ratio'],
        rows: [
          ['all of it', medians.ours.toFixed(1), ratio(medians.ours, medians.rows)],
          ['a month', medians.month.toFixed(1), ratio(medians.month, medians.rows)],
          ['the rows alone', medians.rows.toFixed(1), '1.00'],
        ],
        notes,
      },
    ];
  } finally {
    await database.drop();
  }
}

const rows_alone = `
  select t.id, t.effective_at, t.kind, t.key, p.amount_cents from accounts a
  join postings p on a.id in (p.debit_account_id, p.credit_account_id)
  join ledger_transactions t on t.id = p.ledger_transaction_id
  where a.code in ($1, $2) order by t.effective_at, t.id`;
