-- Customers and invoices that people make: their numbers, what an invoice is for, void ones, and credit that pays.

-- The last number given, by what it counts: customers, and the invoices of a day in Nairobi. Whoever takes the
-- next one holds the row until the commit, so none is given twice and none is lost.
create table counters (
  name text primary key check (name ~ '^(customer|invoice:[0-9]{8})$'),
  last bigint not null check (last > 0)
);
insert into counters (name, last)
  select 'customer', max(substring(number from 6)::bigint) from customers having count(*) > 0
  union all
  select 'invoice:' || split_part(number, '-', 2), max(split_part(number, '-', 3)::bigint)
  from invoices group by split_part(number, '-', 2);

alter table customers add column added_by bigint references people;
create index customers_name on customers (lower(name) text_pattern_ops);

-- What it is for, as the customer reads it.
alter table invoices add column description text not null default '' check (length(description) <= 120);
alter table invoices add column issued_by bigint references people;
-- Whoever asks again under the same key has asked before.
alter table invoices add column issued_key text unique check (length(issued_key) between 3 and 200);
alter table invoices add column voided_at timestamptz;
alter table invoices add column voided_by bigint references people;
alter table invoices add column void_reason text check (length(void_reason) between 1 and 200);
alter table invoices add check ((voided_at is null) = (void_reason is null));
-- Nothing is left to pay of it, and nothing was paid.
alter table invoices add constraint void_is_closed check (voided_at is null or outstanding_cents = 0);
alter table invoices drop column state;
alter table invoices add column state text not null generated always as (
  case when voided_at is not null then 'VOID'
       when outstanding_cents = 0 then 'PAID'
       when outstanding_cents < total_cents then 'PARTIALLY_PAID'
       else 'UNPAID' end
) stored;
create index invoices_due on invoices (due_on, id) where outstanding_cents > 0;
-- By the end of their number, as people shorten it: "INV-12".
create index invoices_nth on invoices ((split_part(number, '-', 3)::bigint), id);

-- What customers' credit has paid (Dr 2010, Cr 1200). As an allocation of a payment it is taken back by a
-- reversal, and never erased.
create table credit_allocations (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customers,
  due_kind text not null check (due_kind ~ '^[a-z_]{3,20}$'),
  due_id bigint not null,
  due_reference text not null,
  amount_cents bigint not null check (amount_cents > 0),
  created_at timestamptz not null default now(),
  reversed_at timestamptz,
  reversed_by bigint references people,
  reversed_for text,
  check ((reversed_at is null) = (reversed_for is null))
);
create index credit_allocations_customer on credit_allocations (customer_id);
create index credit_allocations_due on credit_allocations (due_kind, due_id);

-- Which reminders of an invoice were thought of, whether or not its customer wanted to hear: each once.
create table invoice_reminders (
  invoice_id bigint not null references invoices,
  kind text not null check (kind in ('before', 'today', 'after', 'again')),
  at timestamptz not null,
  primary key (invoice_id, kind)
);

-- The paper that goes with a message where a channel can carry one, by what it is of: it is drawn as it leaves.
alter table outbox add column paper jsonb;
