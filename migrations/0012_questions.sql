-- Questions that Karani asks of itself: each is a session of its own, with a short reference such as UM7. Who
-- asked for it ends it.
create table questions (
  ref text not null check (ref ~ '^[A-Z]{2}[0-9]{1,9}$'),
  person_id bigint not null references people,
  flow text not null,
  -- Whether a bare number never answers it: for money out.
  strict boolean not null default false,
  body jsonb,
  due_at timestamptz not null default now(),
  asked_at timestamptz,
  ended_at timestamptz,
  primary key (ref, person_id)
);
create index questions_open on questions (person_id) where asked_at is not null and ended_at is null;
create index questions_to_ask on questions (due_at) where asked_at is null and ended_at is null;
alter table outbox add column question text;

-- By which channel a chat that was taken over is answered, how much of it was passed on, and when somebody was
-- last asked for.
alter table handoffs add column channel text check (channel in ('whatsapp', 'sms'));
alter table handoffs add column passed_on integer not null default 0;
alter table handoffs add column wanted_at timestamptz;

-- For those whose sender has ended without a word.
create index outbox_sending on outbox (lease_until) where state = 'sending';

-- Sessions have another form: their people begin again at the menu.
delete from sessions;
