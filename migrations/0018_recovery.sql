-- What callbacks lost is found, and what they said is proven, by asking M-Pesa.

-- Pull Transactions, by shortcode: one process at a time asks, in the whole fleet.
create table pulls (
  shortcode text primary key,
  due_at timestamptz not null default now(),
  -- From when on somebody wants to know anew: a process that has started, a prompt that M-Pesa says is paid.
  wanted_from timestamptz,
  -- Up to here all has been asked for and kept.
  complete_to timestamptz,
  lease_until timestamptz,
  -- Raised by whoever takes the lease: one who lost it ends nothing.
  fence bigint not null default 0,
  failures smallint not null default 0,
  -- Why the last one failed: said once, however often it fails so.
  error text,
  -- Its times are Nairobi's, although they are called UTC: one of them was in the future.
  nairobi_times boolean not null default false
);

-- Questions about payments that nothing has proven yet (Transaction Status): a row and a token for each, committed
-- before it is asked.
create table status_questions (
  id bigint generated always as identity primary key,
  payment_id bigint not null references payments,
  shortcode text not null,
  -- The how-manieth about this payment.
  n smallint not null check (n >= 1),
  -- The end of the address at which it is answered: nobody else can answer it.
  token text not null unique check (length(token) >= 20),
  ask_at timestamptz not null default now(),
  asked_at timestamptz,
  -- Which initiator and credential asked, as a hash: one that M-Pesa refuses is not used again and again.
  asked_as text,
  error text,
  answered_at timestamptz,
  result_code text,
  verdict text check (verdict in ('verified', 'contradicted', 'reversed', 'refused', 'unclear')),
  unique (payment_id, n),
  check ((answered_at is null) = (verdict is null)),
  check (answered_at is null or asked_at is not null)
);
create index status_questions_due on status_questions (shortcode, ask_at) where asked_at is null;
create index status_questions_asked on status_questions (asked_as, asked_at) where asked_at is not null;
create index status_questions_answered on status_questions (asked_as, answered_at) where answered_at is not null;

create index payments_unverified on payments (created_at)
  where verified_at is null and reversed_at is null;
