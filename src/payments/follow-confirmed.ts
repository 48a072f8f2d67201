import { sql } from 'kysely';
import { type Db, inTransaction } from '../base/db.ts';
import { followPrompt } from './follow-prompts.ts';
import type { ReceiveSettings } from './receive.ts';

/**
 * Finds what confirmed prompts were paid by. Of a till's payment nothing but the prompt's own
 * callback says which prompt it was, and that one may be lost: then it is the payment of that
 * amount, from that very phone, in the minutes in which the phone can have shown the prompt. M-Pesa
 * takes the same amount of a phone once in two minutes; where there are two all the same, or a
 * prompt beside it that asked the same, a person has to look.
 */
export async function followConfirmed(
  db: Db,
  { dues, money_accounts }: Pick<ReceiveSettings, 'dues' | 'money_accounts'>,
): Promise<void> {
  // A till and its head office are one.
  const accounts = JSON.stringify(Object.fromEntries(money_accounts));
  const { rows } = await sql<{ reference: string; payment_id: bigint }>`
    select t.reference, min(p.id) as payment_id
    from prompts t, lateral (
      -- Looked up by the payer and the time, a prompt after the other: joined by the amount, all
      -- payments there ever were would be read.
      select p.id
      from unnest(array[t.msisdn, encode(sha256(convert_to(t.msisdn, 'UTF8')), 'hex')]) as k(payer)
      join payments p on coalesce(p.payer_msisdn, p.payer_hash) = k.payer
        and (p.payer_msisdn is not null or p.payer_hash is not null)
        and p.paid_at between t.created_at - interval '1 minute'
                          and coalesce(t.sent_at, t.created_at) + interval '2 minutes'
      where p.amount_cents = t.amount_cents
        and ${accounts}::jsonb ->> p.shortcode = ${accounts}::jsonb ->> t.shortcode
        and not exists (select from prompts o where o.payment_id = p.id)
      limit 2) p
    where t.state = 'confirmed'
      and not exists (
        select from prompts o
        where o.msisdn = t.msisdn and o.amount_cents = t.amount_cents and o.id <> t.id
          and o.created_at between t.created_at - interval '5 minutes'
                               and t.created_at + interval '5 minutes')
    group by t.id having count(*) = 1
  `.execute(db);
  for (const { reference, payment_id } of rows) {
    await inTransaction(db, (tx) => followPrompt(tx, dues, payment_id, reference));
  }
}
