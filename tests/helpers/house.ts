import { createHmac } from 'node:crypto';
import type { Hono } from 'hono';
import type { Db } from '../../src/base/db.ts';
import { keyedHash } from '../../src/base/secrets.ts';
import { decimalFromCents } from '../../src/base/money.ts';
import { demoConfig } from '../../src/demo.ts';
import type { House as Conversations } from '../../src/conversation/house.ts';
import { takeSms } from '../../src/conversation/sms.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import type { Actions } from '../../src/flow/action.ts';
import { keepContents } from '../../src/conversation/contents.ts';
import { loadFlows } from '../../src/flow/load.ts';
import { verify } from '../../src/ledger/verify.ts';
import { drainPayments } from '../../src/payments/jobs.ts';
import type { ReceiveSettings } from '../../src/payments/receive.ts';
import { actions, checks, dues, trades } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { listen } from '../../src/listen.ts';
import { buildServer } from '../../src/server.ts';
import { limitsOf, type Settings } from '../../src/settings.ts';
import { keptOff } from '../../src/trades.ts';
import { money_accounts } from './confirmation.ts';
import { demoDatabase } from './database.ts';

/** Only a number on Meta's Cloud API, as in the demo. */
export const cloud_alone = {
  cloud: true,
  linked: false,
  kept_off: keptOff({}, trades),
};

/** What leases whatever is due there. */
export const anybodys = { after: 0n, sender: 'others', numbers: cloud_alone } as const;

export const hook_secret = 'test-hook-secret-0123456789';

export interface House {
  db: Db;
  url: string;
  app: Hono;
  /** Posts to an address under /hooks/{secret}. */
  hook: (
    path: string,
    body: string | Buffer | object,
    headers?: Record<string, string>,
  ) => Promise<Response>;
  /** Works through the payments that wait, as the worker would. */
  drain: () => Promise<number>;
  /** A person writes on WhatsApp; the worker's answers, oldest first. */
  writes: (from: string, text: string, id?: string) => Promise<string[]>;
  /** A person sends an SMS; the worker's answers, oldest first. */
  texts: (from: string, text: string, id?: string) => Promise<string[]>;
  /** A key press on USSD: the whole `text` so far. Resolves to what the phone shows, CON or END first. */
  keys: (phone: string, session: string, text: string) => Promise<string>;
  receive: ReceiveSettings;
  settings: Settings;
  conversations: Conversations;
  findings: () => ReturnType<typeof verify>;
  close: () => Promise<void>;
}

/** The demo's business on a database of its own, behind real HTTP, with a worker that runs when told to. */
export async function openHouse(
  change: Partial<Settings> = {},
  other: { flows_folder: string; actions: Actions } = { flows_folder, actions },
): Promise<House> {
  const database = await demoDatabase();
  const { db } = database;
  const settings: Settings = {
    ...demoConfig(hook_secret),
    environment: 'demo',
    host: '127.0.0.1',
    port: 0,
    public_url: undefined,
    database_url: database.url,
    data_dir: '',
    secret: 'a-key-for-tests-that-is-long-enough',
    hosts: undefined,
    linked_url: undefined,
    ...change,
  };
  const values = { shop: 'Duka', help: '0700000001', paybill: '600000', ussd: '*384*123456#' };
  const flows = await flowsOf(other);
  await keepContents(db, flows);
  const keyed = (purpose: string, text: string) => keyedHash(settings.secret, purpose, text);
  const conversations: Conversations = {
    flows,
    actions: other.actions,
    values,
    keyed,
    sms: true,
    asks_from: settings.shortcodes.find((s) => s.passkey !== undefined)?.number,
    numbers: cloud_alone,
  };
  const app = buildServer({ settings, database, house: conversations });
  const listening = await listen(app, '127.0.0.1', 0);
  const receive: ReceiveSettings = {
    dues,
    money_accounts,
    limits: limitsOf(settings),
    digest_above_per_minute: settings.alerts.digest_above_per_minute,
  };
  return {
    db,
    url: listening.url,
    app,
    receive,
    settings,
    conversations,
    hook: (path, body, headers = {}) =>
      fetch(`${listening.url}/hooks/${hook_secret}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body:
          typeof body === 'string'
            ? body
            : Buffer.isBuffer(body)
              ? new Uint8Array(body)
              : JSON.stringify(body),
      }),
    drain: () => drainPayments(db, receive),
    writes: async (from, text, id = `wamid.${(messages += 1)}`) => {
      const since = await lastOutbox(db);
      const body = JSON.stringify(webhook(from, text, id));
      const response = await postSigned(listening.url, body);
      if (response.status !== 200) throw new Error(`${response.status}`);
      await takeTurns(db, conversations);
      return wordsSince(db, since);
    },
    texts: async (from, text, id = `ATXid_${(messages += 1)}`) => {
      const since = await lastOutbox(db);
      const form = { date: '2026-02-03 08:00:00', from: `+${from}`, to: '20880', id, text };
      const response = await fetch(`${listening.url}/hooks/${hook_secret}/sms/inbound`, {
        method: 'POST',
        body: new URLSearchParams({ ...form, networkCode: '63902' }),
      });
      if (response.status !== 200) throw new Error(`${response.status}`);
      await takeSms(db, conversations, () => true);
      return wordsSince(db, since);
    },
    keys: async (phone, session, text) => {
      const form = {
        sessionId: session,
        serviceCode: '*384*1#',
        phoneNumber: `+${phone}`,
        networkCode: '63902',
        text,
      };
      const response = await fetch(`${listening.url}/hooks/${hook_secret}/ussd`, {
        method: 'POST',
        body: new URLSearchParams(form),
      });
      if (response.status !== 200) throw new Error(`${response.status}`);
      return response.text();
    },
    findings: () => verify(db, checks),
    close: async () => {
      await listening.stop();
      await database.close();
    },
  };
}

let checked: ReturnType<typeof loadFlows> | undefined;

// The shipped flows are read and checked once: that takes longer than most tests.
function flowsOf(it: { flows_folder: string; actions: Actions }): ReturnType<typeof loadFlows> {
  if (it.flows_folder !== flows_folder || it.actions !== actions)
    return loadFlows(it.flows_folder, it.actions);
  checked ??= loadFlows(flows_folder, actions);
  return checked;
}

let messages = 0;

async function lastOutbox(db: Db): Promise<bigint> {
  const row = await db
    .selectFrom('outbox')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0n;
}

async function wordsSince(db: Db, id: bigint): Promise<string[]> {
  const rows = await db
    .selectFrom('outbox')
    .select('words')
    .where('id', '>', id)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.words ?? '');
}

/** A webhook as the Cloud API sends it, with one message. */
export function webhook(from: string, text: string, id: string): object {
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '254700000000', phone_number_id: '1' },
    contacts: [{ wa_id: from, profile: { name: 'Somebody' } }],
    messages: [{ id, from, timestamp: '1771000000', type: 'text', text: { body: text } }],
  };
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
  };
}

/** Posts a webhook signed by the app's secret over its very bytes. */
export function postSigned(url: string, body: string, secret = hook_secret): Promise<Response> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return fetch(`${url}/hooks/${hook_secret}/whatsapp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
    body,
  });
}

/** Every payment with what it paid, as text that a test can read: "500.00 reference INV-…=500.00". */
export async function paymentsOf(db: Db): Promise<string[]> {
  const payments = await db.selectFrom('payments').selectAll().orderBy('id').execute();
  const allocations = await db.selectFrom('allocations').selectAll().orderBy('id').execute();
  return payments.map((p) => {
    const parts = allocations
      .filter((a) => a.payment_id === p.id && a.reversed_at === null)
      .map((a) => `${a.due_reference}=${decimalFromCents(a.amount_cents)}`);
    return [decimalFromCents(p.amount_cents), p.rule, ...parts].join(' ');
  });
}
