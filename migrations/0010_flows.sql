-- Conversations on SMS too, and files that change while people are in them.

-- Those that are open have another form: their people begin again at the menu.
delete from sessions;

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

-- What happened at the steps of conversations. Turns only add rows, since a row for each number would
-- make them wait for each other; a task adds them up and removes them.
create table step_events (
  flow text not null,
  step text not null,
  channel text not null,
  language text not null,
  what text not null
);
create table step_counts (
  flow text not null,
  step text not null,
  channel text not null,
  language text not null,
  what text not null,
  times bigint not null,
  primary key (flow, step, channel, language, what)
);

-- Who said STOP gets no reminders and no news, on whatever channel.
alter table people add column stopped_at timestamptz;
