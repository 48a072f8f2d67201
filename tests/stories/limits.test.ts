import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Db, openDatabase } from '../../src/base/db.ts';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { runningPostmaster } from '../../src/base/postmaster.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { freshDatabase } from '../helpers/database.ts';
import { hook_secret } from '../helpers/house.ts';
import { eventually, type Running, runKarani } from '../helpers/process.ts';
import { openProxy } from '../helpers/proxy.ts';

// Real processes at their limits: too many at once, a database that is silent or ends, a stop in
// the middle of everything.

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'karani-limits-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const startServer = (env: Record<string, string>, roles = 'web,worker') =>
  runKarani('src/cli.ts', ['serve', '--roles', roles], {
    KARANI_CONFIG: undefined,
    KARANI_DATA: join(folder, 'data'),
    KARANI_HOOK_SECRET: hook_secret,
    PORT: '0',
    ...env,
  });

const pay = (server: Running, body: unknown = confirmation()) =>
  fetch(`${server.url}/hooks/${hook_secret}/c2b/confirmation`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
const statusOf = (answer: Promise<Response>) => answer.then((it) => it.status);

const validate = (server: Running) =>
  fetch(`${server.url}/hooks/${hook_secret}/c2b/validation`, { method: 'POST', body: '{}' });

const dial = (server: Running) =>
  fetch(`${server.url}/hooks/${hook_secret}/ussd`, {
    method: 'POST',
    body: new URLSearchParams({
      sessionId: 'ATUid_limits',
      serviceCode: '*384*1#',
      phoneNumber: '+254700000004',
      networkCode: '63902',
      text: '',
    }),
  });

const sorry = /^END Sorry, .*\nSamahani, /;

const receiptsIn = async (db: Db) => {
  const { rows } = await sql<{ receipt: string }>`
    select body::jsonb ->> 'TransID' as receipt from inbox where source = 'c2b_confirmation'
  `.execute(db);
  return rows.map((row) => row.receipt);
};

interface Caller {
  socket: Socket;
  /** Resolves once the server has answered this far. */
  hears: (what: RegExp) => Promise<unknown>;
  /** Says the rest; resolves to all that was answered when the connection ends. */
  ends: (rest: string) => Promise<string>;
}

/** Begins a request by hand, so that its end can come when we like. */
async function begin(server: Running, text: string): Promise<Caller> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  socket.write(text);
  return {
    socket,
    hears: async (what) => {
      while (!what.test(answer)) {
        if (socket.closed) throw new Error(`It ended with ${answer}`);
        await Promise.race([once(socket, 'data'), closed]);
      }
    },
    ends: async (rest) => {
      socket.write(rest);
      await closed;
      return answer;
    },
  };
}

/** A callback up to where its body begins; the server says when it has read that far. */
const headOf = (length: number) =>
  `POST /hooks/${hook_secret}/c2b/confirmation HTTP/1.1\r\nhost: karani\r\n` +
  `expect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;

test('more than can be answered soon, and a silent database, are told at once', async () => {
  const database = await freshDatabase(2);
  const proxy = await openProxy(database.url);
  const server = await startServer({ DATABASE_URL: proxy.url }, 'web');
  const first = confirmation();
  expect(await statusOf(pay(server, first))).toBe(200);

  // As many are under way as may be, whose long bodies do not come.
  const crowded = async () => {
    const crowd = await Promise.all(
      Array.from({ length: 512 }, async () => {
        const caller = await begin(server, headOf(64 * 1024));
        await caller.hears(/100 Continue/);
        return caller;
      }),
    );
    const [paid, dialled, validated] = await Promise.all([
      pay(server, first),
      dial(server).then((it) => it.text()),
      validate(server),
    ]);
    for (const { socket } of crowd) socket.destroy();
    expect(validated.status).toBe(200);
    return { status: paid.status, again: paid.headers.get('retry-after'), dialled };
  };
  await eventually(
    crowded,
    (it) => it.status === 503 && it.again === '5' && sorry.test(it.dialled),
    20_000,
  );
  await eventually(
    () => statusOf(pay(server, first)),
    (status) => status === 200,
    20_000,
  );

  proxy.hang();
  const answered: string[] = [];
  const tell = async (who: string, answer: Promise<Response>) => {
    const text = await (await answer).text();
    answered.push(who);
    return text;
  };
  const before = [tell('first', pay(server)), tell('first', dial(server))];
  const later: Promise<string>[] = [];
  await eventually(
    () => Promise.resolve(later.push(tell('later', pay(server)))),
    () => answered.length > 0,
    20_000,
  );
  // Who comes later need not wait for as long as who came first.
  expect(answered[0]).toBe('later');
  const please_again = expect.stringContaining('please try again');
  expect(await Promise.all(before)).toEqual([please_again, expect.stringMatching(sorry)]);
  expect(new Set(await Promise.all(later))).toEqual(new Set([await before[0]]));
  expect((await validate(server)).status).toBe(200);
  proxy.resume();

  const last = confirmation();
  await eventually(
    () => statusOf(pay(server, last)),
    (status) => status === 200,
    20_000,
  );
  expect(await receiptsIn(database.db)).toEqual(
    expect.arrayContaining([first['TransID'], last['TransID']]),
  );
  expect(await server.stop()).toBe(0);
  await proxy.close();
  await database.close();
});

test('told to stop under load while WhatsApp hangs, it answers, records and ends well', async () => {
  const database = await freshDatabase(2);
  const whatsapp = createServer((request, response) => {
    // M-Pesa takes our addresses; a message is never answered.
    const taken = { access_token: 't', expires_in: '3599', ResponseCode: '0' };
    if (!request.url?.endsWith('/messages')) response.end(JSON.stringify(taken));
    else whatsapp.emit('message');
  });
  whatsapp.listen(0, '127.0.0.1');
  await once(whatsapp, 'listening');
  const address = whatsapp.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const server = await startServer({
    DATABASE_URL: database.url,
    WHATSAPP_BASE_URL: `http://127.0.0.1:${port}`,
  });

  // The admins are told of payments, and hear nothing.
  const sending = once(whatsapp, 'message');
  const kept: string[] = [];
  const load = Array.from({ length: 20 }, async () => {
    for (;;) {
      const body = confirmation();
      const status = await statusOf(pay(server, body)).catch(() => undefined);
      if (status !== 200) return;
      kept.push(String(body['TransID']));
    }
  });
  await sending;
  const late = confirmation();
  const text = JSON.stringify(late);
  await eventually(
    () => Promise.resolve(kept.length),
    (count) => count > 200,
    20_000,
  );

  const half = await begin(server, headOf(text.length));
  await half.hears(/100 Continue/);
  // What follows the whole request has been read with it.
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: karani\r\n`;
  const ready = await begin(server, `${get('/healthz')}\r\n${get('/readyz')}`);
  await ready.hears(/200 OK/);
  const stopped = server.stop();
  await eventually(
    () => Promise.resolve(server.output()),
    (output) => output.includes('Stopping'),
    20_000,
  );
  expect(await ready.ends('\r\n')).toMatch(/HTTP\/1\.1 503 [\s\S]*"ready":false/);
  expect(await half.ends(text)).toMatch(/HTTP\/1\.1 200 [\s\S]*connection: close/i);
  await Promise.all(load);
  expect(await stopped).toBe(0);

  const receipts = new Set(await receiptsIn(database.db));
  expect([...kept, String(late['TransID'])].filter((it) => !receipts.has(it))).toEqual([]);
  const { rows } = await sql<{ state: string; doubts: number }>`
    select distinct state, doubts from outbox where attempts > 0`.execute(database.db);
  expect(rows).toEqual([{ state: 'waiting', doubts: 1 }]);
  whatsapp.closeAllConnections();
  whatsapp.close();
  await database.close();
});

test('PostgreSQL ends as in a power cut and comes back: the server goes on by itself', async () => {
  const postgres = await startPostgres(join(folder, 'restarted'), {
    settings: { fsync: 'off', shared_buffers: '32MB' },
  });
  const server = await startServer({ DATABASE_URL: postgres.url });
  const { db, pool } = openDatabase(postgres.url, 2);
  const paid = confirmation();
  expect(await statusOf(pay(server, paid))).toBe(200);

  const cluster_dir = realpathSync(join(folder, 'restarted', 'postgres'));
  const postmaster = runningPostmaster(cluster_dir);
  process.kill(postmaster!.pid, 'SIGQUIT');
  await eventually(
    () => Promise.resolve(runningPostmaster(cluster_dir)),
    (now) => now !== undefined && now.ready && now.pid !== postmaster!.pid,
    20_000,
  );

  const later = confirmation();
  await eventually(
    () => statusOf(pay(server, later)),
    (status) => status === 200,
    20_000,
  );
  // The task that turns callbacks into payments looks again, and jobs are listened for again.
  const receipts = () => db.selectFrom('payments').select('receipt').orderBy('id').execute();
  const both = [{ receipt: paid['TransID'] }, { receipt: later['TransID'] }];
  await eventually(receipts, (it) => JSON.stringify(it) === JSON.stringify(both), 20_000);
  await eventually(
    () => listeners(db),
    (count) => count === 1,
    20_000,
  );

  // The queue ends by itself, as when it takes a message for a newer queue's: it begins anew.
  await sql`select pg_notify('worker:migrate', '{"breaking": true}')`.execute(db);
  await eventually(
    () => Promise.resolve(server.output()),
    (output) => output.includes('the job queue ended'),
    20_000,
  );
  await eventually(
    () => listeners(db),
    (count) => count === 1,
    20_000,
  );
  expect(await server.stop()).toBe(0);
  await pool.end();
  await postgres.stop();
});

async function listeners(db: Db): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity
    where application_name = 'karani jobs' and query like 'LISTEN%'`.execute(db);
  return rows[0]?.count ?? 0;
}

test('with a hundred thousand callbacks waiting it is ready at once', async () => {
  const database = await freshDatabase(2);
  await sql`
    insert into inbox (source, subject, body, body_hash)
    select 'c2b_confirmation', 'W' || n, body, sha256(body::bytea)
    from generate_series(1, 100000) n,
         lateral (select ${JSON.stringify(confirmation())}::jsonb
                         || jsonb_build_object('TransID', 'W' || lpad(n::text, 9, '0'))) j(it),
         lateral (select it::text as body) b`.execute(database.db);
  const server = await startServer({ DATABASE_URL: database.url });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect(await statusOf(pay(server))).toBe(200);
  const waiting = await database.db
    .selectFrom('inbox')
    .select('id')
    .where('state', '=', 'new')
    .limit(1)
    .execute();
  expect(waiting).toHaveLength(1);
  await server.kill();
  await database.close();
});
