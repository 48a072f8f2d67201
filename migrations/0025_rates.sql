-- How often somebody may come: so often at once, which fills up again with time. One count for all processes; that a
-- crash forgets it does no harm.
create unlogged table rates (
  who text primary key,
  -- In thousandths.
  left_milli integer not null,
  -- How often in a row it was too often.
  refusals integer not null default 0,
  at timestamptz not null default now()
) with (fillfactor = 70);
