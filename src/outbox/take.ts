import { sql } from 'kysely';
import type { KeptOff } from '../base/config.ts';
import type { Db } from '../base/db.ts';
import { shownLine } from '../base/text.ts';
import type { Choices, Paper } from './notify.ts';

export type By = 'whatsapp' | 'sms';

/** A message that this process may send now, until its lease runs out. */
export interface Leased {
  id: bigint;
  person_id: bigint;
  /** The person's own, as we know it. */
  name: string | null;
  language: 'en' | 'sw';
  /** How the person is reached: an address on WhatsApp, or a chat there; the number is 254…. */
  whatsapp: string | null;
  /** Whether they wrote from there in the last day. */
  warm: boolean;
  msisdn: string | null;
  /** By this channel and no other. */
  channel: By | null;
  template: string | null;
  values: Record<string, string>;
  words: string | null;
  choices: Choices | null;
  /** The reference of the question that it asks. */
  question: string | null;
  trade: string | null;
  paper: Paper | null;
  attempts: number;
}

/** Which of our numbers on WhatsApp there are. */
export interface Numbers {
  /** On Meta's Cloud API. */
  cloud: boolean;
  /** Linked as a device. */
  linked: boolean;
  kept_off: KeptOff;
}

/** Whether a message of the outbox (`o`) is of something that is kept off a way. */
export const isOff = (kept_off: readonly string[]) =>
  sql`coalesce(o.trade = any(${kept_off}::text[]), false)`;

/** Whose messages are asked for: of the linked number, or all the others. */
export type Sender = 'linked' | 'others';

const lease = '20 seconds';
// A little less than WhatsApp's day: what is sent takes its time.
const window = '23 hours 50 minutes';

/**
 * Where a message of the outbox (`o`) goes on WhatsApp, as `w`: to the account that its person last
 * wrote from, by the number that they wrote to. The linked number writes to nobody first.
 */
export const onWhatsApp = ({ cloud, linked, kept_off }: Numbers) => sql`
  left join lateral (
    select case when a.by_linked then a.linked_chat else a.value end as value, a.heard_at,
           a.by_linked
    from (
      select id, value, heard_at, linked_chat,
             ${linked}::boolean and linked_chat is not null and not ${isOff(kept_off.whatsapp_linked)}
               and (heard_by = 'linked' or not ${cloud}::boolean or ${isOff(kept_off.whatsapp_cloud)})
               as by_linked
      from addresses
      where person_id = o.person_id and kind = 'whatsapp' and o.channel is distinct from 'sms') a
    where a.by_linked
       or (${cloud}::boolean and not ${isOff(kept_off.whatsapp_cloud)} and a.value not like '%@lid')
    -- An id that was replaced by another is not read any more.
    order by a.heard_at desc nulls last, a.id limit 1) w on true`;

/**
 * Leases this sender's oldest due message of each of up to `count` persons, those after a person's
 * id: who asks goes round, so that nobody waits for ever behind people who are written to all the
 * time. A person never has two in flight, so messages arrive in order and a crash at the wrong
 * instant repeats one at most.
 */
export async function leaseMessages(
  db: Db,
  it: { count: number; after: bigint; sender: Sender; numbers: Numbers },
): Promise<Leased[]> {
  // From one person to the next by the index, so that a long queue of one costs no more than a
  // short one (measured with 50,000 messages for two persons: 13 ms when all of them were read).
  const { rows } = await sql<Leased>`
    with recursive next as (
      (select person_id, id from outbox
       where state in ('waiting', 'sending') and person_id > ${it.after}
       order by person_id, id limit 1)
      union all
      select following.person_id, following.id from next, lateral (
        select person_id, id from outbox
        where state in ('waiting', 'sending') and person_id > next.person_id
        order by person_id, id limit 1) following
    ), first as (
      -- Of each sender's: what waits for the linked number holds up no SMS.
      select mine.* from next, lateral (
        select o.id, w.value as whatsapp, w.heard_at from outbox o ${onWhatsApp(it.numbers)}
        where o.person_id = next.person_id and o.state in ('waiting', 'sending')
          and coalesce(w.by_linked, false) = ${it.sender === 'linked'}
        order by o.id limit 1) mine
    ), due as (
      select o.id, first.whatsapp, first.heard_at
      from first join outbox o using (id)
      where ((o.state = 'waiting' and o.due_at <= now())
          or (o.state = 'sending' and o.lease_until < now() and o.sent_by is distinct from 'sms'))
        -- One with a lower number may have been committed after the one that is in flight.
        and not exists (
          select from outbox other
          where other.person_id = o.person_id and other.state = 'sending'
            and other.lease_until >= now() and other.id <> o.id)
        -- Who was found to be another has no address: followMerged comes first.
        and not exists (
          select from people p where p.id = o.person_id and p.merged_into is not null)
      limit ${it.count}
      for update of o skip locked
    ), leased as (
      update outbox o
      set state = 'sending', lease_until = now() + ${lease}::interval, attempts = attempts + 1,
        sent_by = case when due.whatsapp is null then 'sms' else 'whatsapp' end
      from due where o.id = due.id
      returning o.*, due.whatsapp, due.heard_at
    )
    select l.id, l.person_id, p.name, p.language, l.channel, l.template, l.values, l.words, l.question,
           l.choices, l.trade, l.paper, l.attempts, l.whatsapp,
           coalesce(l.heard_at > now() - ${window}::interval, false) as warm,
           coalesce(l.to_msisdn, (
             -- Of several the last proven, as everywhere (people/find.ts).
             select a.value from addresses a where a.person_id = p.id and a.kind = 'msisdn'
             order by a.verified_at desc nulls last, a.id desc limit 1)) as msisdn
    from leased l join people p on p.id = l.person_id
    order by l.person_id
  `.execute(db);
  return rows;
}

/**
 * Hands on what waits for somebody who was found to be another: it came back from being sent, or
 * was committed by whoever did not know of it yet.
 */
export async function followMerged(db: Db): Promise<void> {
  await sql`
    update outbox o set person_id = p.merged_into from people p
    where o.state = 'waiting' and p.id = o.person_id and p.merged_into is not null
  `.execute(db);
}

/**
 * Lets go of what whoever held the linked number before was sending: it may be sent again at once,
 * since it has the same id on WhatsApp, under which a phone shows it once.
 */
export async function freeLinked(db: Db, numbers: Numbers): Promise<void> {
  await sql`
    update outbox set lease_until = now()
    where id in (
      select o.id from outbox o ${onWhatsApp(numbers)}
      where o.state = 'sending' and o.lease_until > now() and w.by_linked
      for update of o skip locked)
  `.execute(db);
}

/**
 * Takes SMS whose sender ended in the middle for what may have been sent: they are not sent again.
 * Returns how many.
 */
export async function endLostSms(db: Db): Promise<number> {
  const { rows } = await sql`
    update outbox set state = 'unknown', lease_until = null, error = 'its sender ended in the middle'
    where state = 'sending' and sent_by = 'sms' and lease_until < now()
    returning id
  `.execute(db);
  return rows.length;
}

/**
 * How an attempt to send ended. `later`: it was not sent, and is tried for a day. `unsure`: it may
 * have been sent; on WhatsApp it is repeated three times at most, an SMS never. `by_sms`: WhatsApp
 * will not take it, and it goes by SMS. `never`: trying again will not help.
 */
export type Sent = { id: bigint; attempts: number; by: By | null } & (
  | { outcome: 'sent'; provider_id: string }
  | { outcome: 'later' | 'unsure' | 'by_sms' | 'never'; error: string }
);

const most_doubts = 4;
const fewest_attempts = 10;
const given_up_after = '1 day';
// What a provider says may hold what the database cannot.
const longest_id = 300;
const longest_error = 500;

/**
 * Records how attempts ended, unless somebody else has leased the message since. What is given up
 * stays, visible as failed.
 */
export async function recordSent(db: Db, results: Sent[]): Promise<void> {
  if (results.length === 0) return;
  await sql`
    update outbox o set
      state = case when r.outcome = 'sent' then 'sent'
                   when r.outcome = 'by_sms' then 'waiting'
                   when r.outcome = 'unsure' and r.by = 'sms' then 'unknown'
                   when r.outcome = 'never'
                     or (r.outcome = 'unsure' and o.doubts + 1 >= ${most_doubts})
                     or (o.attempts >= ${fewest_attempts}
                         and o.created_at < now() - ${given_up_after}::interval) then 'failed'
                   else 'waiting' end,
      doubts = o.doubts + (r.outcome = 'unsure')::int,
      channel = case when r.outcome = 'by_sms' then 'sms' else o.channel end,
      sent_by = case when r.outcome in ('sent', 'unsure') then r.by end,
      sent_at = case when r.outcome = 'sent' then now() end,
      provider_id = r.provider_id,
      error = r.error,
      -- A minute, ten and an hour after a doubt; otherwise from seconds up to ten minutes.
      due_at = now() + case when r.outcome = 'by_sms' then interval '0'
        when r.outcome = 'unsure'
        then least(interval '1 hour', interval '1 minute' * power(10, least(o.doubts, 3)))
        else least(interval '10 minutes', interval '2 seconds' * power(3, least(o.attempts, 9))) end,
      lease_until = null
    from unnest(
      ${results.map((r) => r.id)}::bigint[],
      ${results.map((r) => r.attempts)}::int[],
      ${results.map((r) => r.outcome)}::text[],
      ${results.map((r) => r.by)}::text[],
      ${results.map((r) => (r.outcome === 'sent' ? shownLine(r.provider_id, longest_id) : null))}::text[],
      ${results.map((r) => (r.outcome === 'sent' ? null : shownLine(r.error, longest_error)))}::text[]
    ) as r(id, attempts, outcome, by, provider_id, error)
    where o.id = r.id and o.state = 'sending' and o.attempts = r.attempts
  `.execute(db);
}
