import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../helpers/database.ts';
import {
  linkedConfig,
  linkNumber,
  own_number,
  type LinkedWhatsApp,
  secret,
  startLinkedWhatsApp,
} from '../helpers/linked-whatsapp.ts';
import { eventually, karani, runKarani, type Running } from '../helpers/process.ts';

// The number that is linked as a device: a real Baileys socket against a server that speaks
// WhatsApp's protocol, in processes of their own, and kill -9.

const patience_ms = 60_000;

let database: TestDatabase;
let whatsapp: LinkedWhatsApp;
const config = linkedConfig();
const running = new Set<Running>();
let server: Running;
const folder = mkdtempSync(join(tmpdir(), 'karani-linked-data-'));

beforeAll(async () => {
  [database, whatsapp] = await Promise.all([freshDatabase(), startLinkedWhatsApp()]);
  await sql`update installation set environment = 'sandbox'`.execute(database.db);
  await linkNumber(database.db);
  server = await start(['serve']);
}, patience_ms);
afterAll(async () => {
  for (const it of running) await it.stop();
  await whatsapp.close();
  await database.close();
  config.remove();
  rmSync(folder, { recursive: true });
});

const environment = () => ({
  PORT: '0',
  KARANI_CONFIG: config.path,
  KARANI_SECRET: secret,
  DATABASE_URL: database.url,
  WHATSAPP_LINKED_URL: whatsapp.url,
  LOG_LEVEL: 'info',
});

async function start(args: string[]): Promise<Running> {
  const it = await runKarani('src/cli.ts', args, environment());
  running.add(it);
  return it;
}

const untilAnswered = (to: string, times: number) =>
  eventually(
    async () => whatsapp.out.filter((it) => it.to === to),
    (answers) => answers.length >= times,
    patience_ms,
  );

test(
  'who writes is answered, by a process of its own',
  async () => {
    const chat = '254700000123@s.whatsapp.net';
    const id = await whatsapp.writes(chat, 'hello');
    const [answer] = await untilAnswered(chat, 1);
    expect(answer?.text).toMatch(/^Welcome/);
    expect(whatsapp.receipts).toContain(id);

    const status = await karani(['whatsapp', 'status', '--json'], environment());
    expect(status.code).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({ number: own_number, state: 'open' });
    const linked = await karani(['whatsapp', 'link'], environment());
    expect([linked.code, linked.stdout]).toEqual([
      0,
      'WhatsApp 0722000000 is linked and connected already.\n',
    ]);
    // Keys of its encryption, which its library would print.
    expect(server.output()).not.toMatch(/SessionEntry|privKey|rootKey|chainKey/);
  },
  patience_ms,
);

test('without a number to link the commands say what to do', async () => {
  const { code, stderr } = await karani(['whatsapp', 'status'], {
    ...environment(),
    KARANI_CONFIG: undefined,
    KARANI_DATA: folder,
  });
  expect([code, stderr]).toEqual([
    1,
    'No number is to be linked: set whatsapp_linked in the configuration.\n',
  ]);
});

test(
  'one that is killed is followed by another; who wrote meanwhile is answered once',
  async () => {
    const standby = await start(['serve', '--roles', 'whatsapp']);
    const chats = Array.from({ length: 6 }, (_, nth) => `25470000020${nth}@s.whatsapp.net`);
    const written = new Map<string, string>();
    const write = async (chat: string) => written.set(await whatsapp.writes(chat, 'hello'), chat);
    const before = whatsapp.out.length;
    const [fence] = await fences();
    for (const chat of chats) await write(chat);
    await eventually(
      async () => whatsapp.out.length - before,
      (sent) => sent > 2,
      patience_ms,
    );

    process.kill(childOf(server), 'SIGKILL');
    for (const chat of chats) await write(chat);
    await eventually(fences, ([now, state]) => now !== fence && state === 'open', patience_ms);
    // WhatsApp itself gives again what nobody has said has arrived; this server does not, so the
    // person writes it again.
    const unheard = () => [...written.keys()].filter((id) => !whatsapp.receipts.has(id));
    const none = (left: unknown[]) => left.length === 0;
    await eventually(async () => unheard(), none, 8_000).catch(() => undefined);
    const again = unheard();
    for (const id of again) {
      const chat = written.get(id) ?? '';
      written.delete(id);
      await write(chat);
    }
    await eventually(async () => unheard(), none, patience_ms);
    const sent = () => whatsapp.out.slice(before);
    await eventually(
      async () => new Set(sent().map((it) => it.id)).size,
      (answers) => answers >= written.size,
      patience_ms,
    );
    await nothingWaits();
    // A phone shows what has the same id once; only what was under way may have been sent twice,
    // and what was kept without a receipt is answered too.
    const ids = new Set(sent().map((it) => it.id));
    expect(ids.size).toBeLessThanOrEqual(written.size + again.length);
    expect(sent().length - ids.size).toBeLessThanOrEqual(4);
    for (const chat of chats) {
      const theirs = new Set(sent().flatMap((it) => (it.to === chat ? it.id : [])));
      expect(theirs.size).toBeGreaterThanOrEqual(2);
    }
    expect(standby.output()).toMatch(/this process holds the linked number/);
  },
  patience_ms * 2,
);

async function fences(): Promise<[string, string]> {
  const { rows } = await sql<{ fence: bigint; state: string }>`
    select fence, state from linked_device
  `.execute(database.db);
  return [String(rows[0]?.fence), String(rows[0]?.state)];
}

async function nothingWaits(): Promise<void> {
  const waiting = sql<{ rows: number }>`
    select (select count(*) from inbox where state = 'new')::int
         + (select count(*) from outbox where state in ('waiting', 'sending'))::int as rows`;
  await eventually(
    async () => (await waiting.execute(database.db)).rows[0]?.rows,
    (rows) => rows === 0,
    patience_ms,
  );
}

function childOf({ pid }: Running): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}
