import { expect, onTestFinished, test } from 'vitest';
import { isSigned } from '../../src/base/secrets.ts';
import {
  messagesOf,
  statusesOf,
  WhatsAppWebhook,
} from '../../src/channels/whatsapp-cloud/payloads.ts';
import { eventually } from '../helpers/process.ts';
import { hook_secret, openWorld, type Received } from './world.ts';

async function newWorld(answer?: (it: Received) => { status: number }) {
  const world = await openWorld(answer);
  onTestFinished(() => world.close());
  return world;
}

const webhookOf = (it: Received | undefined) => WhatsAppWebhook.parse(JSON.parse(it?.body ?? ''));
const bearer = { authorization: 'Bearer token' };
const send = { messaging_product: 'whatsapp', to: '254700000004', type: 'text' };

test('what a person writes reaches the app, signed over the very bytes', async () => {
  const world = await newWorld();
  const text = 'Habari 👋 "1/2"\nMwangi ‮';
  const { json } = await world.post('/sim/whatsapp', { from: '0700000004', text });
  const [callback] = await world.app.hears(1);
  expect(callback?.path).toBe(`/hooks/${hook_secret}/whatsapp`);
  const signature = String(callback?.headers['x-hub-signature-256']);
  const body = callback?.body ?? '';
  expect(isSigned([hook_secret], body, signature)).toBe(true);
  expect(isSigned([hook_secret], JSON.stringify(JSON.parse(body)), signature)).toBe(false);
  expect(messagesOf(webhookOf(callback))).toEqual([
    {
      id: json.id,
      from: '254700000004',
      name: 'Kamau',
      text: 'Habari 👋 "1/2"\nMwangi',
      tapped: null,
      sent: null,
      answers: null,
      kind: 'text',
      at: expect.any(Date),
      phone_number_id: '100000000600000',
    },
  ]);
});

test('a message that was not answered 200 is told again, after a restart too', async () => {
  const world = await newWorld(() => ({ status: 503 }));
  await world.post('/sim/whatsapp', { from: '254700000004', text: 'Hello' });
  await world.app.hears(2);
  await world.reopen();
  const before = world.app.received.length;
  world.app.answer = () => ({ status: 200 });
  await world.app.hears(before + 1);
  expect(new Set(world.app.received.map((it) => it.body)).size).toBe(1);
});

test('what the business sends is shown on the phone, and its statuses follow', async () => {
  const world = await newWorld();
  const body = { ...send, recipient_type: 'individual', text: { body: 'Thank you' } };
  const { status, json } = await world.post('/v25.0/100000000600000/messages', body, bearer);
  expect(status).toBe(200);
  expect(json).toEqual({
    messaging_product: 'whatsapp',
    contacts: [{ input: '254700000004', wa_id: '254700000004' }],
    messages: [{ id: expect.stringMatching(/^wamid\./) }],
  });
  const [{ id }] = json.messages;
  const statuses = (await world.app.hears(2)).flatMap((it) => statusesOf(webhookOf(it)));
  expect(statuses).toMatchObject([
    { id, status: 'sent', recipient: '254700000004' },
    { id, status: 'delivered' },
  ]);
  const chat = await world.get('/sim/whatsapp?phone=0700000004');
  expect(chat.json).toMatchObject([{ id, direction: 'out', text: 'Thank you' }]);
});

test('a chat is read from the last message seen', async () => {
  const world = await newWorld();
  const ids: string[] = [];
  for (const text of ['one', 'two', 'three'])
    ids.push((await world.post('/sim/whatsapp', { from: '254700000005', text })).json.id);
  const path = '/sim/whatsapp?phone=254700000005';
  expect((await world.get(path)).json.map((it: { id: string }) => it.id)).toEqual(ids);
  const { json } = await world.get(`${path}&after=${encodeURIComponent(ids[1]!)}`);
  expect(json).toMatchObject([{ text: 'three', direction: 'in' }]);
  expect((await world.get('/sim/whatsapp')).status).toBe(400);
  expect((await world.get('/sim/sms?phone=254700000005')).json).toEqual([]);
});

test('buttons and rows are tapped, and the tap names the message it was below', async () => {
  const world = await newWorld();
  const rows = [{ id: 'q1:a', title: 'First', description: 'The first of them' }];
  const list = { button: 'Choose', sections: [{ rows }] };
  const interactive = { type: 'list', body: { text: 'Which?' }, action: list };
  const path = '/v25.0/1/messages';
  const sent = await world.post(path, { ...send, type: 'interactive', interactive }, bearer);
  const asked = sent.json.messages[0].id;
  const chat = await world.get('/sim/whatsapp?phone=254700000004');
  expect(chat.json).toMatchObject([{ text: 'Which?\n1 The first of them', choices: rows }]);
  await world.post('/sim/whatsapp', { from: '254700000004', tap: 'q1:a' });
  const said = await eventually(
    async () => world.app.received.flatMap((it) => messagesOf(webhookOf(it))),
    (all) => all.length > 0,
    10_000,
  );
  expect(said).toMatchObject([{ kind: 'interactive', tapped: 'q1:a', answers: asked, text: null }]);
  const nothing = await world.post('/sim/whatsapp', { from: '254700000004', tap: 'q9:z' });
  expect([nothing.status, nothing.json.error]).toEqual([400, 'There is no q9:z to tap there.']);
});

test('when the day after a message is over, only templates are taken, until the next message', async () => {
  const world = await newWorld();
  const path = '/v25.0/1/messages';
  const closed = { phone: '254700000004', open: false };
  await world.post('/sim/whatsapp/window', closed);
  const text = { ...send, text: { body: 'Hello' } };
  expect((await world.post(path, text, bearer)).json.error.code).toBe(131047);
  const parameters = [{ type: 'text', text: 'Kamau' }];
  const template = {
    name: 'paid_full',
    language: { code: 'en' },
    components: [{ type: 'body', parameters }],
  };
  expect((await world.post(path, { ...send, type: 'template', template }, bearer)).status).toBe(
    200,
  );
  const broken = [{ type: 'body', parameters: [{ type: 'text', text: 'two\nlines' }] }];
  const odd = { ...send, type: 'template', template: { ...template, components: broken } };
  expect((await world.post(path, odd, bearer)).json.error.code).toBe(100);
  await world.post('/sim/whatsapp', { from: '254700000004', text: 'Hi' });
  expect((await world.post(path, text, bearer)).status).toBe(200);
});

test('the Cloud API refuses as Graph does', async () => {
  const world = await newWorld();
  const path = '/v25.0/1/messages';
  const text = { body: 'Hello' };
  const unknown = await world.post(path, { ...send, text });
  expect([unknown.status, unknown.json.error.code]).toEqual([401, 190]);
  const wrong: [unknown, number][] = [
    [{ ...send }, 100],
    [{ ...send, text: { body: '' } }, 100],
    [{ ...send, text: { body: 'x'.repeat(4097) } }, 100],
    [{ ...send, to: 'nobody', text }, 100],
    [{ ...send, messaging_product: 'sms', text }, 100],
    [{ ...send, type: 'sticker' }, 131051],
    ['{', 100],
    ['null', 100],
  ];
  for (const [body, code] of wrong) {
    const { status, json } = await world.post(path, body, bearer);
    expect([body, status, json.error.code]).toEqual([body, 400, code]);
  }
});
