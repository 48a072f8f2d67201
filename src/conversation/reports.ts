import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { DeliveryReport, outcomeOf, readForm } from '../channels/sms/payloads.ts';
import { UssdEvent } from '../channels/ussd/africas-talking.ts';
import { statusesOf, WhatsAppWebhook } from '../channels/whatsapp-cloud/payloads.ts';
import { LinkedStatus } from '../channels/whatsapp-linked/payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { type Delivery, recordDeliveries } from '../outbox/delivery.ts';

const batch_size = 200;
// Later than this its message is not one of ours, or was never recorded as sent.
const wait_for_its_message_s = 60;

/** Takes in what was reported on our messages and on sessions of USSD. */
export async function takeReports(db: Db, more: () => boolean): Promise<void> {
  const from = (source: string, read: (body: string) => Delivery[]) =>
    drainInbox(db, { source, batch_size, work: (tx, rows) => record(tx, rows, read) }, more);
  await from('sms_delivery', bySms);
  await from('whatsapp_status', byWhatsApp);
  await from('linked_status', byLinked);
  await drainInbox(db, { source: 'ussd_event', batch_size, work: countDropped }, more);
}

// Where people were in a conversation when their USSD session ended before it did.
async function countDropped(tx: Tx, rows: Kept[]): Promise<void> {
  const dropped = rows
    .map((row) => UssdEvent.parse(JSON.parse(row.body)))
    .filter((event) => event.status !== 'Success');
  await sql`
    insert into step_events (flow, step, what, channel, language)
    select s.body->>'flow', s.body->>'at', 'dropped', 'ussd', p.language
    from ussd_sessions u
    join sessions s on s.person_id = u.person_id and s.channel = 'ussd'
    join people p on p.id = u.person_id
    where u.gateway_id = any(${dropped.map((event) => event.sessionId)}::text[])
  `.execute(tx);
}

async function record(
  tx: Tx,
  rows: Kept[],
  read: (body: string) => Delivery[],
): Promise<Kept[] | void> {
  const all = rows.map((row) => ({ row, deliveries: read(row.body) }));
  const unknown = await recordDeliveries(
    tx,
    all.flatMap((it) => it.deliveries),
  );
  return all
    .filter(
      ({ row, deliveries }) =>
        deliveries.some((it) => unknown.has(it.provider_id)) && row.age_s < wait_for_its_message_s,
    )
    .map(({ row }) => row);
}

function bySms(body: string): Delivery[] {
  const report = DeliveryReport.parse(readForm(body));
  const outcome = outcomeOf(report);
  if (!outcome) return [];
  const error = outcome === 'failed' ? (report.failureReason ?? report.status) : null;
  return [{ provider_id: report.id, outcome, error }];
}

function byLinked(body: string): Delivery[] {
  const { id, outcome, error } = LinkedStatus.parse(JSON.parse(body));
  return [{ provider_id: id, outcome, error }];
}

// They repeat and overtake each other, and `delivered` may be left out where somebody has read it.
const outcomes = new Map<string, Delivery['outcome']>([
  ['delivered', 'delivered'],
  ['read', 'delivered'],
  ['played', 'delivered'],
  ['failed', 'failed'],
]);

function byWhatsApp(body: string): Delivery[] {
  return statusesOf(WhatsAppWebhook.parse(JSON.parse(body))).flatMap((it) => {
    const outcome = outcomes.get(it.status);
    if (!outcome) return [];
    const error = it.error_code === null ? null : `WhatsApp ${it.error_code}`;
    return [{ provider_id: it.id, outcome, error }];
  });
}
