import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import { nextNumber } from '../base/counters.ts';
import type { Db, Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { shownLine } from '../base/text.ts';
import { lockCustomers } from '../customers/lock.ts';
import type { Language } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { writeInvoice } from './issue.ts';
import { counterOf, invoiceNumber } from './number.ts';
import { payTap } from './pay-tap.ts';

export interface ToInvoice {
  customer_id: bigint;
  total_cents: bigint;
  description: string;
  /** A day in Nairobi; fourteen days from today if not said. */
  due_on?: string | undefined;
  /** Who issues it: null when it is a command. */
  by: bigint | null;
  /** What makes it once: the same key again gives the same invoice. */
  key: string;
  /** Whether the customer is told of it. */
  tell: boolean;
}

/** An invoice that was issued. */
export interface Issued {
  id: bigint;
  number: string;
  total_cents: bigint;
  /** What is left to pay of it: what was paid ahead has paid the rest. */
  outstanding_cents: bigint;
  due_on: string;
  description: string;
  /** Whether it was issued before, under the same key. */
  again: boolean;
}

export const usual_days = 14;
const longest_description = 120;
/** As much as a screen can show, in cents. */
const most_cents = 999_999_999n;

/**
 * Issues an invoice today, under the day's next number, once for each key, and tells the customer.
 * Refuses `unknown` customers, an amount that is none (`too_little`) or that no screen can show
 * (`too_much`), a due date that is over (`too_early`), and the same key for something else
 * (`other_contents`).
 */
export async function invoiceCustomer(tx: Tx, it: ToInvoice): Promise<Issued> {
  const today = eatDate(clock.now());
  const due_on = it.due_on ?? daysAfter(today, usual_days);
  const description = shownLine(it.description, longest_description);
  if (it.total_cents <= 0n) throw new Refusal('too_little');
  if (it.total_cents > most_cents) throw new Refusal('too_much');
  // Of one key asked for twice at once, the second sees what the first has issued.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`invoice:${it.key}`}, 0))`.execute(tx);
  const before = await issuedUnder(tx, it.key);
  if (before) {
    const same =
      before.customer_id === it.customer_id &&
      before.total_cents === it.total_cents &&
      before.description === description &&
      (it.due_on === undefined || before.due_on === due_on);
    if (!same) throw new Refusal('other_contents');
    return { ...before, again: true };
  }
  if (due_on < today) throw new Refusal('too_early');
  await lockCustomers(tx, [it.customer_id]);
  const customer = await tx
    .selectFrom('customers')
    .leftJoin('people', 'people.id', 'customers.person_id')
    .select(['customers.id', 'number', 'person_id', 'language'])
    .where('customers.id', '=', it.customer_id)
    .executeTakeFirst();
  if (!customer) throw new Refusal('unknown');
  const day = today.replaceAll('-', '');
  const number = invoiceNumber(day, String(await nextNumber(tx, counterOf(day))));
  await writeInvoice(tx, {
    number,
    customer: { id: customer.id, number: customer.number },
    total_cents: it.total_cents,
    issued_on: today,
    due_on,
    description,
    issued_by: it.by,
    issued_key: it.key,
  });
  const issued = await issuedUnder(tx, it.key);
  if (!issued) throw new Error(`${number} was issued and is not there`);
  if (it.tell) await tellOfInvoice(tx, customer, issued);
  return { ...issued, again: false };
}

async function issuedUnder(db: Db, key: string) {
  const row = await db
    .selectFrom('invoices')
    .select(['id', 'number', 'customer_id', 'total_cents', 'outstanding_cents', 'due_on'])
    .select('description')
    .where('issued_key', '=', key)
    .executeTakeFirst();
  return row;
}

async function tellOfInvoice(
  tx: Tx,
  { person_id, language }: { person_id: bigint | null; language: Language | null },
  it: Omit<Issued, 'again'>,
): Promise<void> {
  if (person_id === null) return;
  const { number, total_cents, outstanding_cents } = it;
  const values = {
    ref: number,
    what: it.description || '-',
    amount: decimalFromCents(total_cents),
    left: decimalFromCents(outstanding_cents),
    credit: decimalFromCents(total_cents - outstanding_cents),
    date: it.due_on,
  };
  const template = (() => {
    if (outstanding_cents === 0n) return 'invoice_paid_ahead';
    return outstanding_cents < total_cents ? 'invoice_part_ahead' : 'invoice_issued';
  })();
  const key = `invoice:${number}:issued`;
  const choices = outstanding_cents === 0n ? undefined : payTap(language ?? 'en');
  const paper = { kind: 'invoice', number } as const;
  await notify(tx, [{ key, person_id, template, values, choices, paper, trade: 'invoice' }]);
}

/** The day that is so many days after another, "2026-02-03". */
export function daysAfter(day: string, days: number): string {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}
