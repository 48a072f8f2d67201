-- A WhatsApp number that is linked as a device, and who writes to it.

-- WhatsApp's own id of an account, which may come without its number; the chat in which it is answered on the
-- linked number, once it has written there; and to which of our numbers it wrote last.
alter table addresses add column lid text check (lid ~ '^[0-9]{1,32}@lid$');
alter table addresses add column linked_chat text check (length(linked_chat) between 3 and 128);
alter table addresses add column heard_by text check (heard_by in ('cloud', 'linked'));
create index addresses_lid on addresses (lid) where lid is not null;

-- The one linked number. What is sealed opens only with the installation's key.
create table linked_device (
  one boolean primary key default true check (one),
  -- Raised by each process that takes the number over: what an earlier one still writes is refused.
  fence bigint not null default 0,
  state text not null default 'unlinked'
    check (state in ('unlinked', 'linking', 'connecting', 'open', 'resting', 'stopped')),
  why text,
  credentials bytea,
  -- What is to be scanned, or typed, on the phone that has the number.
  offer bytea,
  -- When somebody last asked for it to be linked or begun again, and whether by a code to type.
  wanted_at timestamptz,
  by_code boolean not null default false,
  changed_at timestamptz not null default now()
);
insert into linked_device default values;

create table linked_keys (
  type text not null,
  id text not null,
  value bytea not null,
  primary key (type, id)
);

-- Taken over by who answered from the phone that has the number: they read what is written there.
alter table handoffs add column by_phone boolean not null default false;
