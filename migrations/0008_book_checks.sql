-- The books check themselves, once an hour in the whole fleet: whoever writes down the hour first does it.

create table book_checks (
  hour timestamptz primary key,
  -- One that was begun and never ended is taken over after a while.
  started_at timestamptz not null default now(),
  took_ms integer check (took_ms >= 0),
  findings integer check (findings >= 0),
  -- Some of them, in ids and keys alone.
  named jsonb not null default '[]' check (jsonb_array_length(named) <= 20),
  check ((took_ms is null) = (findings is null))
);

-- For whoever watches: how many messages wait and since when, and what is unmatched, without reading
-- all that ever was.
create index outbox_waiting on outbox (state, due_at) where state in ('waiting', 'sending');
drop index payments_unmatched;
create index payments_unmatched on payments (id) include (amount_cents, allocated_cents)
  where allocated_cents < amount_cents;
