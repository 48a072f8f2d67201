import { sql } from 'kysely';
import { clock, eatDate, eatTime } from '../base/clock.ts';
import { type Db, inTransaction, type Tx } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import type { Language } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { daysAfter } from './invoice-customer.ts';
import { payTap } from './pay-tap.ts';

/**
 * The reminders of an invoice, by days from its due date: each is sent on the first of its days
 * that Karani runs, and none of two on the same day. Who was invoiced on or after the first day of
 * `before` needs none so soon.
 */
const reminders = [
  { kind: 'before', from: -3, until: -1 },
  { kind: 'today', from: 0, until: 0 },
  { kind: 'after', from: 3, until: 9 },
  { kind: 'again', from: 10, until: 16 },
] as const;
type Kind = (typeof reminders)[number]['kind'];

/** In Nairobi; at night and early in the morning nobody is reminded of money. */
const hours = { from: '08:00', until: '19:00' };
const most_at_once = 200;

/** Reminds customers of what is due, was due, or soon will be, in the hours of the day. */
export async function sendReminders(db: Db, more: () => boolean): Promise<number> {
  let sent = 0;
  while (more()) {
    const time = eatTime(clock.now());
    if (time < hours.from || time >= hours.until) return sent;
    const count = await inTransaction(db, remindSome);
    sent += count;
    if (count < most_at_once) return sent;
  }
  return sent;
}

interface Reminder {
  invoice_id: bigint;
  kind: Kind;
  number: string;
  outstanding_cents: bigint;
  due_on: string;
  person_id: bigint | null;
  language: Language;
  name: string;
}

// Who said STOP, or has no address, is not told and not asked about again: the row says that it was
// thought of.
async function remindSome(tx: Tx): Promise<number> {
  const today = eatDate(clock.now());
  const { rows } = await sql<Reminder>`
    with kinds as (
      select * from unnest(
        ${reminders.map((it) => it.kind)}::text[],
        ${reminders.map((it) => daysAfter(today, -it.until))}::date[],
        ${reminders.map((it) => daysAfter(today, -it.from))}::date[],
        ${reminders.map((it) => it.from)}::int[]
      ) as k(kind, first_due, last_due, days)
    ), due as (
      select i.id, k.kind, i.number, i.outstanding_cents, i.due_on, i.customer_id
      from kinds k join invoices i
        on i.due_on between k.first_due and k.last_due and i.outstanding_cents > 0
      where i.issued_on < i.due_on + least(k.days, 0)
        and not exists (
          select from invoice_reminders r where r.invoice_id = i.id and r.kind = k.kind)
      order by i.due_on, i.id limit ${most_at_once}
    ), made as (
      insert into invoice_reminders (invoice_id, kind, at)
      select id, kind, ${clock.now()} from due on conflict do nothing
      returning invoice_id, kind
    )
    select d.id as invoice_id, d.kind, d.number, d.outstanding_cents, d.due_on, c.name,
           reached.id as person_id, coalesce(reached.language, 'en') as language
    from due d join made m on m.invoice_id = d.id and m.kind = d.kind
    join customers c on c.id = d.customer_id
    left join lateral (
      select p.id, p.language from people asked join people p on p.id = coalesce(asked.merged_into, asked.id)
      where asked.id = c.person_id and exists (select from addresses where person_id = p.id)
    ) reached on true
    order by d.due_on, d.id
  `.execute(tx);
  await notify(
    tx,
    rows.flatMap(({ person_id, ...it }) => {
      if (person_id === null) return [];
      const values = {
        ref: it.number,
        left: decimalFromCents(it.outstanding_cents),
        date: it.due_on,
      };
      return [
        {
          key: `invoice:${it.number}:remind_${it.kind}`,
          person_id,
          template: `remind_${it.kind}`,
          values,
          choices: payTap(it.language),
          optional: true,
          trade: 'invoice',
        },
      ];
    }),
  );
  return rows.length;
}
