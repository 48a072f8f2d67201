import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { wake } from '../base/jobs.ts';
import { shownLine } from '../base/text.ts';
import { isOff, type Numbers, onWhatsApp } from './take.ts';

/** What became of a message after a provider had taken it. */
export interface Delivery {
  provider_id: string;
  outcome: 'delivered' | 'failed';
  error: string | null;
}

const longest_error = 500;

/**
 * Records deliveries by the providers' ids, and returns the ids that no message has (yet): a report
 * may overtake our own record of having sent it. Delivered once is delivered for ever. What
 * WhatsApp could not deliver goes by SMS where the person has a number and it may; the rest is
 * `failed`.
 */
export async function recordDeliveries(tx: Tx, deliveries: Delivery[]): Promise<Set<string>> {
  const ids = deliveries.map((it) => it.provider_id);
  const { rows } = await sql<{ provider_id: string; again: boolean }>`
    update outbox o set
      delivered_at = case when d.outcome = 'delivered' then coalesce(o.delivered_at, now())
                          else o.delivered_at end,
      state = case when d.outcome = 'delivered' then 'sent'
                   when o.delivered_at is not null then o.state
                   when ${otherWay} then 'waiting' else 'failed' end,
      channel = case when d.outcome = 'failed' and o.delivered_at is null and ${otherWay}
                     then 'sms' else o.channel end,
      due_at = case when d.outcome = 'failed' then now() else o.due_at end,
      error = case when d.outcome = 'failed' and o.delivered_at is null then d.error end
    from (
      select distinct on (provider_id) *
      from unnest(${ids}::text[], ${deliveries.map((it) => it.outcome)}::text[],
                  ${deliveries.map((it) => it.error && shownLine(it.error, longest_error))}::text[])
        as it(provider_id, outcome, error)
      order by provider_id, outcome
    ) d
    where o.provider_id = d.provider_id
      and (o.state = 'sent' or (o.state = 'failed' and d.outcome = 'delivered'))
    returning o.provider_id, o.state = 'waiting' as again
  `.execute(tx);
  if (rows.some((row) => row.again)) await wake(tx, 'send_outbox');
  const unknown = new Set(ids);
  for (const row of rows) unknown.delete(row.provider_id);
  return unknown;
}

// Of an SMS there is no other way, and an answer in a chat belongs there. What went by SMS already,
// or is of yesterday, does not go again.
const otherWay = sql`(o.sent_by = 'whatsapp' and o.channel is null and o.copied_at is null
  and o.created_at > now() - interval '1 day' and exists (
  select from addresses a where a.person_id = o.person_id and a.kind = 'msisdn'))`;

const undelivered_after = '30 minutes';
const no_longer_after = '1 day';

/**
 * Queues by SMS what WhatsApp took and has not delivered for half an hour: a phone that is off or
 * without internet; and sends by SMS what WhatsApp has refused to take for as long, or what waits
 * for the linked number while it is not connected. Returns how many.
 */
export async function copyUndelivered(db: Db, numbers: Numbers): Promise<number> {
  const { rows } = await sql`
    with refused as (
      update outbox set channel = 'sms', due_at = now(), state = 'waiting', lease_until = null
      where id in (
        select o.id from outbox o ${onWhatsApp(numbers)}
        where o.channel is null and o.doubts = 0
          and ((o.state = 'waiting' and o.error is not null)
            or (w.by_linked and ${leftFor(undelivered_after)}))
          and o.created_at < now() - ${undelivered_after}::interval
          and not ${isOff(numbers.kept_off.sms)}
          and exists (
            select from addresses a where a.person_id = o.person_id and a.kind = 'msisdn')
        limit 500 for update of o skip locked)
      returning id
    ), late as (
      update outbox set copied_at = now()
      where id in (
        select id from outbox o
        where state = 'sent' and sent_by = 'whatsapp' and channel is null
          and not ${isOff(numbers.kept_off.sms)}
          and delivered_at is null and copied_at is null
          and sent_at < now() - ${undelivered_after}::interval
        order by sent_at limit 500
        for update skip locked)
      returning *
    ), copied as (
      insert into outbox (key, person_id, template, values, words, channel)
      select 'sms:' || id, person_id, template, values, words, 'sms' from late
      where sent_at > now() - ${no_longer_after}::interval
        and exists (select from addresses a where a.person_id = late.person_id and a.kind = 'msisdn')
      order by id
      on conflict (key) do nothing
      returning id
    )
    select id from refused union all select id from copied
  `.execute(db);
  return rows.length;
}

// Nobody has sent it for as long, or who was about to has not been seen again.
const leftFor = (interval: string) => sql`(
  (o.state = 'waiting' and o.due_at < now() - ${interval}::interval)
  or (o.state = 'sending' and o.lease_until < now() - ${interval}::interval))`;

/** Gives up what the linked number has not been there to send for a day. */
export async function giveUpUnsent(db: Db, numbers: Numbers): Promise<void> {
  await sql`
    update outbox set state = 'failed', lease_until = null, error = 'the linked number was not connected for a day'
    where id in (
      select o.id from outbox o ${onWhatsApp(numbers)}
      where w.by_linked and ${leftFor(no_longer_after)}
      limit 500 for update of o skip locked)
  `.execute(db);
}
