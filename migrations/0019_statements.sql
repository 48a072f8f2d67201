-- M-Pesa's statement of one of our accounts there, as it was imported: each line once, and what became of it.
create table statement_imports (
  id bigint generated always as identity primary key,
  -- An import that was cut short goes on when the same file comes again.
  file_hash bytea not null check (length(file_hash) = 32),
  shortcode text not null,
  account text not null,
  started_at timestamptz not null default now(),
  -- When it was read to its end: what it covers, and what was wrong with it.
  ended_at timestamptz,
  covers_from timestamptz,
  covers_to timestamptz,
  lines integer,
  bad_lines integer,
  gaps integer,
  check ((ended_at is null) = (lines is null))
);
create unique index statement_imports_open on statement_imports (file_hash, shortcode, account)
  where ended_at is null;

create table statement_lines (
  -- The line as it was read, with names and numbers; here are ids and amounts alone.
  inbox_id bigint primary key references inbox,
  import_id bigint not null references statement_imports,
  shortcode text not null,
  -- Which of M-Pesa's accounts of that shortcode it moves.
  account text not null check (account in ('utility', 'merchant', 'working', 'settlement')),
  receipt text not null check (receipt ~ '^[A-Z0-9]{6,20}$'),
  -- nothing: it moved no money, declined or of nothing. other: what we cannot name.
  kind text not null
    check (kind in ('payment', 'charge', 'move', 'reversal', 'payout', 'other', 'nothing')),
  -- Above 0 it came in, below it went out.
  amount_cents bigint not null check (amount_cents <> 0 or kind = 'nothing'),
  balance_cents bigint,
  completed_at timestamptz not null,
  -- waiting: not worked through yet. new, confirmed, known, contradicting: of payments, how they were known.
  -- booked, booked_before: by this line, or by the other side of the same move.
  -- not_booked: kept until somebody can. nothing: there is nothing to book.
  outcome text not null default 'waiting'
    check (outcome in ('waiting', 'new', 'confirmed', 'known', 'contradicting', 'booked',
                       'booked_before', 'not_booked', 'nothing')),
  payment_id bigint references payments,
  reversed_receipt text,
  -- A receipt has a line for the payment and one for its charge; the same line stands in many exports.
  constraint statement_lines_once unique (shortcode, account, receipt, kind, amount_cents)
);
create index statement_lines_of_import on statement_lines (import_id, outcome);
create index statement_lines_not_booked on statement_lines (kind) where outcome = 'not_booked';
create index statement_lines_receipt on statement_lines (receipt);
