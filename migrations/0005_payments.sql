-- Money that reached us, each way it was heard of, and what it paid.

create table payments (
  id bigint generated always as identity primary key,
  shortcode text not null,
  -- One key for all the ways a payment is heard of. M-Pesa never gives a receipt twice, so the same
  -- receipt under another shortcode is a conflict, not a second payment.
  receipt text not null unique check (receipt ~ '^[A-Z0-9]{6,20}$'),
  amount_cents bigint not null check (amount_cents > 0),
  allocated_cents bigint not null default 0,
  paid_at timestamptz not null,
  account_typed text not null default '',
  payer_msisdn text,
  payer_hash text,
  payer_masked text,
  payer_name text,
  state text not null generated always as (
    case when allocated_cents = amount_cents then 'matched' else 'unmatched' end
  ) stored,
  -- Which rule decided, and what else was possible.
  rule text not null default 'unmatched'
    check (rule in ('reference', 'customer', 'single', 'amount', 'oldest', 'unmatched')),
  also_possible jsonb not null default '[]',
  -- Broke a rule of ours (an unknown shortcode) and was recorded all the same.
  flag text,
  -- How the admins were told: by a message of its own, or in a digest, for which null waits.
  told text check (told in ('alone', 'digest')),
  -- A callback alone proves nothing: set when a second source has confirmed it.
  verified_at timestamptz,
  created_at timestamptz not null default now(),
  constraint never_over_allocated check (allocated_cents between 0 and amount_cents)
);
create index payments_unmatched on payments (id) where allocated_cents < amount_cents;
create index payments_to_digest on payments (created_at) where told is null;
create index payments_told_alone on payments (created_at) where told = 'alone';
create index payments_paid on payments (paid_at);

create table hearings (
  inbox_id bigint primary key references inbox,
  payment_id bigint not null references payments,
  source text not null,
  shortcode text not null,
  amount_cents bigint not null,
  -- first: made the payment; repeat: says the same; conflict: another amount or shortcode, not posted.
  verdict text not null check (verdict in ('first', 'repeat', 'conflict')),
  heard_at timestamptz not null default now()
);
create index hearings_payment on hearings (payment_id);
create index hearings_conflicts on hearings (inbox_id) where verdict = 'conflict';

create table allocations (
  id bigint generated always as identity primary key,
  payment_id bigint not null references payments,
  due_kind text not null check (due_kind ~ '^[a-z_]{3,20}$'),
  due_id bigint not null,
  -- As people write it, so that a payment can say what it paid without asking the trade.
  due_reference text not null,
  amount_cents bigint not null check (amount_cents > 0),
  created_at timestamptz not null default now()
);
create index allocations_payment on allocations (payment_id);
create index allocations_due on allocations (due_kind, due_id);
