import { readCsv } from './base/csv.ts';
import { type Db, inTransaction, type Tx } from './base/db.ts';
import { Refusal } from './base/errors.ts';
import { customer_columns, importCustomer } from './customers/import.ts';
import type { Command } from './commands.ts';
import type { ExitCode } from './exit.ts';
import { importInvoice, invoice_columns } from './invoices/import.ts';
import { withDatabase } from './with-database.ts';

/** What a line came to: how many, and each that was not taken. */
interface Imported {
  added: number;
  /** Was there already, from this file or another. */
  there: number;
  wrong: { line: number; reason: string }[];
}

type Values = Readonly<Record<string, string>>;
type TakeLine = (tx: Tx, values: Values) => Promise<'added' | 'there'>;

/** The commands that read customers and invoices from files; 1 when lines were not taken. */
export const importCommands: readonly Command[] = [
  {
    name: 'customers import',
    summary: 'Adds the customers of a CSV file, with the columns name and phone.',
    positionals: ['FILE'],
    options: { json: { type: 'boolean' } },
    run: (values, [file = '']) =>
      withDatabase(async (db) =>
        show(await importLines(db, file, customer_columns, importCustomer), values),
      ),
  },
  {
    name: 'invoices import',
    summary:
      'Issues the invoices of a CSV file: reference, customer, amount, description, due. --tell: and tells them.',
    positionals: ['FILE'],
    options: { json: { type: 'boolean' }, tell: { type: 'boolean' } },
    run: (values, [file = '']) => {
      const tell = values['tell'] === true;
      const take: TakeLine = (tx, line) => importInvoice(tx, line, { tell });
      return withDatabase(async (db) =>
        show(await importLines(db, file, invoice_columns, take), values),
      );
    },
  },
];

// Each line in a commit of its own: one that is wrong undoes no other, and a file can be imported
// again once it is corrected.
async function importLines(
  db: Db,
  path: string,
  columns: readonly string[],
  take: TakeLine,
): Promise<Imported> {
  const imported: Imported = { added: 0, there: 0, wrong: [] };
  for await (const row of readCsv(path, columns)) {
    if ('wrong' in row) {
      imported.wrong.push({ line: row.line, reason: row.wrong });
      continue;
    }
    try {
      imported[await inTransaction(db, (tx) => take(tx, row.values))] += 1;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      imported.wrong.push({ line: row.line, reason: reasons[error.code] ?? error.code });
    }
  }
  return imported;
}

const reasons: Readonly<Record<string, string>> = {
  wrong_phone: 'the phone is no Kenyan mobile number',
  wrong_number: 'the number is none of a customer, such as CUST-001',
  no_phone: 'there is neither a phone nor a number to know the customer by',
  no_name: 'there is no name',
  other_name: 'that number is a customer of another name',
  exists: 'that phone is a customer already, under another number',
  no_reference: 'there is no reference, by which a repeat is known',
  wrong_amount: 'the amount is none',
  wrong_due: 'the due date is no day, such as 2026-02-28 or 28/2/2026',
  unknown: 'we know no such customer, or more than one',
  too_little: 'the amount must be above 0',
  too_much: 'the amount is more than KES 9,999,999.99',
  too_early: 'the due date is over',
  other_contents: 'that reference was imported before, with something else',
};

function show({ added, there, wrong }: Imported, { json }: Record<string, unknown>): ExitCode {
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ added, there, wrong })}\n`);
  } else {
    process.stdout.write(`Added: ${added}. There already: ${there}. Not taken: ${wrong.length}.\n`);
    for (const { line, reason } of wrong) process.stderr.write(`line ${line}: ${reason}\n`);
  }
  return wrong.length === 0 ? 0 : 1;
}
