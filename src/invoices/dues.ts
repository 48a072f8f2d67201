import { type RawBuilder, sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { sendAhead } from '../base/connection.ts';
import { customerIds, customerParty } from '../customers/dues.ts';
import { lockCustomers } from '../customers/lock.ts';
import { receivableOf, UNMATCHED } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';
import { reverseLedger } from '../ledger/reverse.ts';
import type { Due, Dues, Meant, Named, Returned } from '../payments/due.ts';
import { findInvoices, invoicesNear, type Listed } from './find.ts';
import { invoiceNumbersIn } from './number.ts';

/** Invoices, as what money can pay. */
export const invoiceDues: Dues = {
  kind: 'invoice',
  prefix: 'inv',

  referencesIn: invoiceNumbersIn,

  async find(db, references) {
    const { rows } = await sql<Omit<Named, 'due' | 'party'> & { id: bigint; customer_id: bigint }>`
      select i.number as reference, i.id, i.customer_id, c.person_id,
             concat_ws(', ', c.name, c.number) as owner, i.voided_at is not null as closed
      from invoices i join customers c on c.id = i.customer_id
      where i.number = any(${references}::text[])
    `.execute(db);
    return rows.map((row) => ({
      reference: row.reference,
      person_id: row.person_id,
      owner: row.owner,
      party: customerParty(row.customer_id),
      due: { kind: 'invoice', id: row.id },
      closed: row.closed,
    }));
  },

  async meant(db, typed) {
    // "12" alone may be anything.
    if (!/^\s*inv/i.test(typed) && invoiceNumbersIn(typed).length === 0) return [];
    return (await findInvoices(db, typed, 'all')).map(toMeant);
  },

  async near(db, typed) {
    return (await invoicesNear(db, typed)).map(toMeant);
  },

  // Who pays invoices are customers, and those are found by customers/dues.ts.
  partiesOf: () => Promise.resolve([]),

  open: (db, parties) => openInvoices(db, parties, sql``),
  async lockOpen(tx, parties) {
    // An invoice that is being issued is seen by the payment that waits for it here.
    await lockCustomers(tx, customerIds(parties));
    return openInvoices(tx, parties, sql`for no key update`);
  },

  async suggest(db, { amount_cents, number_like }) {
    const { rows } = await sql<Omit<Due, 'kind' | 'party'> & { customer_id: bigint }>`
      select i.id, i.number as reference, i.customer_id, i.outstanding_cents, i.due_on, c.person_id
      from invoices i join customers c on c.id = i.customer_id
      where i.outstanding_cents > 0 and i.outstanding_cents
        between ${amount_cents}::bigint - 1000 and ${amount_cents}::bigint + 1000
      order by exists (
          select from addresses a
          where a.person_id = c.person_id and a.kind = 'msisdn' and a.value like ${number_like}) desc,
        abs(i.outstanding_cents - ${amount_cents}::bigint), i.due_on, i.id
      limit 3
    `.execute(db);
    return rows.map(toDue);
  },

  rest: () => undefined,

  async apply(tx, allocations) {
    if (allocations.length === 0) return;
    const { rows } = await sql<{ id: bigint; customer_number: string }>`
      with paid as (
        select due_id, sum(amount_cents)::bigint as amount_cents from unnest(
          ${allocations.map((a) => a.due_id)}::bigint[],
          ${allocations.map((a) => a.amount_cents)}::bigint[]) as a(due_id, amount_cents)
        group by due_id
      )
      update invoices i set outstanding_cents = i.outstanding_cents - paid.amount_cents
      from paid, customers c
      where i.id = paid.due_id and c.id = i.customer_id
      returning i.id, c.number as customer_number
    `.execute(tx);
    const customers = new Map(rows.map((row) => [row.id, row.customer_number]));
    await postLedger(
      tx,
      allocations.map((a) => ({
        key: `allocation:${a.id}`,
        kind: 'invoice_paid',
        effective_at: a.paid_at,
        postings: [
          {
            debit: UNMATCHED,
            credit: receivableOf(customers.get(a.due_id) ?? ''),
            amount_cents: a.amount_cents,
          },
        ],
      })),
    );
  },

  async takeBack(tx, allocations) {
    if (allocations.length === 0) return [];
    // In id order, as whoever pays them locks them.
    await sendAhead(
      tx,
      sql`select from customers where id in (
            select customer_id from invoices where id = any(${allocations.map((a) => a.due_id)}::bigint[]))
          order by id for no key update`,
    );
    const { rows } = await sql<Omit<Returned, 'kind'>>`
      with back as (
        select due_id, sum(amount_cents)::bigint as amount_cents from unnest(
          ${allocations.map((a) => a.due_id)}::bigint[],
          ${allocations.map((a) => a.amount_cents)}::bigint[]) as a(due_id, amount_cents)
        group by due_id
      ), locked as (
        select i.id, back.amount_cents from invoices i join back on back.due_id = i.id
        order by i.id for no key update of i
      )
      update invoices i set outstanding_cents = i.outstanding_cents + locked.amount_cents
      from locked, customers c where i.id = locked.id and c.id = i.customer_id
      returning i.id, i.number as reference, locked.amount_cents,
                i.outstanding_cents as left_cents, c.person_id
    `.execute(tx);
    const effective_at = clock.now();
    await reverseLedger(
      tx,
      allocations.map((a) => ({ of: `allocation:${a.id}`, effective_at })),
    );
    return rows.map((row) => ({ ...row, kind: 'invoice' }));
  },
};

function toMeant(it: Listed): Meant {
  return {
    reference: it.number,
    of: it.customer,
    name: it.name,
    person_id: it.person_id,
    party: customerParty(it.customer_id),
    due: { kind: 'invoice', id: it.id },
    closed: it.state === 'VOID',
  };
}

async function openInvoices(db: Db, parties: string[], lock: RawBuilder<unknown>): Promise<Due[]> {
  const { rows } = await sql<Omit<Due, 'kind' | 'party'> & { customer_id: bigint }>`
    with open as (
      select * from invoices
      where customer_id = any(${customerIds(parties)}::bigint[]) and outstanding_cents > 0
      order by id ${lock}
    )
    select i.id, i.number as reference, i.customer_id, i.outstanding_cents, i.due_on, c.person_id,
           concat_ws(', ', c.name, c.number) as owner
    from open i join customers c on c.id = i.customer_id
    order by i.due_on, i.id
  `.execute(db);
  return rows.map(toDue);
}

function toDue<T extends { customer_id: bigint }>(row: T) {
  return { ...row, kind: 'invoice', party: customerParty(row.customer_id) };
}
