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
      left join lateral (
        select sum(amount_cents) as cents from credit_allocations
        where due_kind = 'invoice' and due_id = i.id and reversed_at is null
      ) credited on true
      where i.outstanding_cents <> case when i.voided_at is null then i.total_cents else 0 end
          - coalesce(paid.cents, 0) - coalesce(credited.cents, 0)
      limit 20`,
  ),
  finding(
    'an invoice is on the books with its amount, and reversed when it is void',
    sql`
      select i.number as found
      from invoices i
      left join ledger_transactions t on t.key = 'invoice:' || i.number || ':issued'
      left join ledger_transactions r on r.key = 'invoice:' || i.number || ':issued:reversed'
      left join (
        select ledger_transaction_id as id, sum(amount_cents) as cents from postings group by 1
      ) s on s.id = t.id
      where s.cents is distinct from i.total_cents::numeric
         or (i.voided_at is not null) <> (r.id is not null)
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
        select customer_id, sum(total_cents) as cents from invoices
        where voided_at is null group by customer_id
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
  finding(
    "a customer's credit is what was paid ahead, less what it has paid since",
    sql`
      select c.number as found
      from customers c
      left join account_balances credit on credit.account_id =
        (select id from accounts where code = ${CUSTOMER_CREDIT} || ':' || c.number)
      left join (
        select due_id as id, sum(amount_cents) as cents from allocations
        where due_kind = 'credit' and reversed_at is null group by 1
      ) ahead on ahead.id = c.id
      left join (
        select customer_id as id, sum(amount_cents) as cents from credit_allocations
        where reversed_at is null group by 1
      ) spent on spent.id = c.id
      where coalesce(credit.balance_cents, -1) <> coalesce(ahead.cents, 0) - coalesce(spent.cents, 0)
      limit 20`,
  ),
  finding(
    'what credit has paid is on the books, with its amount, and reversed when it was taken back',
    sql`
      select 'credit allocation ' || a.id as found
      from credit_allocations a
      left join ledger_transactions t on t.key = 'credit_allocation:' || a.id
      left join ledger_transactions r on r.key = 'credit_allocation:' || a.id || ':reversed'
      left join (
        select ledger_transaction_id as id, sum(amount_cents) as cents from postings group by 1
      ) s on s.id = t.id
      where s.cents is distinct from a.amount_cents::numeric
         or (a.reversed_at is not null) <> (r.id is not null)
      limit 20`,
  ),
  finding(
    'all credit that was spent on the books has paid something',
    sql`
      select t.key as found from ledger_transactions t
      where t.kind = 'credit_spent'
        and not exists (
          select from credit_allocations a where t.key = 'credit_allocation:' || a.id)
      limit 20`,
  ),
];
