import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';

/** What ties the lines of imported statements to the ledger. */
export const statementChecks: readonly Check[] = [
  finding(
    'what a statement booked is on the books, with its amount',
    sql`
      select 'inbox ' || s.inbox_id || ', a ' || s.kind as found
      from statement_lines s
      where s.outcome in ('booked', 'booked_before') and s.kind in ('charge', 'move') and not exists (
        select from ledger_transactions t join postings p on p.ledger_transaction_id = t.id
        where p.amount_cents = abs(s.amount_cents)
          and case s.kind
                when 'charge' then
                  t.key = 'mpesa_charge:' || s.shortcode || ':' || s.receipt || ':' || s.amount_cents
                else t.key >= 'mpesa_move:' || s.shortcode || ':' || s.receipt || ':'
                 and t.key < 'mpesa_move:' || s.shortcode || ':' || s.receipt || ';'
              end)
      limit 20`,
  ),
  finding(
    'M-Pesa’s charges and moves on the books stand in a statement',
    sql`
      select t.key as found from ledger_transactions t
      where t.kind in ('mpesa_charge', 'mpesa_move') and not exists (
        select from statement_lines s
        where s.receipt = split_part(t.key, ':', 3) and s.shortcode = split_part(t.key, ':', 2)
          and s.outcome = 'booked')
      limit 20`,
  ),
  finding(
    'a payment that a statement says was reversed is reversed',
    sql`
      select 'inbox ' || s.inbox_id as found
      from statement_lines s left join payments p on p.receipt = s.reversed_receipt
      where s.kind = 'reversal' and s.outcome = 'booked' and p.reversed_at is null
      limit 20`,
  ),
  finding(
    'a payment line that was taken was heard',
    sql`
      select 'inbox ' || s.inbox_id as found
      from statement_lines s left join hearings h on h.inbox_id = s.inbox_id
      where s.outcome in ('new', 'confirmed', 'known', 'contradicting') and s.kind = 'payment'
        and h.payment_id is distinct from s.payment_id
      limit 20`,
  ),
];
