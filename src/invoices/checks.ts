import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';
import { CUSTOMER_CREDIT, RECEIVABLE } from '../ledger/chart.ts';

/** What ties invoices and customers to the ledger. */
export const invoiceChecks: readonly Check[] = [
  finding(
    'an invoice has left what its allocations leave of it',
    sql`
      select i.number as found
      from invoices i
      left join lateral (
        select sum(amount_cents) as cents from allocations where due_kind = 'invoice' and due_id = i.id
      ) paid on true
      where i.outstanding_cents <> i.total_cents - coalesce(paid.cents, 0)
      limit 20`,
  ),
  finding(
    "a customer's receivable is what their invoices have left",
    sql`
      select c.number as found
      from customers c
      left join accounts a on a.code = ${RECEIVABLE} || ':' || c.number
      left join account_balances b on b.account_id = a.id
      left join lateral (
        select sum(outstanding_cents) as cents from invoices where customer_id = c.id
      ) open on true
      where coalesce(b.balance_cents, -1) <> coalesce(open.cents, 0)
      limit 20`,
  ),
  finding(
    "a customer's balance is their invoices less their payments",
    sql`
      select c.number as found
      from customers c
      left join account_balances owed on owed.account_id =
        (select id from accounts where code = ${RECEIVABLE} || ':' || c.number)
      left join account_balances credit on credit.account_id =
        (select id from accounts where code = ${CUSTOMER_CREDIT} || ':' || c.number)
      where coalesce(owed.balance_cents - credit.balance_cents, -1)
         <> (select coalesce(sum(total_cents), 0) from invoices where customer_id = c.id)
          - (select coalesce(sum(amount_cents), 0) from allocations
             where (due_kind = 'credit' and due_id = c.id)
                or (due_kind = 'invoice' and due_id in (select id from invoices where customer_id = c.id)))
      limit 20`,
  ),
];
