import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../base/db.ts';
import type { InvoiceState } from '../base/schema.ts';
import { invoiceNumbersIn } from './number.ts';

/** An invoice as it is listed. */
export interface Listed {
  id: bigint;
  number: string;
  customer_id: bigint;
  customer: string;
  name: string;
  total_cents: bigint;
  outstanding_cents: bigint;
  issued_on: string;
  due_on: string;
  state: InvoiceState;
  description: string;
}

const most_shown = 10;

/** Whose invoices are meant: everybody's, or one person's own. */
export type Whose = 'all' | { person_id: bigint };

const belongs = (whose: Whose) =>
  whose === 'all' ? sql`true` : sql`c.person_id = ${whose.person_id}`;

/**
 * The invoices that a text names: by their whole number, or by its end ("INV-12", "12") where that
 * is only one open invoice, or only one at all; otherwise all that it may mean, the newest first,
 * ten at most.
 */
export async function findInvoices(db: Db, text: string, whose: Whose): Promise<Listed[]> {
  const numbers = invoiceNumbersIn(text);
  if (numbers.length > 0) {
    return listInvoices(db, sql`i.number = any(${numbers}::text[]) and ${belongs(whose)}`);
  }
  const nth = /^\s*(?:inv(?:oice)?)?[^0-9a-z]*0*(\d{1,6})[\s?.!]*$/i.exec(text)?.[1];
  if (nth === undefined) return [];
  const found = await listInvoices(
    db,
    sql`split_part(i.number, '-', 3)::bigint = ${BigInt(nth)} and ${belongs(whose)}`,
    sql`i.outstanding_cents = 0, i.id desc`,
  );
  const open = found.filter((it) => it.outstanding_cents > 0n);
  return open.length === 1 ? open : found;
}

/** The invoices (`i`) of customers (`c`) that a condition names, in an order; ten if not said. */
export async function listInvoices(
  db: Db,
  which: RawBuilder<unknown>,
  order: RawBuilder<unknown> = sql`i.id desc`,
  limit: number = most_shown,
): Promise<Listed[]> {
  const { rows } = await sql<Listed>`
    select i.id, i.number, i.customer_id, c.number as customer, c.name, i.total_cents,
           i.outstanding_cents, i.issued_on, i.due_on, i.state, i.description
    from invoices i join customers c on c.id = i.customer_id
    where ${which} order by ${order} limit ${limit}
  `.execute(db);
  return rows;
}
