-- Other software at the door: its tokens, and what each has asked for.

-- Of a token itself there is its hash alone. It works for a person, and only while that one is an admin.
create table api_tokens (
  id bigint generated always as identity primary key,
  hash bytea not null unique check (length(hash) = 32),
  name text not null check (length(name) between 1 and 60),
  person_id bigint not null references people,
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  used_at timestamptz,
  revoked_at timestamptz
);
create unique index api_tokens_name on api_tokens (name) where revoked_at is null;

-- What was asked for under an Idempotency-Key, and the answer it got: kept for ever.
create table api_requests (
  token_id bigint not null references api_tokens,
  key text not null check (length(key) between 1 and 100),
  -- Method and address.
  operation text not null,
  -- The fields as they were understood.
  body jsonb not null,
  status smallint not null check (status between 200 and 499),
  -- Byte for byte.
  answer text not null,
  content_type text not null,
  location text,
  created_at timestamptz not null default now(),
  primary key (token_id, key)
);

-- Lists page by these.
create index payments_listed on payments (paid_at, id);
drop index payments_paid;
-- Rows that come in the order of time: an index of a few pages, and next to nothing to keep up.
create index inbox_received on inbox using brin (received_at);
create index ledger_transactions_effective on ledger_transactions using brin (effective_at);
create index prompts_made on prompts using brin (created_at);
