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
        select sum(amount_cents) as cents from allocations
        where due_kind = 'invoice' and due_id = i.id and reversed_at is null
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
      left join (
        select customer_id, sum(total_cents) as cents from invoices group by customer_id
      ) issued on issued.customer_id = c.id
      left join (
        select case a.due_kind when 'credit' then a.due_id else i.customer_id end as customer_id,
               sum(a.amount_cents) as cents
        from allocations a left join invoices i on a.due_kind = 'invoice' and i.id = a.due_id
        where a.due_kind in ('invoice', 'credit') and a.reversed_at is null group by 1
      ) paid on paid.customer_id = c.id
      where coalesce(owed.balance_cents - credit.balance_cents, -1)
         <> coalesce(issued.cents, 0) - coalesce(paid.cents, 0)
      limit 20`,
  ),
];
