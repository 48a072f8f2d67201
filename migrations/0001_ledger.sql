-- The ledger: accounts, and what moved between them. It only grows.
--
-- A posting is one amount from one account to another, so an unbalanced ledger transaction cannot be
-- written down. Rows carry ids and keys alone, never a name, a phone or free text: they can never be
-- erased. The guards below hold for everybody, the owner of the tables included, and fire in every
-- replication role (ENABLE ALWAYS); `karani ledger verify` reports one that is missing or disabled.

create table accounts (
  id bigint generated always as identity primary key,
  code text not null unique check (code ~ '^[1-5][0-9]{3}(:[A-Za-z0-9-]{1,32}){0,2}$'),
  type text not null generated always as (
    case left(code, 1)
      when '1' then 'asset'
      when '2' then 'liability'
      when '3' then 'equity'
      when '4' then 'income'
      else 'expense'
    end
  ) stored,
  currency text not null default 'KES' check (currency ~ '^[A-Z]{3}$'),
  owner_kind text,
  owner_id bigint,
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  check ((owner_kind is null) = (owner_id is null))
);
create index accounts_owner on accounts (owner_kind, owner_id) where owner_id is not null;

-- Balances that guard something, or belong to one person: kept row by row and checked in the commit.
-- An account that every payment touches has no row here: one hot row would make all payments wait for
-- each other (4 to 5 times slower when measured), so its balance is derived from its postings.
-- The balance is in the account's own sense: what an asset holds, what a liability owes.
create table account_balances (
  account_id bigint primary key references accounts,
  balance_cents bigint not null default 0,
  floor_cents bigint,
  constraint balance_not_below_floor check (floor_cents is null or balance_cents >= floor_cents)
) with (fillfactor = 70);

create table ledger_transactions (
  id bigint generated always as identity primary key,
  key text not null unique check (length(key) between 3 and 200),
  kind text not null check (kind ~ '^[a-z][a-z_]{2,39}$'),
  effective_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  -- The commit that wrote it: later sealing takes them in commit order, below the snapshot's xmin.
  xid xid8 not null default pg_current_xact_id(),
  -- Unique: a ledger transaction is reversed once at most.
  reverses_id bigint unique references ledger_transactions,
  content_hash bytea not null check (length(content_hash) = 32)
);

create table postings (
  ledger_transaction_id bigint not null references ledger_transactions,
  line smallint not null check (line > 0),
  debit_account_id bigint not null references accounts,
  credit_account_id bigint not null references accounts,
  amount_cents bigint not null constraint amount_above_zero check (amount_cents > 0),
  primary key (ledger_transaction_id, line),
  constraint accounts_differ check (debit_account_id <> credit_account_id)
);
create index postings_debit on postings (debit_account_id, ledger_transaction_id);
create index postings_credit on postings (credit_account_id, ledger_transaction_id);

-- What a ledger transaction says, as one hash: a repeat under the same key must say the same, and a row
-- changed behind the guards no longer fits. `lines` is 'debit<credit=cents' joined by ';' in order.
create function ledger_content_hash(kind text, effective_at timestamptz, reverses_id bigint, lines text)
returns bytea language sql immutable parallel safe as $$
  select sha256(convert_to(
    kind || '|' || (extract(epoch from effective_at) * 1000000)::bigint
         || '|' || coalesce(reverses_id, 0) || '|' || lines, 'UTF8'))
$$;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger only grows: % of % is refused', tg_op, tg_table_name
    using errcode = 'KA001', hint = 'Corrections are reversals.';
end $$;

create trigger ledger_transactions_only_grow
  before update or delete or truncate on ledger_transactions
  for each statement execute function refuse_change();
create trigger postings_only_grow
  before update or delete or truncate on postings
  for each statement execute function refuse_change();
create trigger accounts_are_kept
  before delete or truncate on accounts
  for each statement execute function refuse_change();

-- An account can be closed, once, and nothing else about it can change.
create function guard_account() returns trigger language plpgsql as $$
begin
  if old.closed_at is not null or new.closed_at is null
     or (new.id, new.code, new.currency, new.owner_kind, new.owner_id, new.opened_at)
        is distinct from (old.id, old.code, old.currency, old.owner_kind, old.owner_id, old.opened_at)
  then
    raise exception 'an account can only be closed: UPDATE of % is refused', old.code
      using errcode = 'KA001';
  end if;
  return new;
end $$;

create trigger accounts_only_close
  before update on accounts for each row execute function guard_account();

-- Live balances move by postings alone: a statement of anybody's own is one trigger deep, ours is two.
create function guard_balance() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.balance_cents <> 0 then
      raise exception 'a balance starts at nothing' using errcode = 'KA001';
    end if;
    return new;
  end if;
  if tg_op <> 'UPDATE' or pg_trigger_depth() < 2 then
    raise exception 'balances move by postings: % of account_balances is refused', tg_op
      using errcode = 'KA001';
  end if;
  return null;
end $$;

create trigger balances_start_at_nothing
  before insert on account_balances for each row execute function guard_balance();
create trigger balances_move_by_postings
  before update or delete or truncate on account_balances
  for each statement execute function guard_balance();

-- Once a statement, for all the postings it added.
create function guard_postings() returns trigger language plpgsql as $$
declare
  wrong text;
begin
  select t.key into wrong
    from added a join ledger_transactions t on t.id = a.ledger_transaction_id
   where t.xid <> pg_current_xact_id() limit 1;
  if found then
    raise exception 'a posting is written in the commit that made its ledger transaction, and % is older', wrong
      using errcode = 'KA001';
  end if;

  select x.code into wrong
    from added a join accounts x on x.id in (a.debit_account_id, a.credit_account_id)
   where x.closed_at is not null limit 1;
  if found then
    raise exception 'account % is closed', wrong using errcode = 'KA001';
  end if;

  select d.code || ' and ' || c.code into wrong
    from added a join accounts d on d.id = a.debit_account_id join accounts c on c.id = a.credit_account_id
   where d.currency <> c.currency limit 1;
  if found then
    raise exception 'accounts % are in different currencies', wrong using errcode = 'KA001';
  end if;

  -- In id order, so that two commits that move the same balances never wait for each other in a ring.
  perform 1 from account_balances
    where account_id in (select debit_account_id from added union select credit_account_id from added)
    order by account_id for no key update;

  update account_balances b
     set balance_cents = b.balance_cents
       + case when x.type in ('asset', 'expense') then moved.debit_cents - moved.credit_cents
              else moved.credit_cents - moved.debit_cents end
    from (
      select account_id, sum(debit_cents) as debit_cents, sum(credit_cents) as credit_cents
        from (select debit_account_id as account_id, amount_cents as debit_cents, 0 as credit_cents from added
              union all
              select credit_account_id, 0, amount_cents from added) sides
       group by account_id
    ) moved
    join accounts x on x.id = moved.account_id
   where b.account_id = moved.account_id;
  return null;
end $$;

create trigger postings_are_guarded
  after insert on postings referencing new table as added
  for each statement execute function guard_postings();

alter table ledger_transactions enable always trigger ledger_transactions_only_grow;
alter table postings enable always trigger postings_only_grow;
alter table postings enable always trigger postings_are_guarded;
alter table accounts enable always trigger accounts_are_kept;
alter table accounts enable always trigger accounts_only_close;
alter table account_balances enable always trigger balances_start_at_nothing;
alter table account_balances enable always trigger balances_move_by_postings;
