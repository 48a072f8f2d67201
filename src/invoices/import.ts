import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { centsFromTyped } from '../base/money.ts';
import { findCustomers } from '../customers/find.ts';
import { invoiceCustomer } from './invoice-customer.ts';

/** The columns of a file of invoices that must be there; `description` and `due` may be. */
export const invoice_columns = ['reference', 'customer', 'amount'] as const;

/**
 * Issues the invoice of one line, once: its `reference`, which is the file's own, tells it from
 * others. Refuses what `invoiceCustomer` does, a line without a reference (`no_reference`), an
 * amount or a day that is none (`wrong_amount`, `wrong_due`).
 */
export async function importInvoice(
  tx: Tx,
  values: Readonly<Record<string, string>>,
  { tell }: { tell: boolean },
): Promise<'added' | 'there'> {
  const { reference = '', customer = '', amount = '', description = '', due = '' } = values;
  if (reference === '' || reference.length > 100) throw new Refusal('no_reference');
  const total_cents = centsFromTyped(amount);
  if (total_cents === undefined) throw new Refusal('wrong_amount');
  const due_on = due === '' ? undefined : dayFrom(due);
  if (due !== '' && due_on === undefined) throw new Refusal('wrong_due');
  // Nobody looks at it here: a name is the whole name, and one that two people have is nobody's.
  const by_name = !/\d/.test(customer);
  const [only, other] = (await findCustomers(tx, customer)).filter(
    ({ name }) => !by_name || name.toLowerCase() === customer.toLowerCase(),
  );
  if (!only || other) throw new Refusal('unknown');
  const { again } = await invoiceCustomer(tx, {
    customer_id: only.id,
    total_cents,
    description,
    due_on,
    by: null,
    key: `import:${reference}`,
    tell,
  });
  return again ? 'there' : 'added';
}

/** "2026-02-03" or "3/2/2026", the day before the month; undefined when it is no day. */
function dayFrom(text: string): string | undefined {
  const iso = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  const written = /^(\d{1,2})[/.](\d{1,2})[/.](\d{4})$/.exec(text);
  const [year, month, day] = iso
    ? [iso[1], iso[2], iso[3]]
    : [written?.[3], written?.[2]?.padStart(2, '0'), written?.[1]?.padStart(2, '0')];
  const date = `${year}-${month}-${day}`;
  const at = new Date(`${date}T00:00:00Z`);
  // A 31 February rolls over instead of failing, so it is read back.
  return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 10) === date ? date : undefined;
}
