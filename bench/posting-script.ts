import { assert } from '../src/base/errors.ts';
import { sha256 } from '../src/base/secrets.ts';
import { drainInbox } from '../src/inbox/take.ts';
import { receivePayments } from '../src/payments/receive.ts';
import { addBacklog } from './business.ts';
import { hearingOf } from '../src/payments/jobs.ts';
import { customerOf, msisdnOf } from './confirmations.ts';
import { busy } from './settings.ts';
import type { BenchServer } from './server.ts';
import { type Statement, watched } from './watch.ts';
import { fillBusiness } from './business.ts';

/** A value that is another with each payment, and how the script comes by it. */
interface Known {
  /** For the two payments that were watched. */
  values: readonly [string, string];
  /** As text, in SQL. */
  expression: string;
}

/** Text with known values in it. */
type Template = (string | Known)[];

const customers = 100;
const watched_payments = [11, 12] as const;

/**
 * A script for pgbench that does what our code does for one payment, statement by statement: made
 * by watching our code receive two payments, so that it stays true. What differs between the two is
 * traced back to the payment's number or to what an earlier statement returned.
 *
 * The script wants the variables `from`, `each`, `customers` and `first_inbox_id`, and `n`, 0 at the
 * start.
 */
export async function postingScript(server: BenchServer): Promise<string> {
  const database = await server.makeDatabase('watched');
  try {
    // Ids that nothing else could be mistaken for.
    for (const [index, table] of [
      ...'inbox payments allocations invoices customers people'.split(' '),
    ].entries()) {
      await database.pool.query(`alter sequence ${table}_id_seq restart ${index + 1}70350000`);
    }
    await fillBusiness(database.pool, { customers, past_payments: 100 });
    const known = await firstKnown(database.pool);
    const [first, second] = await watchTwo(database.pool, known);
    return writeScript(first, second, known);
  } finally {
    await database.drop();
  }
}

async function firstKnown(pool: Parameters<typeof addBacklog>[0]): Promise<Known[]> {
  const inbox_ids: string[] = [];
  for (const from of watched_payments) {
    const { first_inbox_id } = await addBacklog(pool, { from, count: 1, customers });
    inbox_ids.push(String(first_inbox_id));
  }
  const of = (value: (nth: number) => string) =>
    [value(watched_payments[0]), value(watched_payments[1])] as const;
  const customer = (nth: number) => customerOf(nth, customers);
  return [
    { values: [inbox_ids[0] ?? '', inbox_ids[1] ?? ''], expression: ':inbox_id::text' },
    { values: of((nth) => String(1_000_000_000 + nth)), expression: ':receipt_number::text' },
    { values: of((nth) => String(100_000 + customer(nth))), expression: ':invoice_number::text' },
    {
      values: of((nth) => sha256(msisdnOf(customer(nth))).toString('hex')),
      expression: "encode(sha256((:msisdn::text)::bytea), 'hex')",
    },
  ];
}

async function watchTwo(
  pool: Parameters<typeof watched>[0],
  known: Known[],
): Promise<[Statement[], Statement[]]> {
  assert(known.length > 0, 'two payments wait');
  const runs: Statement[][] = [];
  for (let run = 0; run < 2; run += 1) {
    const { db, statements } = watched(pool);
    let once = true;
    await drainInbox(
      db,
      {
        source: 'c2b_confirmation',
        batch_size: 1,
        work: (tx, rows) => receivePayments(tx, busy, rows.map(hearingOf)),
      },
      () => once && !(once = false),
    );
    // Taking it from the queue is not part of posting it: the script knows which is next.
    runs.push(statements.filter((s) => !/skip locked/i.test(s.text)));
  }
  const [first = [], second = []] = runs;
  return [first, second];
}

function writeScript(first: Statement[], second: Statement[], known: Known[]): string {
  assert(first.length === second.length && first.length > 5, 'both payments took the same way');
  const wanted = new Set<Known>();
  const templates = first.map((statement, index) => {
    const other = second[index];
    assert(other?.text === statement.text, 'both payments took the same way');
    const made = statement.values.map((value, i) => {
      const template = value === null ? null : templateOf(value, known);
      for (const piece of template ?? []) if (typeof piece === 'object') wanted.add(piece);
      const again = template && fillIn(template);
      assert(
        again === other.values[i],
        `what ${value} is made of is known: ${again} ${other.values[i]}`,
      );
      return template;
    });
    const returned = returnedBy(statement, other, index);
    known.push(...returned);
    return { statement, made, returned };
  });
  const lines = templates.map(({ statement, made, returned }, index) => {
    const text = statement.text
      .replace(/--.*$/gm, '')
      .replaceAll(/\$(\d+)/g, (_, n: string) => inSql(made[Number(n) - 1] ?? null));
    const kept = returned.some((value) => wanted.has(value));
    return `${text.trim()}${kept ? ` \\gset r${index}_` : ';'}`;
  });
  return [
    '\\set n :n + 1',
    '\\set i :client_id * :each + :n - 1',
    '\\set nth :from + :i',
    '\\set customer (:nth * 7919) % :customers',
    '\\set inbox_id :first_inbox_id + :i',
    '\\set receipt_number 1000000000 + :nth',
    '\\set invoice_number 100000 + :customer',
    '\\set msisdn 254710100000 + :customer',
    ...lines,
    '',
  ].join('\n');
}

// Single rows alone: of several, none can be told from the others.
function returnedBy(statement: Statement, other: Statement, index: number): Known[] {
  const [row] = statement.rows;
  const [twin] = other.rows;
  if (!row || !twin || statement.rows.length > 1) return [];
  return Object.entries(row).flatMap(([column, value]): Known[] => {
    if (typeof value !== 'bigint' && typeof value !== 'string') return [];
    const values = [String(value), String(twin[column])] as const;
    if (values[0] === values[1] || values[0].length < 6) return [];
    return [{ values, expression: `:r${index}_${column}::text` }];
  });
}

// The longest first, and of the same value the one that was known first.
function templateOf(text: string, known: Known[]): Template {
  const found = [...known]
    .sort((a, b) => b.values[0].length - a.values[0].length)
    .find((k) => text.includes(k.values[0]));
  if (!found) return [text];
  const [before = '', ...after] = text.split(found.values[0]);
  return after.reduce<Template>(
    (template, part) => [...template, found, ...templateOf(part, known)],
    templateOf(before, known),
  );
}

function fillIn(template: Template): string {
  return template.map((piece) => (typeof piece === 'string' ? piece : piece.values[1])).join('');
}

// pgbench reads :name as a variable even inside quotes.
function inSql(template: Template | null): string {
  if (template === null) return 'null';
  const pieces = template
    .filter((piece) => piece !== '')
    .map((piece) =>
      typeof piece === 'string'
        ? `E'${piece.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll(':', '\\x3a')}'`
        : piece.expression,
    );
  return pieces.length === 0 ? "''" : `(${pieces.join(' || ')})`;
}
