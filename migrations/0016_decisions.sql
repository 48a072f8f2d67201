-- What people decide about payments, and what M-Pesa takes back.

alter table allocations add column decided_by bigint references people;

alter table payments add column refund_marked_at timestamptz;
alter table payments add column refund_marked_by bigint references people;
alter table payments add check ((refund_marked_at is null) = (refund_marked_by is null));

-- M-Pesa has given the money back to the payer.
alter table payments add column reversed_at timestamptz;
alter table payments add column reversal_receipt text unique
  check (reversal_receipt ~ '^[A-Z0-9]{6,20}$');
alter table payments add check (reversal_receipt is null or reversed_at is not null);

alter table payments drop column state;
alter table payments add column state text not null generated always as (
  case when reversed_at is not null then 'reversed'
       when allocated_cents = amount_cents then 'matched'
       else 'unmatched' end
) stored;

-- For suggesting whose a payment may be.
create index invoices_open_amount on invoices (outstanding_cents) where outstanding_cents > 0;

drop index payments_unmatched;
create index payments_unmatched on payments (id)
  where allocated_cents < amount_cents and reversed_at is null;
