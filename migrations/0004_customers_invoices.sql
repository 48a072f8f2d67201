-- Who buys, and what they are asked to pay.

create table customers (
  id bigint generated always as identity primary key,
  number text not null unique check (number ~ '^CUST-[0-9]{3,9}$'),
  name text not null check (length(name) between 1 and 100),
  person_id bigint references people,
  created_at timestamptz not null default now()
);
create index customers_person on customers (person_id);

create table invoices (
  id bigint generated always as identity primary key,
  number text not null unique check (number ~ '^INV-[0-9]{8}-[0-9]{4,6}$'),
  customer_id bigint not null references customers,
  total_cents bigint not null check (total_cents > 0),
  outstanding_cents bigint not null,
  issued_on date not null,
  due_on date not null,
  state text not null generated always as (
    case when outstanding_cents = 0 then 'PAID'
         when outstanding_cents < total_cents then 'PARTIALLY_PAID'
         else 'UNPAID' end
  ) stored,
  created_at timestamptz not null default now(),
  constraint never_over_applied check (outstanding_cents between 0 and total_cents)
);
create index invoices_open on invoices (customer_id, due_on, id) where outstanding_cents > 0;
create index invoices_customer on invoices (customer_id);
