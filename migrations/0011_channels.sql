-- Messages by SMS as well as by WhatsApp, how far each has come, and what can be tapped in them.

-- By which channel it is to go; where none is named, by whichever reaches the person.
alter table outbox add column channel text check (channel in ('whatsapp', 'sms'));
-- By which it was last handed over.
alter table outbox add column sent_by text check (sent_by in ('whatsapp', 'sms'));
alter table outbox add column delivered_at timestamptz;
-- When it was sent once more by SMS, since WhatsApp had not delivered it.
alter table outbox add column copied_at timestamptz;

-- An SMS whose answer was lost may have been sent, and is not repeated.
alter table outbox drop constraint outbox_state_check;
alter table outbox add constraint outbox_state_check
  check (state in ('waiting', 'sending', 'sent', 'failed', 'unknown'));

create index outbox_unknown on outbox (id) where state = 'unknown';
create index outbox_provider_id on outbox (provider_id) where provider_id is not null;
create index outbox_undelivered on outbox (sent_at)
  where state = 'sent' and sent_by = 'whatsapp' and channel is null
    and delivered_at is null and copied_at is null;

-- The choices of a question, for channels that show them as something to tap.
alter table outbox add column choices jsonb;

-- When somebody last wrote from an address: WhatsApp lets us write freely for a day after that.
alter table addresses add column heard_at timestamptz;

-- Chats that a person of the house has taken over: Karani is silent there until then.
create table handoffs (
  person_id bigint primary key references people,
  since timestamptz not null default now(),
  until timestamptz not null,
  given_back_at timestamptz
);
-- What was written there, and answered by nobody but them.
alter table turns add column silent boolean not null default false;

-- Whether digits answer the question that waits: elsewhere they may be a PIN, and are not kept.
alter table sessions add column takes_digits boolean not null default false;

-- Proofs that a WhatsApp id and a number are one person's: by a code sent to the number by SMS, or by dialling
-- from it. The code itself is nowhere: it is made anew from the row's id under the installation's key.
create table link_proofs (
  id bigint generated always as identity primary key,
  -- Who asks, on WhatsApp.
  person_id bigint not null references people,
  msisdn text not null check (msisdn ~ '^254[17][0-9]{8}$'),
  way text not null check (way in ('sms', 'dial')),
  tries smallint not null default 0,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz
);
create index link_proofs_person on link_proofs (person_id, id);
create index link_proofs_msisdn on link_proofs (msisdn, id);

-- Who was found to be somebody that we know: that person goes on for both.
alter table people add column merged_into bigint references people;
