import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { confirmation } from '../helpers/confirmation.ts';
import { freshDatabase, type TestDatabase } from '../helpers/database.ts';
import { hook_secret } from '../helpers/house.ts';
import { type Running, runKarani } from '../helpers/process.ts';
import { type Line, openLine, say, statusesIn } from '../helpers/raw-http.ts';

// A real process among strangers who mean it harm. Meanwhile somebody posts confirmations all the
// time, on a connection that they keep and on a new one each time, and must never wait for the
// attack to end.

let folder: string;
let database: TestDatabase;
let server: Running;
/** The receipts that must be in the inbox in the end, and no others. */
const posted: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karani-hostile-'));
  database = await freshDatabase(2);
  server = await runKarani('src/cli.ts', ['serve', '--roles', 'web'], {
    KARANI_CONFIG: undefined,
    KARANI_DATA: folder,
    KARANI_HOOK_SECRET: hook_secret,
    DATABASE_URL: database.url,
    PORT: '0',
  });
});
afterAll(async () => {
  kept_connection.destroy();
  await server.kill();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const door = `/hooks/${hook_secret}/c2b/confirmation`;
const kept_connection = new Agent({ keepAlive: true, maxSockets: 1 });

function post(body: string, agent: Agent | false): Promise<number | undefined> {
  return new Promise((done, failed) => {
    const asked = request(`${server.url}${door}`, { method: 'POST', agent }, (answer) => {
      answer.resume().on('end', () => done(answer.statusCode));
    });
    asked.on('error', failed).end(body);
  });
}

/** A body, and the receipt in it. */
function paid(): { receipt: string; body: string } {
  const fields = confirmation();
  return { receipt: String(fields['TransID']), body: JSON.stringify(fields) };
}

/** The good client: pays on both of its connections, and is told yes. */
async function pay(): Promise<void> {
  const both = [paid(), paid()] as const;
  const [kept, fresh] = both;
  const answers = await Promise.all([post(kept.body, kept_connection), post(fresh.body, false)]);
  expect(answers).toEqual([200, 200]);
  posted.push(...both.map((it) => it.receipt));
}

/** The good client pays until the attack is over. */
async function payDuring<T>(attack: Promise<T>): Promise<T> {
  const ended = attack.then(() => true);
  do await pay();
  while (!(await Promise.race([ended, Promise.resolve(false)])));
  return attack;
}

/** The good client pays, and the attack has not ended by then. */
async function payBeside(lines: readonly Line[], times = 10): Promise<void> {
  for (let n = 0; n < times; n += 1) await pay();
  expect(lines.filter((line) => line.socket.closed)).toEqual([]);
}

const a_stack = /\n\s+at |\.ts:\d|node_modules/;
const a_place = /\/(?:home|root|tmp|usr|var|work|src)\/|postgres|\.sock/i;
const a_version = /^(?:server|x-powered-by|via):|node(?:\.js)?[/ ]v?\d|hono/im;

function isHarmless(answer: string): void {
  for (const told of [a_stack, a_place, a_version]) expect(answer).not.toMatch(told);
  expect(answer).not.toContain(hook_secret);
  expect(statusesIn(answer).filter((status) => status >= 500)).toEqual([]);
}

const to = (address: string, method = 'POST') =>
  `${method} ${address} HTTP/1.1\r\nHost: karani\r\n`;
const goodbye = `${to('/healthz', 'GET')}Connection: close\r\n\r\n`;
const measured = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`;
const whole = (body: string) => `${to(door)}${measured(body)}`;
const hex = (body: string) => body.length.toString(16);
const chunk = (body: string) => `${hex(body)}\r\n${body}\r\n0\r\n\r\n`;
/** A confirmation under these headers, its body in chunks. */
const chunked = (header: string) => (body: string) => `${to(door)}${header}\r\n\r\n${chunk(body)}`;
const in_chunks = `${to(door)}Transfer-Encoding: chunked\r\n\r\n`;
/** Here the body of one request is a request that pays. */
const hidden = (head: string) => (body: string) => `${head}${measured(whole(body))}`;
/** Here what follows the last chunk pays, for who believes that header and not the other. */
const behind = (headers: string) => (body: string) =>
  `${to(door)}${headers}\r\n\r\n0\r\n\r\n${whole(body)}`;
const asking = (header: string) => () => `${to('/healthz', 'GET')}${header}\r\n\r\n`;
const hosted = (host: string) => () => `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const many = (count: number, one: string) => Array.from({ length: count }, (_, n) => one + n);

type Shapes = Record<string, (body: string) => string>;

const refused: Shapes = {
  'a length and chunks': behind('Content-Length: 4\r\nTransfer-Encoding: chunked'),
  'chunks and a length': behind('Transfer-Encoding: chunked\r\nContent-Length: 4'),
  'two lengths': (body) => `${to(door)}Content-Length: 0\r\n${measured(whole(body))}`,
  'a length twice': (body) => `${to(door)}Content-Length: ${body.length}\r\n${measured(body)}`,
  'a list of lengths': (body) => `${to(door)}Content-Length: 0, ${body.length}\r\n\r\n${body}`,
  'a length with a sign': (body) => `${to(door)}Content-Length: +${body.length}\r\n\r\n${body}`,
  'a length in hex': (body) => `${to(door)}Content-Length: 0x${hex(body)}\r\n\r\n${body}`,
  'a length beyond numbers': (body) =>
    `${to(door)}Content-Length: ${'9'.repeat(30)}\r\n\r\n${body}`,
  'a space before a colon': behind('Transfer-Encoding : chunked'),
  'a folded header': behind('Content-Length: 5\r\nTransfer-Encoding:\r\n chunked'),
  'a tab that is none': behind('Transfer-Encoding: \u000bchunked'),
  'chunks in quotes': behind('Transfer-Encoding: "chunked"'),
  'chunks, then what nobody knows': behind('Transfer-Encoding: chunked, x'),
  'nearly chunks': behind('Transfer-Encoding: xchunked'),
  'chunks that are then none': behind('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
  'an identity': (body) => `${to(door)}Transfer-Encoding: identity\r\n${measured(body)}`,
  'a chunk of less than nothing': (body) => `${in_chunks}-1\r\n${body}\r\n0\r\n\r\n`,
  'a chunk of 0x': (body) => `${in_chunks}0x${hex(body)}\r\n${body}\r\n0\r\n\r\n`,
  'a chunk beyond numbers': (body) => `${in_chunks}${'f'.repeat(20)}\r\n${body}\r\n0\r\n\r\n`,
  'a chunk that goes on': (body) => `${in_chunks}5\r\n${body}\r\n0\r\n\r\n`,
  'a chunk that does not end': (body) => `${in_chunks}${hex(body)}\r\n${body}0\r\n\r\n`,
  'an endless remark on a chunk': (body) =>
    `${in_chunks}${hex(body)};${'a'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`,
  'chunks in half lines': (body) => `${in_chunks}${hex(body)}\n${body}\n0\n\n`,
  'a length after the last chunk': (body) =>
    `${in_chunks}${hex(body)}\r\n${body}\r\n0\r\nContent-Length: 0\r\n\r\n`,
  'half lines': (body) => whole(body).replaceAll('\r\n', '\n'),
  'half a line in a header': behind('X-A: 1\nTransfer-Encoding: chunked'),
  'the other half in a header': (body) => `${to(door)}X-A: 1\r${measured(body)}`,
  'a payment in the body of a question': hidden(to('/healthz', 'GET')),
  'a payment in the body of a HEAD': hidden(to('/healthz', 'HEAD')),
  'a payment in what is posted to nowhere': hidden(to('/nowhere')),
  'a payment in the body of another': hidden(to(door)),
  'a payment in an upgrade': hidden(
    `${to('/healthz', 'GET')}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n` +
      'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n',
  ),
  'a web socket': asking(
    'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x',
  ),
  'HTTP/2': () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'HTTP/0.9': () => `GET ${door}\r\n`,
  'HTTP/9.9': (body) => whole(body).replace('HTTP/1.1', 'HTTP/9.9'),
  TLS: () => '\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003',
  'a method in small letters': (body) => whole(body).replace('POST', 'post'),
  'a TRACE': () => `${to(door, 'TRACE')}\r\n`,
  'a PROPFIND': (body) => whole(body).replace('POST', 'PROPFIND'),
  'another method in a header': (body) =>
    `${to(door, 'GET')}X-HTTP-Method-Override: POST\r\n${measured(body)}`,
  'a range': asking('Range: bytes=0-0,1-1,-1'),
  'a hundred kilobytes of header': asking(`X-A: ${'a'.repeat(100_000)}`),
  'two thousand headers': asking(many(2_000, 'X: ').join('\r\n')),
  'a thousand cookies': asking(`Cookie: ${many(1_000, 'c=').join('; ')}`),
  'a long address': () => `${to(`/${'a'.repeat(8_000)}`, 'GET')}\r\n`,
  'a longer address': () => `${to(`/${'a'.repeat(100_000)}`, 'GET')}\r\n`,
  'ten thousand questions': () => `${to(`/healthz?${'a&'.repeat(5_000)}`, 'GET')}\r\n`,
  'two hosts': asking('Host: other.example'),
  ...Object.fromEntries(
    ['', 'a:99999', 'a@b/..//', '[::1', '%00', 'a?', 'a#', 'k\u00e4', 'a'.repeat(9_000)].map(
      (host) => [`the host ${host.slice(0, 9)}`, hosted(host)],
    ),
  ),
  'a path in the host': (body) =>
    `POST /c2b/confirmation HTTP/1.1\r\nHost: k/hooks/${hook_secret}\r\n${measured(body)}`,
};

const kept: Shapes = {
  chunks: chunked('Transfer-Encoding: chunked'),
  'chunks after a tab, in capitals': chunked('tRANSFER-eNCODING:\tCHUNKED'),
  'a remark on a chunk': (body) =>
    `${in_chunks}${hex(body)};a=b;c="d"\r\n${body}\r\n0;x\r\nX-A: 1\r\n\r\n`,
  'what it expects': (body) => `${to(door)}Expect: 100-continue\r\n${measured(body)}`,
  'empty lines first': (body) => `\r\n\r\n\r\n${whole(body)}`,
};

// For each, the address at which the confirmation is posted.
const no_door = [
  `/hooks/${hook_secret}/../wrong/c2b/confirmation`,
  `/hooks/wrong%2f..%2f${hook_secret}/c2b/confirmation`,
  `/hooks/wrong/c2b/confirmation?secret=${hook_secret}`,
  `/hooks/%25${hook_secret.charCodeAt(0).toString(16)}${hook_secret.slice(1)}/c2b/confirmation`,
  ...[`//hooks/${hook_secret}`, `/hooks//${hook_secret}`, `/HOOKS/${hook_secret}`].map(
    (start) => `${start}/c2b/confirmation`,
  ),
  ...['', '*', ':secret', '%', '%E0%A4', '%00', '__proto__', 'constructor', '..', '.'].map(
    (secret) => `/hooks/${secret}/c2b/confirmation`,
  ),
  ...['%00', ';a=b', '%20', '\\', '/'].map((end) => `/hooks/${hook_secret}${end}/c2b/confirmation`),
  ...['%00', ';x', '/', '%2f', '/../validation'].map((end) => `${door}${end}`),
  ...['%2563onfirmation', '__proto__', 'constructor'].map(
    (word) => `/hooks/${hook_secret}/c2b/${word}`,
  ),
  `\\hooks\\${hook_secret}\\c2b\\confirmation`,
  ...['*', 'healthz', '/he\0althz', '/h\u00e4', 'http://', 'http://[::1', 'http://a:99999/healthz'],
  ...['file:///etc/passwd', '/../../../../etc/passwd', '/playground/static/..%2f..%2froutes.ts'],
  '/playground/static/%2e%2e/routes.ts',
  // What a proxy lets pass as a callback address is none.
  `/hooks/../hooks/${hook_secret}/c2b/confirmation`,
  `/hooks/${hook_secret}/./c2b/confirmation`,
];
const the_door = [
  `/hooks/${hook_secret}/c2b/%63onfirmation`,
  `http://other.example${door}`,
  `${door}?x=/../..`,
];
const postedTo = (address: string) => (body: string) => `${to(address)}${measured(body)}`;
const allPostedTo = (addresses: readonly string[]): Shapes =>
  Object.fromEntries(addresses.map((address) => [address, postedTo(address)]));

test('of what is shaped to deceive, nothing is kept and nothing betrays the house', async () => {
  const shapes = Object.entries({ ...refused, ...allPostedTo(no_door) });
  const answers = await payDuring(
    Promise.all(
      shapes.map(async ([name, shape]) => {
        const text = shape(paid().body) + goodbye;
        return { name, answer: await say(server.url, Buffer.from(text, 'latin1')) };
      }),
    ),
  );
  for (const { name, answer } of answers) {
    isHarmless(answer);
    expect({ name, answer }).toEqual({ name, answer: expect.stringMatching(/^HTTP\/1\.1 [1-4]/) });
    expect({ name, answer }).not.toEqual({
      name,
      answer: expect.stringContaining('ResultCode":0'),
    });
  }
  expect(await say(server.url, `${to('127.0.0.1:5432', 'CONNECT')}\r\n${goodbye}`)).toBe('');
});

test.each(['/hooks/../metrics', '/hooks/%2E%2e/metrics', '/hooks/x/..;/../metrics', '/hooks/..'])(
  'an address that climbs is not there: %s',
  async (address) => {
    const asked = `GET ${address} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    expect(await say(server.url, asked)).toMatch(/^HTTP\/1\.1 404 /);
  },
);

test('what is odd and yet properly posted is kept once', async () => {
  const shapes = Object.entries({ ...kept, ...allPostedTo(the_door) });
  await payDuring(
    Promise.all(
      shapes.map(async ([name, shape]) => {
        const { body, receipt } = paid();
        const answer = await say(server.url, shape(body) + goodbye);
        isHarmless(answer);
        expect({ name, statuses: statusesIn(answer).at(-1) }).toEqual({ name, statuses: 200 });
        posted.push(receipt);
      }),
    ),
  );
  const { body, receipt } = paid();
  expect(await say(server.url, whole(body).replace('HTTP/1.1', 'HTTP/1.0'))).toMatch(/ 200 OK/);
  posted.push(receipt);
});

test('who speaks slowly keeps nobody waiting, and is heard', async () => {
  const slow = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const { receipt, body } = paid();
      const text = `${to(door)}Connection: close\r\n${measured(body)}`;
      // The first ones take their time over the head, the others over the body.
      const from = n < 20 ? 30 : text.length - 30;
      return { receipt, text, from, line: await openLine(server.url, text.slice(0, from)) };
    }),
  );
  for (let said = 0; said < 20; said += 1) {
    for (const { line, text, from } of slow) line.socket.write(text.charAt(from + said));
    await pay();
  }
  await payBeside(slow.map((it) => it.line));
  for (const { line, text, from } of slow) line.socket.write(text.slice(from + 20));
  for (const { line, receipt } of slow) {
    expect(statusesIn(await payDuring(line.closed))).toEqual([200]);
    posted.push(receipt);
  }
});

test('who announces and does not come, or goes in the middle, leaves nothing behind', async () => {
  const head = `${to(door)}Expect: 100-continue\r\nContent-Length: 60000\r\n\r\n`;
  const awaited = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const line = await openLine(server.url, head);
      await line.hears(/100 Continue/);
      return line;
    }),
  );
  await payBeside(awaited);
  const middles = [0.1, 0.5, 0.9].flatMap((part) =>
    Array.from({ length: 50 }, async () => {
      const text = whole(paid().body);
      return openLine(server.url, text.slice(0, text.length * part));
    }),
  );
  const all = [...awaited, ...(await payDuring(Promise.all(middles)))];
  for (const [n, { socket }] of all.entries()) {
    if (n % 3 === 0) socket.end();
    else if (n % 3 === 1) socket.destroy();
    else socket.resetAndDestroy();
  }
  for (const answer of await payDuring(Promise.all(all.map((line) => line.closed)))) {
    isHarmless(answer);
  }
});

test('two thousand who only take a place keep nobody out', async () => {
  const stuck = `${to('/healthz', 'GET')}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  const says = ['', to(door), `${to('/healthz', 'GET')}Content-Length: 9\r\n\r\n`, `${stuck}...`];
  const crowd: Line[] = [];
  for (let n = 0; n < 20; n += 1) {
    const more = Array.from({ length: 100 }, (_, nth) => openLine(server.url, says[nth % 4]));
    crowd.push(...(await payDuring(Promise.all(more))));
  }
  expect(crowd.filter((line) => !line.socket.closed).length).toBeGreaterThan(800);
  for (let n = 0; n < 10; n += 1) await pay();
  for (const line of crowd) line.socket.destroy();
  await pay();
});

test('after all this it has kept what was posted, said no secret, and ends well', async () => {
  const { rows } = await sql<{ receipt: string }>`
    select body::jsonb ->> 'TransID' as receipt from inbox`.execute(database.db);
  expect(rows.map((row) => row.receipt).sort()).toEqual(posted.toSorted());
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  kept_connection.destroy();
  expect(await server.stop()).toBe(0);
  const output = server.output();
  expect(output).not.toContain(hook_secret);
  expect(output).not.toMatch(/\n\s+at |"level":(?:50|60)/);
});
