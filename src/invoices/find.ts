import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../base/db.ts';
import type { InvoiceState } from '../base/schema.ts';
import { slipsOf } from '../base/slips.ts';
import { invoiceNumber, invoiceNumbersIn } from './number.ts';

/** An invoice as it is listed. */
export interface Listed {
  id: bigint;
  number: string;
  customer_id: bigint;
  customer: string;
  name: string;
  person_id: bigint | null;
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

/**
 * The open invoices of which somebody may have typed the number wrongly: with one slip in its
 * digits, or without its beginning or its end.
 */
export async function invoicesNear(db: Db, typed: string): Promise<Listed[]> {
  const digits = typed.replace(/\D/g, '');
  const open = sql`i.outstanding_cents > 0`;
  const inOrder = sql`i.due_on, i.id`;
  // The day has eight digits, and the number on that day four or more.
  if (digits.length >= 11) {
    const numbers = slipsOf(digits)
      .filter((it) => it.length >= 12)
      .map((it) => invoiceNumber(it.slice(0, 8), it.slice(8)));
    return listInvoices(db, sql`i.number = any(${numbers}::text[]) and ${open}`, inOrder);
  }
  if (digits.length < 4) return findOpen(db, typed);
  const [beginning, end] = [`INV-${digits.slice(0, 8)}%`, `%${digits}`];
  const like_beginning = digits.length < 6 ? sql`false` : sql`i.number like ${beginning}`;
  const like_end = sql`replace(i.number, '-', '') like ${end}`;
  return listInvoices(db, sql`(${like_beginning} or ${like_end}) and ${open}`, inOrder);
}

async function findOpen(db: Db, typed: string): Promise<Listed[]> {
  const found = /^\s*inv/i.test(typed) ? await findInvoices(db, typed, 'all') : [];
  return found.filter((it) => it.outstanding_cents > 0n);
}

/** The invoices (`i`) of customers (`c`) that a condition names, in an order; ten if not said. */
export async function listInvoices(
  db: Db,
  which: RawBuilder<unknown>,
  order: RawBuilder<unknown> = sql`i.id desc`,
  limit: number = most_shown,
): Promise<Listed[]> {
  const { rows } = await sql<Listed>`
    select i.id, i.number, i.customer_id, c.number as customer, c.name, c.person_id, i.total_cents,
           i.outstanding_cents, i.issued_on, i.due_on, i.state, i.description
    from invoices i join customers c on c.id = i.customer_id
    where ${which} order by ${order} limit ${limit}
  `.execute(db);
  return rows;
}
