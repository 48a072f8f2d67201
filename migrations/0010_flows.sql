-- Conversations on SMS too, and files that change while people are in them.

alter table sessions drop constraint sessions_channel_check;
alter table sessions add constraint sessions_channel_check
  check (channel in ('whatsapp', 'ussd', 'sms'));

-- Every content that a flow's file has had: who began on one goes on with it.
create table flow_contents (
  hash text primary key check (length(hash) = 16),
  flow text not null,
  content text not null,
  since timestamptz not null default now()
);
