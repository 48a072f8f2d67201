import { type Context, Hono } from 'hono';
import { clock } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { Late, within } from '../base/late.ts';
import { log } from '../base/log.ts';
import { isOneOf, isSigned } from '../base/secrets.ts';
import { africasTalking, UssdEvent } from '../channels/ussd/africas-talking.ts';
import type { KeyPress, UssdGateway } from '../channels/ussd/gateway.ts';
import { messagesOf, statusesAlone, WhatsAppWebhook } from '../channels/whatsapp-cloud/payloads.ts';
import { DeliveryReport, InboundSms, OptOut, readForm } from '../channels/sms/payloads.ts';
import { type Keep, keepRejected } from '../inbox/keep.ts';
import type { Said } from './turn.ts';
import { type House, wordsFor } from './house.ts';
import { withoutUnaskedDigits } from './sms.ts';
import { answerUssd, apologise, tellLate, type Patience } from './ussd.ts';
import { takeSecretAnswers } from './secret-answers.ts';

export interface ConversationDoors {
  db: Db;
  /** Keeps what is to be answered, and what reports on our own messages. */
  keep: Keep;
  keep_report: Keep;
  house: House;
  /** Meta's app secrets, the current one first, and the token of its handshake. */
  app_secrets: readonly string[];
  verify_token: string | undefined;
  /** For the keyed hashes of what was keyed on USSD. */
  key: string;
  /** How long a phone is kept waiting: the gateway waits for ten seconds. */
  ussd_deadline_ms: number;
  /** Gateways by the last part of their address. */
  gateways: ReadonlyMap<string, UssdGateway>;
  sourceOf: (c: Context) => { from_ip: string | null };
}

/** The doors of messages, under /hooks/{secret}. */
export function conversationHooks(doors: ConversationDoors): Hono {
  const routes = new Hono();
  routes.get('/whatsapp', (c) => handshake(c, doors));
  routes.post('/whatsapp', (c) => whatsapp(c, doors));
  for (const [name, gateway] of doors.gateways) {
    routes.post(`/${name}`, (c) => ussd(c, doors, gateway));
  }
  routes.post('/ussd/events', (c) => ussdEvent(c, doors));
  routes.post('/sms/inbound', (c) => sms(c, doors, 'sms'));
  routes.post('/sms/delivery', (c) => sms(c, doors, 'sms_delivery'));
  routes.post('/sms/optout', (c) => sms(c, doors, 'sms_optout'));
  return routes;
}

function handshake(c: Context, doors: ConversationDoors): Response {
  const asks = c.req.query('hub.mode') === 'subscribe';
  const { verify_token } = doors;
  const knows = isOneOf(verify_token ? [verify_token] : [], c.req.query('hub.verify_token') ?? '');
  return asks && knows ? c.text(c.req.query('hub.challenge') ?? '') : c.text('Forbidden', 403);
}

async function whatsapp(c: Context, doors: ConversationDoors): Promise<Response> {
  const bytes = Buffer.from(await c.req.arrayBuffer());
  // Over the very bytes: the same JSON written again has another signature.
  if (!isSigned(doors.app_secrets, bytes, c.req.header('x-hub-signature-256') ?? '')) {
    log.warn({ from_ip: doors.sourceOf(c).from_ip }, 'a WhatsApp webhook was not signed by Meta');
    return c.text('Forbidden', 403);
  }
  const body = bytes.toString('utf8');
  const webhook = read(body);
  if (!webhook) return c.text('Not a WhatsApp webhook', 400);
  const has = (what: 'messages' | 'statuses') =>
    webhook.entry.some((entry) => entry.changes.some((change) => change.value[what].length > 0));
  const { from_ip } = doors.sourceOf(c);
  if (has('statuses')) {
    // Without what people wrote, which may be a secret.
    const report = JSON.stringify(statusesAlone(webhook));
    await doors.keep_report({ source: 'whatsapp_status', subject: null, body: report, from_ip });
  }
  if (!has('messages')) return c.text('OK');
  const to_keep = await takeSecretAnswers(doors.db, doors.house, {
    source: 'whatsapp',
    body,
    from_ip,
  });
  if (to_keep !== undefined) {
    // Several people's messages in one webhook are rare; the first of them keeps its order.
    const subject = messagesOf(webhook)[0]?.from ?? null;
    await doors.keep({ source: 'whatsapp', subject, body: to_keep, from_ip });
  }
  return c.text('OK');
}

function read(body: string): WhatsAppWebhook | undefined {
  try {
    return WhatsAppWebhook.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

const sms_forms = { sms: InboundSms, sms_delivery: DeliveryReport, sms_optout: OptOut } as const;

async function sms(
  c: Context,
  doors: ConversationDoors,
  source: keyof typeof sms_forms,
): Promise<Response> {
  const body = await c.req.text();
  const { from_ip } = doors.sourceOf(c);
  const fields = readForm(body);
  const form = sms_forms[source].safeParse(fields);
  if (!form.success || body.includes('\0')) {
    const { text: _, ...others } = fields;
    const head = Buffer.from(new URLSearchParams(others).toString());
    await keepRejected(doors.db, { source, reason: 'not such a form', body: head, from_ip });
    // From a number that is none of Kenya's it will not be another by being sent again.
    const foreign = source === 'sms' && form.error?.issues.every((it) => it.path[0] === 'from');
    return foreign ? c.text('OK') : c.text('Not the form that was expected', 400);
  }
  if (source === 'sms') {
    const { from } = InboundSms.parse(fields);
    const to_keep = await withoutUnaskedDigits(doors.db, doors.house, body);
    await doors.keep({ source, subject: from, body: to_keep, from_ip });
  } else if (source === 'sms_optout') {
    // It has no id of its own, and may be said again after a change of mind.
    const at = clock.now().toISOString().slice(0, 16);
    await doors.keep_report({ source, subject: null, body: `${body}&received=${at}`, from_ip });
  } else await doors.keep_report({ source, subject: null, body, from_ip });
  return c.text('OK');
}

// Always 200 and a sentence: anything else ends the session with the network's own error.
async function ussd(c: Context, doors: ConversationDoors, gateway: UssdGateway): Promise<Response> {
  const reply = ({ words, over }: Said) => {
    const { body, type } = gateway.reply(words, over);
    return c.body(body, 200, { 'content-type': `${type}; charset=UTF-8` });
  };
  try {
    const press = gateway.read(readForm(await c.req.text()));
    if (!press)
      return reply({ words: 'Sorry, we could not read that. Please dial again.', over: true });
    return reply(await inTime(doors, { press, ...doors.sourceOf(c) }));
  } catch (error) {
    log.error({ error: messageOf(error) }, 'a USSD request failed');
    return reply({ words: ussd_sorry, over: true });
  }
}

// Who waits is told in time that the answer comes by SMS; what is ready later goes there. What is
// being committed at that moment is waited for a little longer. What has not even begun, since the
// database says nothing or another turn of theirs is not over, is not begun.
async function inTime(
  doors: ConversationDoors,
  it: { press: KeyPress; from_ip: string | null },
): Promise<Said> {
  const { db, house, key, ussd_deadline_ms } = doors;
  const patience: Patience = { late: false, gone: false, nearly_done: false };
  const answering = answerUssd(db, house, key, { ...it, patience });
  const in_time = await ready(ussd_deadline_ms, answering);
  if (in_time) return in_time;
  const committing = patience.nearly_done;
  const at_last = committing ? await ready(ussd_deadline_ms / 4, answering) : undefined;
  if (at_last) return at_last;
  const { language } = patience;
  const promises = language !== undefined && house.sms;
  patience.gone = language === undefined;
  // What is being committed is said afterwards, even where the database has it run again.
  patience.late = promises && !committing;
  answering.then(
    (said) =>
      promises && committing ? tellLate(db, house, { press: it.press, key, said }) : undefined,
    (error: unknown) => {
      log.error({ error: messageOf(error) }, 'a USSD request that took too long failed');
      if (promises) return apologise(db, house, it.press);
    },
  );
  if (!promises) return { words: ussd_sorry, over: true };
  return { words: wordsFor(house, 'slow', language, 'ussd'), over: true };
}

/** What comes of it within this time; undefined when that is over. */
const ready = (ms: number, work: Promise<Said>): Promise<Said | undefined> =>
  within(ms, work).catch((error: unknown) => {
    if (error instanceof Late) return undefined;
    throw error;
  });

// Without what was answered and shown, which the gateway sends along.
async function ussdEvent(c: Context, doors: ConversationDoors): Promise<Response> {
  const event = UssdEvent.safeParse(await c.req.parseBody());
  if (!event.success) return c.text('Not the form that was expected', 400);
  const { from_ip } = doors.sourceOf(c);
  const body = JSON.stringify(event.data);
  await doors.keep_report({ source: 'ussd_event', subject: null, body, from_ip });
  return c.text('OK');
}

const ussd_sorry =
  'Sorry, we have a problem on our side. Please dial again in a few minutes.\n' +
  'Samahani, tuna tatizo. Tafadhali piga tena baada ya dakika chache.';

/** What a phone shows when we cannot answer, whoever it is. */
export function ussdSorry(c: Context): Response {
  return c.text(africasTalking.reply(ussd_sorry, true).body);
}
