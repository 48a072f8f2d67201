-- Payments that we ask for: a prompt on a phone (STK push), and what became of it.
create table prompts (
  id bigint generated always as identity primary key,
  -- What the payer sees as the account there; it holds 12 characters at most.
  reference text not null unique check (reference ~ '^PAY-[0-9A-HJKMNP-TV-Z]{7}$'),
  -- The end of the address at which its result is told: nobody else can tell one.
  token text not null unique check (length(token) >= 20),
  person_id bigint not null references people,
  msisdn text not null check (msisdn ~ '^254[17][0-9]{8}$'),
  -- Which of our shortcodes it pays.
  shortcode text not null,
  due_kind text not null check (due_kind ~ '^[a-z_]{3,20}$'),
  due_id bigint not null,
  due_reference text not null,
  -- M-Pesa takes whole shillings, and no more than this at a time.
  amount_cents bigint not null
    check (amount_cents between 100 and 25000000 and amount_cents % 100 = 0),
  asked_by bigint not null references people,
  asked_key text not null unique check (length(asked_key) between 3 and 200),
  -- waiting: to be sent. sending: on its way, nobody knows yet. sent: M-Pesa has taken it. unknown: its answer
  -- was lost, it may be on the phone. confirmed: M-Pesa says that it is paid, and its receipt is awaited.
  state text not null default 'waiting'
    check (state in ('waiting', 'sending', 'sent', 'unknown', 'confirmed', 'paid', 'failed')),
  attempts smallint not null default 0,
  -- When there is something to do: to send it, or to ask M-Pesa what became of it. Null when all is known.
  look_at timestamptz default now(),
  lease_until timestamptz,
  looks smallint not null default 0,
  checkout_id text unique check (length(checkout_id) between 5 and 100),
  -- M-Pesa's, of what was not paid; ours are words: unsent, silent, unseen, void.
  result_code text,
  payment_id bigint unique references payments,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  ended_at timestamptz,
  check ((state = 'paid') = (payment_id is not null)),
  check ((state in ('paid', 'failed')) = (ended_at is not null)),
  check (state <> 'sent' or checkout_id is not null)
);
create unique index prompts_one_open on prompts (person_id, due_kind, due_id)
  where state not in ('paid', 'failed');
create index prompts_of_phone on prompts (msisdn, created_at);
create index prompts_to_look on prompts (look_at) where look_at is not null;
create index prompts_sending on prompts (lease_until) where state = 'sending';

-- A due that was paid by mistake is paid no more: its allocation is reversed, and never erased.
alter table allocations add column reversed_at timestamptz;
alter table allocations add column reversed_by bigint references people;
alter table allocations add column reversed_for text;
alter table allocations add check ((reversed_at is null) = (reversed_for is null));

alter table payments drop constraint payments_rule_check;
alter table payments add constraint payments_rule_check check (rule in
  ('prompt', 'reference', 'customer', 'single', 'amount', 'oldest', 'person', 'unmatched'));
-- What confirmed it: a source that we asked ourselves.
alter table payments add column verified_by text;
alter table payments add check ((verified_at is null) = (verified_by is null));

-- M-Pesa's access tokens, sealed: asking for one ends the last, so all processes use the same.
create table daraja_tokens (
  app text primary key check (length(app) = 64),
  token bytea,
  good_until timestamptz,
  asked_until timestamptz
);
