import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWhatsAppServer } from '@openclaw/crabline';
import { BufferJSON, initAuthCreds } from '@whiskeysockets/baileys';
import { sql } from 'kysely';
import type { Db } from '../../src/base/db.ts';
import { loadBaileys } from '../../src/channels/whatsapp-linked/baileys.ts';
import { linkedSeal } from '../../src/conversation/linked-device.ts';

export const own_number = '254722000000';
export const secret = 'a-key-for-tests-that-is-long-enough';

/** What left on the linked number, as WhatsApp's server saw it. */
export interface Out {
  to: string;
  id: string;
  text: string;
}

export interface LinkedWhatsApp {
  url: string;
  /** Somebody writes to the number; returns the message's id, which is new if not given. */
  writes: (chat: string, text: string, id?: string) => Promise<string>;
  out: Out[];
  /** The ids of messages that the socket has said have arrived. */
  receipts: Set<string>;
  close: () => Promise<void>;
}

/** What the server tells of a frame that came from a socket. */
interface Frame {
  accepted?: boolean;
  body?: {
    tag?: string;
    attrs?: Record<string, string>;
    key?: { id: string; remoteJid: string; fromMe?: boolean };
    message?: { conversation?: string; extendedTextMessage?: { text?: string } };
  };
}

/** A server that speaks WhatsApp's protocol to a linked device. */
export async function startLinkedWhatsApp(): Promise<LinkedWhatsApp> {
  // What does its encryption prints sessions.
  await loadBaileys();
  const folder = mkdtempSync(join(tmpdir(), 'karani-linked-'));
  const out: Out[] = [];
  const receipts = new Set<string>();
  const server = await startWhatsAppServer({
    recorderPath: join(folder, 'recorder.jsonl'),
    selfJid: `${own_number}@s.whatsapp.net`,
    onEvent: (event) => {
      const { accepted, body } = event as Frame;
      if (body?.tag === 'receipt' && body.attrs?.['id']) receipts.add(body.attrs['id']);
      const { key, message } = body ?? {};
      if (!accepted || !key?.fromMe) return;
      const text = message?.extendedTextMessage?.text ?? message?.conversation ?? '';
      out.push({ to: key.remoteJid, id: key.id, text });
    },
  });
  const { endpoints, adminToken } = server.manifest;
  return {
    url: endpoints.baileysWebSocketUrl,
    out,
    receipts,
    writes: async (chat, text, id = `3A${randomBytes(9).toString('hex').toUpperCase()}`) => {
      const response = await fetch(endpoints.adminInboundUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-crabline-admin-token': adminToken },
        body: JSON.stringify({ text, senderJid: chat, chatJid: chat, messageId: id }),
      });
      if (!response.ok) throw new Error(await response.text());
      return id;
    },
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Credentials of a number that is linked already: this server links none. */
export function linkedCredentials(number = own_number): string {
  const me = { id: `${number}:1@s.whatsapp.net`, name: 'Duka' };
  const creds = { ...initAuthCreds(), me, account: {} };
  return JSON.stringify(creds, BufferJSON.replacer);
}

/** Makes the number of this database linked already. */
export async function linkNumber(db: Db): Promise<void> {
  const sealed = linkedSeal(secret).seal(linkedCredentials(), 'credentials');
  await sql`update linked_device set credentials = ${sealed}`.execute(db);
}

/** A configuration with a linked number and no other; its folder is removed by `remove`. */
export function linkedConfig(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'karani-linked-config-'));
  const path = join(folder, 'config.yaml');
  writeFileSync(
    path,
    [
      'environment: sandbox',
      'business: { name: Duka la Mama, help_number: 0722000000 }',
      'admin_numbers: [0700000001]',
      'shortcodes:',
      '  - { number: "600000", kind: paybill, consumer_key: demo, consumer_secret: demo }',
      'hooks: { daraja: [test-hook-secret-0123456789], ussd: [test-hook-secret-0123456789] }',
      `whatsapp_linked: { number: ${own_number} }`,
      'ussd: { code: "*384*123456#" }',
    ].join('\n'),
  );
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
