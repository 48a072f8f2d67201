import { type Context, Hono } from 'hono';
import type { Db } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { isOneOf, isSigned } from '../base/secrets.ts';
import { ussdReply, UssdRequest } from '../channels/ussd/africas-talking.ts';
import { messagesOf, WhatsAppWebhook } from '../channels/whatsapp-cloud/payloads.ts';
import type { Keep } from '../inbox/keep.ts';
import { answerUssd } from './ussd.ts';
import type { House } from './turn.ts';
import { takeSecretAnswers } from './whatsapp.ts';

export interface ConversationDoors {
  db: Db;
  keep: Keep;
  house: House;
  /** Meta's app secrets, the current one first, and the token of its handshake. */
  app_secrets: readonly string[];
  verify_token: string;
  /** For the keyed hashes of what was keyed on USSD. */
  key: string;
  sourceOf: (c: Context) => { from_ip: string | null };
}

/** The doors of messages, under /hooks/{secret}. */
export function conversationHooks(doors: ConversationDoors): Hono {
  const routes = new Hono();
  routes.get('/whatsapp', (c) => handshake(c, doors));
  routes.post('/whatsapp', (c) => whatsapp(c, doors));
  routes.post('/ussd', (c) => ussd(c, doors));
  return routes;
}

function handshake(c: Context, doors: ConversationDoors): Response {
  const asks = c.req.query('hub.mode') === 'subscribe';
  const knows = isOneOf([doors.verify_token], c.req.query('hub.verify_token') ?? '');
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
  const says_something = webhook.entry.some((entry) =>
    entry.changes.some((change) => change.value.messages.length > 0),
  );
  // Delivery reports are many, and nothing reads them yet.
  if (!says_something) return c.text('OK');
  const { from_ip } = doors.sourceOf(c);
  if (!(await takeSecretAnswers(doors.db, doors.house, webhook, body, from_ip))) {
    // Several people's messages in one webhook are rare; the first of them keeps its order.
    const subject = messagesOf(webhook)[0]?.from ?? null;
    await doors.keep({ source: 'whatsapp', subject, body, from_ip });
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

// Always 200 and a sentence: anything else ends the session with the network's own error.
async function ussd(c: Context, doors: ConversationDoors): Promise<Response> {
  try {
    const form = await c.req.parseBody();
    const request = UssdRequest.safeParse(form);
    if (!request.success) {
      return c.text(ussdReply('Sorry, we could not read that. Please dial again.', true));
    }
    const { from_ip } = doors.sourceOf(c);
    const said = await answerUssd(doors.db, doors.house, doors.key, request.data, from_ip);
    return c.text(ussdReply(said.words, said.over));
  } catch (error) {
    log.error({ error: messageOf(error) }, 'a USSD request failed');
    return ussdSorry(c);
  }
}

/** What a phone shows when we cannot answer, whoever it is. */
export function ussdSorry(c: Context): Response {
  const sorry = 'Sorry, we have a problem on our side. Please dial again in a few minutes.';
  const samahani = 'Samahani, tuna tatizo. Tafadhali piga tena baada ya dakika chache.';
  return c.text(ussdReply(`${sorry}\n${samahani}`, true));
}
