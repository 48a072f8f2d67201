import fc from 'fast-check';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { heardNow, newAnswer, UssdRequest } from '../../src/channels/ussd/africas-talking.ts';
import {
  messagesOf,
  statusesOf,
  WhatsAppWebhook,
} from '../../src/channels/whatsapp-cloud/payloads.ts';
import { sendMessage } from '../../src/channels/whatsapp-cloud/send.ts';
import { payerFrom } from '../../src/daraja/payloads.ts';
import { readConfirmation } from '../../src/payments/read-callback.ts';
import { damaged, mutated, oddJson, oddText, runs, written } from './arbitraries.ts';
import { confirmationFields, webhookText } from './bodies.ts';

// What can be stored and shown: no NUL, no half of a pair, one line.
const storable = (text: string) =>
  text.isWellFormed() && !/[\p{Cc}\u202A-\u202E]/u.test(text) && text.length <= 100;

test('any bytes are a confirmation whose every part can be stored, or a fault in a few words', () => {
  const bodies = fc.oneof(
    { weight: 4, arbitrary: damaged(mutated(confirmationFields).map(written)) },
    { weight: 1, arbitrary: damaged(oddJson) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it)) },
  );
  let understood = 0;
  fc.assert(
    fc.property(bodies, (bytes) => {
      const read = readConfirmation(bytes);
      if ('fault' in read) {
        expect(read.fault).toMatch(/^not [\w\- ,.+]{3,90}/);
        return;
      }
      understood += 1;
      const it = read.value;
      expect(it.receipt).toMatch(/^[A-Z0-9]{6,20}$/);
      expect(it.shortcode).toMatch(/^[0-9]{3,10}$/);
      expect(it.amount_cents > 0n && it.amount_cents < 10n ** 15n).toBe(true);
      expect(it.paid_at.getUTCFullYear()).toBeLessThan(2100);
      for (const text of [
        it.account_typed,
        it.msisdn_given,
        it.payer_name ?? '',
        it.transaction_type,
      ])
        expect(storable(text)).toBe(true);
      // Read again from what is kept, it says the same.
      expect(readConfirmation(Buffer.from(read.body))).toEqual(read);
    }),
    runs(600),
  );
  expect(understood).toBeGreaterThan(100);
});

test('letters that only become Latin in capitals are in no receipt', () => {
  for (const receipt of ['TKL4A1Bſ01', 'TKL4A1Bı01', 'TKL4A1Bﬁ01', 'TKL4A1Bß01']) {
    const body = JSON.stringify({
      ...{ TransID: receipt, TransTime: '20261120143000', TransAmount: '5.00' },
      BusinessShortCode: '600000',
    });
    expect(readConfirmation(Buffer.from(body))).toHaveProperty('fault');
  }
});

test('a payer is named in one way at most, and a masked number names nobody', () => {
  const masks = fc.tuple(
    fc.stringMatching(/^254[17]?\d{0,3}$/),
    fc.constantFrom('*', ' ***** ', '****'),
    fc.stringMatching(/^\d{2,4}$/),
  );
  fc.assert(
    fc.property(masks, ([head, stars, tail]) => {
      expect(payerFrom(`${head}${stars}${tail}`)).toEqual({ masked: `${head}${stars}${tail}` });
    }),
    runs(100),
  );
  fc.assert(
    fc.property(oddText, (text) => {
      const payer = payerFrom(text);
      expect(Object.keys(payer).length).toBeLessThanOrEqual(1);
      if (payer.msisdn) expect(payer.msisdn).toMatch(/^254[17]\d{8}$/);
      if (payer.hash) expect(payer.hash).toMatch(/^[0-9a-f]{64}$/);
    }),
    runs(300),
  );
});

test('whatever Meta posts, each message and status that is read can be stored', () => {
  let read = 0;
  fc.assert(
    fc.property(webhookText, (text) => {
      const webhook = WhatsAppWebhook.safeParse(valueOf(text)).data;
      if (!webhook) return;
      for (const message of messagesOf(webhook)) {
        read += 1;
        expect(message.id).toMatch(/^[\x21-\x7e]{1,180}$/);
        expect(message.from).toMatch(/^[\w.:@-]{5,128}$/);
        expect(message.text ?? '').toSatisfy(
          (it: string) => it.isWellFormed() && !it.includes('\0'),
        );
        expect(message.name === null || storable(message.name.replaceAll('\n', ' '))).toBe(true);
        expect(message.at.getTime()).not.toBeNaN();
      }
      for (const status of statusesOf(webhook)) {
        expect(status.id).toMatch(/^[\x21-\x7e]{1,180}$/);
        expect(status.at.getTime()).not.toBeNaN();
      }
    }),
    runs(500),
  );
  expect(read).toBeGreaterThan(100);
});

function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const ussd = (text: string) =>
  UssdRequest.parse({
    sessionId: 'ATUid_1',
    serviceCode: '*384#',
    phoneNumber: '+254700000004',
    text,
  });

test('whatever is keyed, repeated and late, the conversation hears each answer once', () => {
  // Nothing keyed first is the dialling itself; a star is an answer's own or the gateway's.
  const first = fc.stringMatching(/^[0-9A-Za-z*# ]{1,8}$/);
  const next = fc.oneof(fc.constantFrom('', '*', '1', '00', '98', '1*1', '#'), first);
  const answers = fc.tuple(first, fc.array(next, { maxLength: 8 }));
  const copies = fc.array(fc.nat({ max: 9 }), { maxLength: 12 });
  fc.assert(
    fc.property(answers, copies, ([one, more], late) => {
      const typed = [one, ...more];
      const texts = ['', ...typed.map((_, n) => typed.slice(0, n + 1).join('*'))];
      let before: ReturnType<typeof heardNow> | undefined;
      const heard: string[] = [];
      texts.forEach((text, n) => {
        // This request, then copies of it and of any before.
        for (const which of [n, ...late.filter((it, at) => it <= n && at % texts.length === n)]) {
          const request = ussd(texts[which] ?? text);
          const now = newAnswer('a key', request, before);
          if (which < n) expect(now.kind).toBe('repeat');
          if (now.kind === 'answer') heard.push(now.text);
          if (now.kind !== 'repeat') before = heardNow('a key', request);
        }
      });
      expect(heard).toEqual(typed);
      // Another session's or another key's memory is none.
      const last = ussd(texts.at(-1) ?? '');
      expect(newAnswer('another key', last, before).kind).toBe('dialled');
      expect(newAnswer('a key', { ...last, sessionId: 'ATUid_2' }, before).kind).toBe('dialled');
    }),
    runs(300),
  );
});

test('any form of Africa’s Talking is a request or none', () => {
  const field = fc.option(oddText, { nil: undefined });
  const form = fc.record({
    sessionId: field,
    serviceCode: field,
    phoneNumber: field,
    networkCode: field,
    text: field,
  });
  fc.assert(
    fc.property(form, (it) => {
      const read = UssdRequest.safeParse(it);
      if (read.success) expect(read.data.phoneNumber).toMatch(/^254[17]\d{8}$/);
    }),
    runs(200),
  );
});

let meta: Server;
let answer: { status: number; body: string };
let base_url: string;

beforeAll(async () => {
  meta = createServer((_, response) => response.writeHead(answer.status).end(answer.body));
  await new Promise<void>((done) => meta.listen(0, '127.0.0.1', done));
  const address = meta.address();
  base_url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
afterAll(() => new Promise((done) => meta.close(done)));

test('whatever Meta answers, a message was sent, or how it was not is known', async () => {
  const body = fc.oneof(
    oddJson,
    oddText,
    oddJson.map((id) => `{"messages":[{"id":${id}}]}`),
    fc.tuple(oddJson, oddJson).map(([code, why]) => `{"error":{"code":${code},"message":${why}}}`),
    fc.nat({ max: 140_000 }).map((code) => `{"error":{"code":${code}}}`),
  );
  const status = fc.constantFrom(200, 201, 204, 400, 401, 404, 429, 500, 502, 503, 599);
  const number = { base_url, graph_version: 'v25.0', phone_number_id: '1', access_token: 'token' };
  await fc.assert(
    fc.asyncProperty(status, body, async (code, text) => {
      answer = { status: code, body: code === 204 ? '' : text };
      const sent = await sendMessage(number, {
        to: '254700000004',
        message: { text: 'Habari' },
      }).catch((error: unknown) => error);
      if (typeof sent === 'string') expect(code).toBeLessThan(300);
      else {
        expect(sent).toBeInstanceOf(ProviderError);
        // Nobody repeats at once what may have been sent.
        if (code < 300 && !text.includes('"error"'))
          expect(sent).toMatchObject({ outcome: 'unknown' });
        if (code >= 500) expect((sent as ProviderError).outcome).not.toBe('refused');
      }
    }),
    runs(150),
  );
});
