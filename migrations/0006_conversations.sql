-- Who is where in which conversation.

-- One session for a person on a channel. The body is the engine's own JSON; a secret is never in it.
create table sessions (
  person_id bigint not null references people,
  channel text not null check (channel in ('whatsapp', 'ussd')),
  body jsonb not null,
  -- The door looks here first, so that a secret answer is never stored.
  awaits_secret boolean not null default false,
  updated_at timestamptz not null default now(),
  primary key (person_id, channel)
);

-- Each message that was answered, by the id its channel gave it: a repeat changes nothing.
create table turns (
  key text primary key check (length(key) between 3 and 200),
  person_id bigint not null references people,
  inbox_id bigint not null references inbox,
  at timestamptz not null default now()
);

-- Africa's Talking repeats every earlier answer in each request, secrets included. Kept are the length and
-- a keyed hash of what it has sent so far, enough to tell the new answer apart, and the last reply.
create table ussd_sessions (
  gateway_id text primary key check (length(gateway_id) between 1 and 128),
  person_id bigint not null references people,
  turn integer not null default 0,
  text_length integer not null default 0,
  text_hash text not null default '',
  reply text not null,
  over boolean not null,
  updated_at timestamptz not null default now()
);
