import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished, test, expect } from 'vitest';
import { runKarani } from '../helpers/process.ts';

// Two hundred phones at once on one process, which is killed in the middle of their conversations.

const phones = 200;
const hook_secret = 'crowd-hook-0123456789';
// As long as the gateway waits.
const longest_answer_ms = 10_000;

async function press(url: string, n: number, text: string): Promise<string> {
  const form = {
    sessionId: `ATUid_crowd_${n}`,
    serviceCode: '*384*123456#',
    phoneNumber: `+254745${String(n).padStart(6, '0')}`,
    networkCode: '63902',
    text,
  };
  const response = await fetch(`${url}/hooks/${hook_secret}/ussd`, {
    method: 'POST',
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(longest_answer_ms),
  });
  return `${response.status} ${await response.text()}`;
}

/** The same key on every phone, one request a millisecond; what is shown, and how often. */
async function all(url: string, text: string): Promise<[screen: string, count: number][]> {
  const shown = await Promise.all(
    Array.from({ length: phones }, async (_, n) => {
      await sleep(n);
      return press(url, n, text).catch((error: unknown) => String(error));
    }),
  );
  const counts = new Map<string, number>();
  for (const screen of shown) {
    const first = screen.split('\n')[0] ?? '';
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return [...counts];
}

test('two hundred dial at once, the server is killed, and the next key goes on', async () => {
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-crowd-'));
  const env = { PORT: '0', KARANI_DATA: data_dir, KARANI_HOOK_SECRET: hook_secret };
  const start = () =>
    runKarani('src/main.ts', [], { ...env, KARANI_CONFIG: undefined, DATABASE_URL: undefined });
  let server = await start();
  onTestFinished(async () => {
    await server.stop();
    rmSync(data_dir, { recursive: true, force: true });
  });
  const welcome = '200 CON Welcome to Duka la Wanjiru. We do not know this number yet.';
  expect(await all(server.url, '')).toEqual([[welcome, phones]]);
  const asked = all(server.url, '3');
  await sleep(phones / 2);
  await server.kill();
  await asked;
  server = await start();
  // Who heard nothing presses again; who did is shown the same.
  expect(await all(server.url, '3')).toEqual([['200 CON Which language?', phones]]);
  expect(await all(server.url, '3*1')).toEqual([
    ['200 END All right, we speak English from now on.', phones],
  ]);
}, 90_000);
