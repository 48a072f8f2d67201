import { type BinaryNode, proto } from '@whiskeysockets/baileys';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Linked } from '../../src/channels/whatsapp-linked/connection.ts';
import type { Heard } from '../../src/channels/whatsapp-linked/read.ts';
import {
  linkedCredentials,
  type LinkedWhatsApp,
  own_number,
  startLinkedWhatsApp,
} from '../helpers/linked-whatsapp.ts';
import { eventually } from '../helpers/process.ts';
import { connect as connectTo, encryptingPhone, keyStore, patience_ms } from './connect.ts';

// A real socket against a server that speaks WhatsApp's protocol; what that cannot send is given to
// the socket's own decoder.

const kamau = '254700000004@s.whatsapp.net';
const lid = '77001122334455@lid';
const other = '88001122334455@lid';

let whatsapp: LinkedWhatsApp;
beforeAll(async () => {
  whatsapp = await startLinkedWhatsApp();
}, patience_ms);
afterAll(() => whatsapp.close());

const connect = (it?: Parameters<typeof connectTo>[1]) => connectTo(whatsapp, it);

let ids = 0;

/** A message as the server would pass it on, with nothing encrypted. */
function messageNode(
  message: proto.IMessage | undefined,
  attrs: Record<string, string> = {},
): BinaryNode {
  ids += 1;
  const content = message && proto.Message.encode(message).finish();
  return {
    tag: 'message',
    attrs: {
      id: `3A${String(ids).padStart(16, '0')}`,
      t: String(Math.floor(Date.now() / 1_000)),
      from: kamau,
      sender_lid: lid,
      notify: 'Kamau Otieno',
      type: 'text',
      ...attrs,
    },
    content: content ? [{ tag: 'plaintext', attrs: {}, content }] : [],
  };
}

/** What was kept of these messages, by their ids; `count` of them are expected. */
async function kept(nodes: BinaryNode[], count = nodes.length): Promise<Heard[]> {
  const { line, hears, mute, heard } = await connect();
  await line();
  mute();
  for (const node of nodes) hears('CB:message', node);
  const last = messageNode({ conversation: 'the last' });
  hears('CB:message', last);
  await eventually(
    async () => heard,
    (them) => them.length > count,
    patience_ms,
  );
  return heard
    .filter((it) => it.id !== last.attrs['id'])
    .toSorted((a, b) => a.id.localeCompare(b.id));
}

const quoted = { stanzaId: '3EB0AAAA', quotedMessage: { conversation: 'Which?' } };

test('each kind of message says what its person said', async () => {
  const cases: [proto.IMessage, Partial<Heard>][] = [
    [{ conversation: ' salio ' }, { type: 'text', text: 'salio' }],
    [
      { extendedTextMessage: { text: '2', contextInfo: quoted } },
      { type: 'text', text: '2', answers: '3EB0AAAA' },
    ],
    [
      { buttonsResponseMessage: { selectedButtonId: 'x', selectedDisplayText: 'Yes' } },
      { type: 'text', text: 'Yes' },
    ],
    [
      { listResponseMessage: { title: 'Pay', singleSelectReply: { selectedRowId: 'x' } } },
      { type: 'text', text: 'Pay' },
    ],
    [
      { templateButtonReplyMessage: { selectedId: 'x', selectedDisplayText: 'Stop' } },
      { type: 'text', text: 'Stop' },
    ],
    [{ interactiveResponseMessage: { body: { text: 'Menu' } } }, { type: 'text', text: 'Menu' }],
    [
      { ephemeralMessage: { message: { extendedTextMessage: { text: 'gone soon' } } } },
      { type: 'text', text: 'gone soon' },
    ],
    [
      { imageMessage: { mimetype: 'image/jpeg', caption: 'the slip' } },
      { type: 'image', sent: { type: 'image', value: { id: '', mime: 'image/jpeg' } } },
    ],
    [
      {
        documentWithCaptionMessage: {
          message: { documentMessage: { mimetype: 'application/pdf', fileName: 'a.pdf' } },
        },
      },
      { type: 'document', sent: { type: 'document', value: { id: '', mime: 'application/pdf' } } },
    ],
    [
      { locationMessage: { degreesLatitude: -1.2921, degreesLongitude: 36.8219 } },
      {
        type: 'location',
        sent: { type: 'location', value: { latitude: -1.2921, longitude: 36.8219 } },
      },
    ],
    [
      { locationMessage: { degreesLatitude: 181, degreesLongitude: 0 } },
      { type: 'location', sent: null },
    ],
    [{ audioMessage: { seconds: 4 } }, { type: 'audio', text: null }],
    [{ stickerMessage: {} }, { type: 'sticker', text: null }],
    [{ contactMessage: { displayName: 'Wanjiru' } }, { type: 'contact', text: null }],
  ];
  const heard = await kept(cases.map(([message]) => messageNode(message)));
  expect(heard.map(({ sent }) => (sent && 'id' in sent.value ? sent.value.id : ''))).toEqual(
    heard.map(({ id, sent }) => (sent && 'id' in sent.value ? id : '')),
  );
  const without_ids = heard.map((it) =>
    it.sent && 'id' in it.sent.value
      ? { ...it, sent: { ...it.sent, value: { ...it.sent.value, id: '' } } }
      : it,
  );
  expect(without_ids).toMatchObject(cases.map(([, expected]) => expected));
  expect(heard.map((it) => `${it.chat} ${it.number} ${it.name}`)).toEqual(
    cases.map(() => `${kamau} 254700000004 Kamau Otieno`),
  );
}, 60_000);

test('what nobody wrote to us is nothing', async () => {
  const key = { remoteJid: kamau, fromMe: false, id: '3A00' };
  const group = { from: '120363000000000000@g.us', participant: kamau };
  expect(
    await kept(
      [
        messageNode({ reactionMessage: { key, text: '👍' } }),
        messageNode({ pollUpdateMessage: { pollCreationMessageKey: key } }),
        messageNode({ protocolMessage: { type: proto.Message.ProtocolMessage.Type.REVOKE, key } }),
        messageNode({
          protocolMessage: {
            type: proto.Message.ProtocolMessage.Type.MESSAGE_EDIT,
            key,
            editedMessage: { conversation: '2' },
          },
        }),
        messageNode({ conversation: 'in a group' }, group),
        messageNode({ conversation: 'a status' }, { ...group, from: 'status@broadcast' }),
        messageNode({ conversation: 'news' }, { from: '120363000000000001@newsletter' }),
        messageNode({}),
      ],
      0,
    ),
  ).toEqual([]);
}, 60_000);

test('what could not be read first and comes again is heard; so is what came while we were away', async () => {
  const first = messageNode(undefined);
  const again = messageNode({ conversation: 'hello' }, { id: first.attrs['id']! });
  const hour_ago = String(Math.floor(Date.now() / 1_000) - 3_600);
  const day_ago = String(Math.floor(Date.now() / 1_000) - 86_400);
  const heard = await kept(
    [
      first,
      again,
      messageNode({ conversation: 'an hour ago' }, { offline: '1', t: hour_ago }),
      messageNode({ conversation: 'yesterday' }, { offline: '1', t: day_ago }),
    ],
    3,
  );
  expect(heard.map((it) => [it.text, it.stale])).toEqual([
    ['hello', false],
    ['an hour ago', false],
    ['yesterday', true],
  ]);
}, 60_000);

test('an account is known by its id and its number, together and alone', async () => {
  const heard = await kept([
    messageNode({ conversation: '1' }, { from: lid, sender_pn: kamau, addressing_mode: 'lid' }),
    messageNode({ conversation: '2' }, { from: other, addressing_mode: 'lid' }),
    messageNode({ conversation: '3' }, { from: kamau, sender_lid: lid }),
    // Known from before.
    messageNode({ conversation: '4' }, { from: lid, addressing_mode: 'lid' }),
  ]);
  expect(heard.map((it) => [it.chat, it.lid, it.number])).toEqual([
    [lid, lid, '254700000004'],
    [other, other, null],
    [kamau, lid, '254700000004'],
    [lid, lid, '254700000004'],
  ]);
}, 60_000);

test('what is typed on the phone itself is ours', async () => {
  const [heard] = await kept([
    messageNode(
      { conversation: 'DONE' },
      { from: `${own_number}@s.whatsapp.net`, recipient: kamau },
    ),
  ]);
  expect(heard).toMatchObject({ chat: kamau, from_me: true, text: 'DONE', name: null });
}, 60_000);

test('WhatsApp hears that a message has arrived once it is kept, and not before', async () => {
  const keeping = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<number>();
  const keep = () => {
    begun.resolve(left());
    return keeping.promise;
  };
  const { line, hears, left } = await connect({ keep });
  await line();
  await eventually(idle(left), Boolean, patience_ms);
  const before = left();
  const node = messageNode({ conversation: 'hello' });
  hears('CB:message', node);
  expect(await begun.promise).toBe(before);
  keeping.resolve();
  await eventually(async () => whatsapp.receipts.has(node.attrs['id']!), Boolean, patience_ms);
}, 60_000);

/** Whether nothing has left since it was asked the last time. */
function idle(left: () => number) {
  let before = -1;
  let times = 0;
  return async () => {
    times = left() === before ? times + 1 : 0;
    before = left();
    return times > 5;
  };
}

test('what cannot be kept is not said to have arrived: the connection begins again', async () => {
  let refusals = 1;
  const texts: (string | null)[] = [];
  const keep = async ({ text }: Heard) => {
    if (refusals-- > 0) throw new Error('the database is away');
    texts.push(text);
  };
  const { line, hears, told } = await connect({ keep });
  await line();
  const node = messageNode({ conversation: 'hello' });
  hears('CB:message', node);
  await line(2);
  expect(told).toEqual(['connecting', 'resting', 'connecting']);
  expect(whatsapp.receipts.has(node.attrs['id']!)).toBe(false);
  hears('CB:message', node);
  await eventually(
    async () => texts,
    (them) => them[0] === 'hello',
    patience_ms,
  );
}, 60_000);

test('what a crash took before it was kept can be read again when it comes again', async () => {
  let crashes = 1;
  const read: (string | null)[] = [];
  const keep = async ({ text }: Heard) => {
    if (crashes-- > 0) throw new Error('killed');
    read.push(text);
  };
  const keys = keyStore(linkedCredentials());
  const phone = await encryptingPhone(keys);
  const { line, hears } = await connect({ keep, keys });
  await line();
  const message = { ...messageNode(undefined), content: [await phone.says('hello')] };
  hears('CB:message', message);
  await line(2);
  hears('CB:message', message);
  await eventually(
    async () => read,
    (them) => them[0] === 'hello',
    patience_ms,
  );
}, 60_000);

test('a message of ours is sent once WhatsApp has taken it; what it refuses says why', async () => {
  const { line, hears, reported } = await connect();
  const open = await line();
  await open.send(kamau, 'Thank you', '3EB0000000000000000001');
  expect(whatsapp.out.at(-1)).toEqual({
    to: kamau,
    id: '3EB0000000000000000001',
    text: 'Thank you',
  });
  const refused = open.send(other, 'Hello', '3EB0000000000000000002');
  const ack = { class: 'message', id: '3EB0000000000000000002', error: '463', from: other };
  hears('CB:ack,class:message', { tag: 'ack', attrs: ack });
  await expect(refused).rejects.toMatchObject({ outcome: 'refused', code: '463' });

  const about = { id: '3EB0000000000000000001', from: kamau, t: '1795000000' };
  hears('CB:receipt', { tag: 'receipt', attrs: about });
  await eventually(
    async () => reported.map((it) => it.outcome),
    (it) => it.includes('delivered'),
    patience_ms,
  );
  expect(reported).toContainEqual({ id: about.id, outcome: 'delivered', error: null });
}, 60_000);

test('what was under way when the line closed may have been sent, and nothing is sent on it after', async () => {
  const { line, hears, mute } = await connect();
  const open = await line();
  mute();
  const sending = open.send(kamau, 'Thank you', '3EB0000000000000000003');
  hears('CB:stream:error', { tag: 'stream:error', attrs: { code: '503' }, content: [] });
  await expect(sending).rejects.toMatchObject({ outcome: 'unknown' });
  await eventually(async () => open.closed.aborted, Boolean, patience_ms);
  await expect(open.send(kamau, 'more', '3EB0000000000000000004')).rejects.toMatchObject({
    outcome: 'retryable',
  });
}, 60_000);

test.each([
  ['515', [], ['connecting', 'connecting'], true],
  ['503', [], ['connecting', 'resting', 'connecting'], true],
  ['', [{ tag: 'conflict', attrs: { type: 'replaced' } }], ['connecting', 'resting'], true],
  ['401', [], ['connecting', 'unlinked: logged_out'], false],
])(
  'after the server ended it with %s %j: %j',
  async (code, content, expected, keeps_keys) => {
    const keys = keyStore(linkedCredentials());
    const { line, hears, told } = await connect({ keys });
    await line();
    hears('CB:stream:error', { tag: 'stream:error', attrs: { code }, content });
    await eventually(
      async () => told,
      (it) => it.length >= expected.length,
      patience_ms,
    );
    expect(told).toEqual(expected);
    expect(keys.isEmpty()).toBe(!keeps_keys);
  },
  60_000,
);

test('a network that answers for WhatsApp costs no key', async () => {
  const portal = createServer();
  const forbidden = 'HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
  portal.on('upgrade', (_, socket) => socket.on('error', () => undefined).end(forbidden));
  portal.listen(0, '127.0.0.1');
  await once(portal, 'listening');
  onTestFinished(() => void portal.close());
  const { port } = portal.address() as AddressInfo;
  const keys = keyStore(linkedCredentials());
  const { told } = await connect({ keys, url: `ws://127.0.0.1:${port}` });
  await eventually(
    async () => told,
    (it) => it.length >= 3,
    patience_ms,
  );
  expect(told.slice(0, 3)).toEqual(['connecting', 'resting', 'connecting']);
  expect(keys.isEmpty()).toBe(false);
}, 60_000);

test('a number that is being linked while there is no network is tried again', async () => {
  const wish = Promise.resolve({ by_code: false });
  const { told } = await connect({ wish, keys: keyStore(), url: 'ws://127.0.0.1:1' });
  await eventually(
    async () => told,
    (it) => it.length >= 4,
    patience_ms,
  );
  expect(told.slice(0, 4)).toEqual(['unlinked', 'linking', 'resting', 'linking']);
}, 60_000);

test('a blocked number stops with its keys, and begins again when a person asks', async () => {
  const wish = Promise.withResolvers<{ by_code: boolean }>();
  const keys = keyStore(linkedCredentials());
  const { line, hears, told } = await connect({ wish: wish.promise, keys });
  await line();
  hears('CB:failure', { tag: 'failure', attrs: { reason: '403' } });
  await eventually(
    async () => told.at(-1),
    (it) => it === 'stopped: blocked',
    patience_ms,
  );
  expect(keys.isEmpty()).toBe(false);
  wish.resolve({ by_code: false });
  await line(2);
  expect(told.at(-1)).toBe('connecting');
}, 60_000);

test('keys that cannot be read let no message go: it comes again', async () => {
  const keys = keyStore(linkedCredentials());
  const phone = await encryptingPhone(keys);
  let broken = false;
  const store: Linked['store'] = {
    ...keys,
    read: (type, names) =>
      broken && type === 'session' ? Promise.reject(new Error('away')) : keys.read(type, names),
  };
  const { line, hears, heard, left, told } = await connect({ keys, store });
  await line();
  await eventually(idle(left), Boolean, patience_ms);
  broken = true;
  const message = { ...messageNode(undefined), content: [await phone.says('hello')] };
  hears('CB:message', message);
  await eventually(
    async () => told,
    (states) => states.includes('resting'),
    patience_ms,
  );
  expect(whatsapp.receipts.has(message.attrs['id']!)).toBe(false);
  broken = false;
  await line(2);
  hears('CB:message', message);
  await eventually(
    async () => heard.map((it) => it.text),
    (texts) => texts.includes('hello'),
    patience_ms,
  );
}, 60_000);

test('another number than the one that is wanted is let go', async () => {
  const keys = keyStore(linkedCredentials('254733000000'));
  const { told } = await connect({ keys });
  await eventually(
    async () => told.at(-1),
    (it) => it === 'unlinked: another',
    patience_ms,
  );
  expect(keys.isEmpty()).toBe(true);
}, 60_000);

test.each([
  [false, { qr: expect.stringContaining('2@a-reference,') }],
  [true, { code: expect.stringMatching(/^[A-Z\d]{8}$/) }],
])(
  'a number that no phone has taken is offered when somebody asks, by code: %s',
  async (by_code, offer) => {
    const wish = Promise.withResolvers<{ by_code: boolean }>();
    const { sockets, hears, mute, told, offers } = await connect({
      wish: wish.promise,
      keys: keyStore(),
    });
    // The server links nobody, and would let us in or close.
    mute();
    await eventually(
      async () => told,
      (it) => it[0] === 'unlinked',
      patience_ms,
    );
    expect(sockets).toEqual([]);
    wish.resolve({ by_code });
    await eventually(async () => sockets[0]?.ws.isOpen, Boolean, patience_ms);
    const ref: BinaryNode = { tag: 'ref', attrs: {}, content: Buffer.from('2@a-reference') };
    const pair = { tag: 'pair-device', attrs: {}, content: [ref] };
    const stanza: BinaryNode = { tag: 'iq', attrs: { id: '1' }, content: [pair] };
    hears('CB:iq,type:set,pair-device', stanza);
    await eventually(
      async () => offers,
      (them) => them.length > 0,
      patience_ms,
    );
    expect(offers[0]).toEqual(offer);
    expect(told).toEqual(['unlinked', 'linking']);
  },
  60_000,
);
