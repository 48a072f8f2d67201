-- Staff under four eyes, persons who are one, and numbers that change.

-- One-time codes (RFC 6238). No secret is here: it is made from the person's id and the generation under the
-- installation's key. What was offered counts once a first code has confirmed it.
create table one_time_codes (
  person_id bigint primary key references people,
  offered integer not null default 0 check (offered >= 0),
  generation integer check (generation between 1 and offered),
  confirmed_at timestamptz,
  -- Each step of 30 seconds is accepted once.
  last_step bigint not null default 0,
  wrong smallint not null default 0,
  locked_until timestamptz,
  check ((generation is null) = (confirmed_at is null))
);

-- Who is an admin by the configuration is one as long as it says so. Until now there were no others.
alter table roles add column by_configuration boolean not null default false;
update roles set by_configuration = true where role = 'admin';
alter table roles add check (not by_configuration or role = 'admin');

-- What two admins do: one asks, another decides. Who is found to be somebody else later stays here as they were.
create table people_requests (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('grant', 'revoke', 'merge', 'number')),
  -- Whom it is about; of two who are one, who goes on.
  person_id bigint not null references people,
  role text check (role in ('admin', 'officer', 'cashier')),
  -- The number that they are added by, or that becomes theirs.
  msisdn text check (msisdn ~ '^254[17][0-9]{8}$'),
  -- The number that is theirs no more.
  old_msisdn text check (old_msisdn ~ '^254[17][0-9]{8}$'),
  name text check (length(name) between 1 and 60),
  other_id bigint references people,
  asked_by bigint not null references people,
  asked_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours',
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'refused', 'expired')),
  decided_by bigint references people,
  decided_at timestamptz,
  reason text check (length(reason) between 1 and 120),
  -- Never who asked, and never whom it is about.
  check (decided_by <> asked_by and decided_by <> person_id and decided_by <> other_id),
  check ((state in ('approved', 'refused')) = (decided_by is not null)),
  check ((state = 'waiting') = (decided_at is null)),
  check ((kind in ('grant', 'revoke')) = (role is not null)),
  check ((kind = 'merge') = (other_id is not null)),
  check (other_id <> person_id),
  check (kind not in ('grant', 'number') or msisdn is not null),
  check ((kind = 'number') = (old_msisdn is not null))
);
create unique index people_requests_one_role on people_requests (person_id, role)
  where state = 'waiting' and role is not null;
create unique index people_requests_one_merge
  on people_requests (least(person_id, other_id), greatest(person_id, other_id))
  where state = 'waiting' and kind = 'merge';
create unique index people_requests_one_number on people_requests (person_id)
  where state = 'waiting' and kind = 'number';
create index people_requests_waiting on people_requests (expires_at) where state = 'waiting';

-- A code goes to the number that somebody says was theirs. What they typed is counted, known or not: a customer's
-- number may be nobody's, and then it has no phone.
alter table link_proofs drop constraint link_proofs_way_check;
alter table link_proofs add check (way in ('sms', 'dial', 'change'));
alter table link_proofs alter column msisdn drop not null;
alter table link_proofs add column asked text check (length(asked) between 1 and 40);
alter table link_proofs add check (case when way = 'change' then asked is not null else msisdn is not null end);
create index link_proofs_asked on link_proofs (asked, id) where asked is not null;

-- By SMS to this number, where a person has several, or has it no more.
alter table outbox add column to_msisdn text check (to_msisdn ~ '^254[17][0-9]{8}$');
alter table outbox add check (to_msisdn is null or (channel is not null and channel = 'sms'));

-- Whether what is answered next must not be kept, and whether digits answer it: as of sessions.
alter table questions add column awaits_secret boolean not null default false;
alter table questions add column takes_digits boolean not null default false;

-- What waits for somebody who was found to be another is handed on: looked for every two seconds, from them.
create index people_merged on people (id) where merged_into is not null;
