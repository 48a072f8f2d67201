-- The guards of postings say the same as before, at less cost: they look up each row they need by its key.
-- Left to choose, the planner read all accounts there are, and went on doing so with the plan of a day when
-- there were few (measured with 20,000 accounts: 51 ms for one payment, now 7; 125 for two hundred, now 61).

-- As stable as what it calls, and so a part of the query that calls it: declared immutable it was a call a row.
create or replace function ledger_content_hash(kind text, effective_at timestamptz, reverses_id bigint, lines text)
returns bytea language sql stable parallel safe as $$
  select sha256(convert_to(
    kind || '|' || (extract(epoch from effective_at) * 1000000)::bigint
         || '|' || coalesce(reverses_id, 0) || '|' || lines, 'UTF8'))
$$;

create or replace function guard_postings() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  wrong text;
begin
  select t.key into wrong
    from (select distinct ledger_transaction_id as id from added) a,
         lateral (select key, xid from ledger_transactions where id = a.id offset 0) t
   where t.xid <> pg_current_xact_id() limit 1;
  if found then
    raise exception 'a posting is written in the commit that made its ledger transaction, and % is older', wrong
      using errcode = 'KA001';
  end if;

  select x.code into wrong
    from (select debit_account_id as id from added union select credit_account_id from added) a,
         lateral (select code, closed_at from accounts where id = a.id offset 0) x
   where x.closed_at is not null limit 1;
  if found then
    raise exception 'account % is closed', wrong using errcode = 'KA001';
  end if;

  select d.code || ' and ' || c.code into wrong
    from (select distinct debit_account_id, credit_account_id from added) a,
         lateral (select code, currency from accounts where id = a.debit_account_id offset 0) d,
         lateral (select code, currency from accounts where id = a.credit_account_id offset 0) c
   where d.currency <> c.currency limit 1;
  if found then
    raise exception 'accounts % are in different currencies', wrong using errcode = 'KA001';
  end if;

  -- In id order, so that two commits that move the same balances never wait for each other in a ring.
  perform 1 from account_balances
    where account_id = any(array(
      select debit_account_id from added union select credit_account_id from added))
    order by account_id for no key update;

  update account_balances b
     set balance_cents = b.balance_cents
       + case when x.type in ('asset', 'expense') then moved.cents else -moved.cents end
    from (
      select account_id, sum(cents) as cents
        from (select debit_account_id as account_id, amount_cents as cents from added
              union all
              select credit_account_id, -amount_cents from added) sides
       group by account_id
    ) moved,
    lateral (select type from accounts where id = moved.account_id offset 0) x
   where b.account_id = moved.account_id;
  return null;
end $$;
