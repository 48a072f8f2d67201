-- What came, exactly as it came, and what is to be told. Rows are the truth; jobs only wake.

create table inbox (
  id bigint generated always as identity primary key,
  source text not null check (source ~ '^[a-z0-9_]{2,40}$'),
  body text not null,
  body_hash bytea not null check (length(body_hash) = 32),
  from_ip inet,
  received_at timestamptz not null default clock_timestamp(),
  state text not null default 'new' check (state in ('new', 'done', 'failed')),
  attempts smallint not null default 0,
  due_at timestamptz not null default now(),
  error text,
  done_at timestamptz,
  -- The same bytes again are the same fact: answered alike, kept once.
  unique (source, body_hash)
);
create index inbox_waiting on inbox (source, due_at, id) where state = 'new';
create index inbox_failed on inbox (id) where state = 'failed';

-- What reached a callback address and could not be read. Money may have moved, so its head is kept.
create table inbox_rejected (
  id bigint generated always as identity primary key,
  source text not null,
  reason text not null,
  head bytea not null check (length(head) <= 4096),
  length_bytes bigint not null,
  body_hash bytea not null,
  from_ip inet,
  received_at timestamptz not null default now(),
  unique (source, body_hash)
);
create index inbox_rejected_at on inbox_rejected (received_at);

create table outbox (
  id bigint generated always as identity primary key,
  -- What is told and to whom: the same message is never queued twice.
  key text not null unique check (length(key) between 3 and 200),
  person_id bigint not null references people,
  -- Either a message of flows/_messages.yaml with its values, or words that a conversation has chosen.
  template text,
  values jsonb not null default '{}',
  words text,
  state text not null default 'waiting' check (state in ('waiting', 'sending', 'sent', 'failed')),
  attempts smallint not null default 0,
  -- Attempts that ended without an answer: each may have been a message.
  doubts smallint not null default 0,
  due_at timestamptz not null default now(),
  lease_until timestamptz,
  provider_id text,
  error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  check ((template is null) <> (words is null))
);
create index outbox_due on outbox (person_id, id) where state in ('waiting', 'sending');
create index outbox_failed on outbox (id) where state = 'failed';
