-- Payments that nothing has proven, and about which M-Pesa was not asked yet: found without reading those about
-- which it was, however many they are, nor those of shortcodes that cannot ask.

alter table payments add column status_asked_at timestamptz;
update payments p set status_asked_at = now()
  where exists (select from status_questions q where q.payment_id = p.id);

create index payments_to_ask on payments (shortcode, created_at)
  where verified_at is null and reversed_at is null and status_asked_at is null;
-- By created_at alone it seems as good for that, and is read from end to end.
drop index payments_unverified;
create index payments_unverified on payments (shortcode, created_at)
  where verified_at is null and reversed_at is null;
