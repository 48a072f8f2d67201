import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeReports } from '../../src/conversation/reports.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { gsm7Length, outsideGsm7 } from '../../src/flow/gsm7.ts';
import { hook_secret, type House, openHouse } from '../helpers/house.ts';
import { damaged, oddJson, oddText, runs } from './arbitraries.ts';
import { webhookText } from './bodies.ts';

// The doors of messages on a real house: Africa's Talking's, which never fails, and Meta's.

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const post = (door: string, body: Uint8Array | string, headers: Record<string, string>) =>
  fetch(`${house.url}/hooks/${hook_secret}/${door}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });

async function expectScreen(response: Response): Promise<void> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  const shown = await response.text();
  expect(shown).toMatch(/^(CON|END) \S/);
  expect(outsideGsm7(shown)).toBeUndefined();
  expect(gsm7Length(shown.slice(4))).toBeLessThanOrEqual(160);
}

const form_type = { 'content-type': 'application/x-www-form-urlencoded' };

// Encoded as it should be, or put together by hand.
const pair = fc
  .tuple(
    fc.constantFrom('sessionId', 'serviceCode', 'phoneNumber', 'networkCode', 'text', 'text[]', ''),
    fc.oneof(oddText, fc.constantFrom('+254700000004', '1*2', 'ATUid_1', '%', '%ZZ', '%c0%80')),
    fc.boolean(),
  )
  .map(([name, text, by_hand]) => {
    const value = text.toWellFormed();
    return by_hand
      ? `${name}=${value.replaceAll('\n', '')}`
      : `${name}=${encodeURIComponent(value)}`;
  });

const dialled = fc
  .tuple(
    fc.constantFrom('ATUid_f1', 'ATUid_f2', 'ATUid_f3'),
    fc.constantFrom('254700000004', '254700000001', '0722000321', '+254722000322'),
    fc.oneof(fc.constantFrom('', '1', '1*1', '1*00', '2', '3*2', '98', '1*2*3*4', '0'), oddText),
  )
  .map(([sessionId, phoneNumber, text]) => {
    const answered = text.toWellFormed().slice(0, 1000);
    const form = { sessionId, serviceCode: '*384#', phoneNumber, text: answered };
    return String(new URLSearchParams({ networkCode: '63902', ...form }));
  });

test('USSD answers every request with a screen that a phone can show', async () => {
  const forms = fc.oneof(
    { weight: 4, arbitrary: dialled },
    { weight: 2, arbitrary: fc.array(pair, { maxLength: 8 }).map((all) => all.join('&')) },
    { weight: 1, arbitrary: fc.tuple(dialled, pair).map((both) => both.join('&')) },
    { weight: 1, arbitrary: oddJson },
  );
  const types = fc.constantFrom(
    ...[form_type['content-type'], form_type['content-type'], form_type['content-type']],
    ...['application/json', 'multipart/form-data', 'multipart/form-data; boundary=x', 'text/plain'],
    'application/x-www-form-urlencoded; charset=utf-16',
  );
  await fc.assert(
    fc
      .asyncProperty(damaged(forms), types, async (bytes, type) => {
        await expectScreen(await post('ussd', bytes, { 'content-type': type }));
      })
      // Otherwise most of it is only told that it is too much.
      .beforeEach(() => sql`delete from rates`.execute(house.db)),
    runs(100),
  );
});

test('USSD takes a form in parts, files among them, and several for one name', async () => {
  const field = (name: string, value: string | Blob) => [name, value] as const;
  const whole = [
    field('sessionId', 'ATUid_parts'),
    field('serviceCode', '*384#'),
    field('phoneNumber', '+254700000004'),
    field('text', ''),
  ];
  const odd = [field('text', new Blob(['1'])), field('text', '1'), field('__proto__', 'x')];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([...whole, ...odd]), async (parts) => {
      const form = new FormData();
      for (const [name, value] of parts) form.append(name, value);
      const response = await fetch(`${house.url}/hooks/${hook_secret}/ussd`, {
        method: 'POST',
        body: form,
      });
      await expectScreen(response);
    }),
    runs(30),
  );
});

const signatureOf = (bytes: Uint8Array) =>
  `sha256=${createHmac('sha256', hook_secret).update(bytes).digest('hex')}`;

test('what Meta signed is taken or not understood, and what it did not sign is refused', async () => {
  const bodies = fc.oneof(
    { weight: 5, arbitrary: webhookText.map((text) => Buffer.from(text)) },
    { weight: 2, arbitrary: damaged(webhookText) },
    { weight: 1, arbitrary: damaged(oddJson) },
  );
  const small = bodies.filter((bytes) => bytes.length <= 64 * 1024);
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(small, oddText, async (bytes, forged) => {
      const json = { 'content-type': 'application/json' };
      const signed = { ...json, 'x-hub-signature-256': signatureOf(bytes) };
      const { status } = await post('whatsapp', bytes, signed);
      expect([200, 400]).toContain(status);
      if (status === 200) taken += 1;
      const signature = forged.replace(/[^\x21-\x7e]/g, '');
      const other = await post('whatsapp', bytes, { ...json, 'x-hub-signature-256': signature });
      expect(other.status).toBe(403);
    }),
    runs(80),
  );
  expect(taken).toBeGreaterThan(25);
  await takeTurns(house.db, house.conversations);
  await takeReports(house.db, () => true);
  const rows = await house.db
    .selectFrom('inbox')
    .select(['source', 'state', 'error'])
    .where('state', '<>', 'done')
    // A status of a message that is not ours is put off for a minute, should it become known.
    .where((row) =>
      row.not(row.and([row('source', '=', 'whatsapp_status'), row('error', 'is', null)])),
    )
    .execute();
  expect(rows).toEqual([]);
  expect(await house.findings()).toEqual([]);
});

// Bytes as no client would write them; resolves to all that was answered until the line closed.
function raw(text: string): Promise<string> {
  return new Promise((done) => {
    const { hostname, port } = new URL(house.url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answered = '';
    socket.on('data', (bytes) => (answered += bytes.toString('latin1')));
    socket.on('close', () => done(answered));
    socket.on('error', () => done(answered));
  });
}

const request_lines = [
  ['no host', 'POST PATH HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}'],
  ['an old protocol', 'POST PATH HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}'],
  [
    'a host that is none',
    'POST PATH HTTP/1.1\r\nHost: a b<>\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
  ],
  ['a whole address', 'POST http://x.example PATH HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    'another house',
    'POST http://x.examplePATH HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
  ],
  [
    'two lengths',
    'POST PATH HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
  ],
  [
    'a length and pieces',
    'POST PATH HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a length of less than nothing',
    'POST PATH HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}',
  ],
  [
    'an expectation',
    'POST PATH HTTP/1.1\r\nHost: x\r\nExpect: money\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}',
  ],
  [
    'an upgrade',
    'POST PATH HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}',
  ],
  ['a trace', 'TRACE PATH HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ['a tunnel', 'CONNECT PATH HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ['a NUL in a header', 'POST PATH HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n\r\n'],
  ['endless headers', `POST PATH HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`],
  ['no HTTP', 'hello\r\n\r\n'],
  ['half a form', 'POST PATH HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n'],
] as const;

test.each(request_lines)(
  'a request with %s is answered, and not as a fault of ours',
  async (_, text) => {
    for (const door of ['c2b/confirmation', 'c2b/validation', 'ussd', 'whatsapp']) {
      const answered = await raw(text.replaceAll('PATH', `/hooks/${hook_secret}/${door}`));
      expect(answered).not.toMatch(/^HTTP\/1\.1 5/);
      if (answered.startsWith('HTTP/1.1 200') && door === 'ussd')
        expect(answered).toMatch(/END Sorry/);
    }
    expect((await fetch(`${house.url}/healthz`)).status).toBe(200);
  },
);
