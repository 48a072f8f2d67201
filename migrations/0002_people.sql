-- Humans, how they are reached, and what they may do.

create table people (
  id bigint generated always as identity primary key,
  name text,
  language text not null default 'en' check (language in ('en', 'sw')),
  created_at timestamptz not null default now()
);

-- An address belongs to one person. A WhatsApp id is one of its own: that it looks like a number proves
-- nothing about the number (and it may come without any).
create table addresses (
  id bigint generated always as identity primary key,
  person_id bigint not null references people,
  kind text not null check (kind in ('msisdn', 'whatsapp')),
  value text not null check (length(value) between 1 and 128),
  -- C2B v1 names the payer by SHA-256 of the number alone.
  msisdn_hash text generated always as (
    case when kind = 'msisdn' then encode(sha256(value::bytea), 'hex') end
  ) stored,
  verified_at timestamptz,
  created_at timestamptz not null default now(),
  unique (kind, value),
  check (kind <> 'msisdn' or value ~ '^254[17][0-9]{8}$')
);
create index addresses_person on addresses (person_id);
create index addresses_msisdn_hash on addresses (msisdn_hash) where msisdn_hash is not null;

create table roles (
  person_id bigint not null references people,
  role text not null check (role in
    ('admin', 'officer', 'cashier', 'owner', 'tenant', 'borrower', 'customer', 'bettor')),
  granted_at timestamptz not null default now(),
  primary key (person_id, role)
);
create index roles_role on roles (role);
