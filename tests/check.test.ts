import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { verify } from '../src/ledger/verify.ts';
import { truthCheck } from '../src/mpesa-truth.ts';
import { running_checks } from '../src/registry.ts';
import { listen } from '../src/listen.ts';
import { openSimulator } from '../src/simulator/simulator.ts';
import { confirmation } from './helpers/confirmation.ts';
import { type House, hook_secret, openHouse } from './helpers/house.ts';
import { postJson } from './helpers/process.ts';

// What `karani check` finds in an installation: that it is stuck, that somebody was left untold, or
// that it is not what M-Pesa says.

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const found = async () => (await verify(house.db, running_checks)).map((it) => it.found);

async function aPayment(): Promise<void> {
  await house.hook('c2b/confirmation', confirmation({ TransID: 'CHECKED001' }));
  await house.drain();
}

test('an installation at work has nothing to be found', async () => {
  await aPayment();
  await house.hook('c2b/confirmation', confirmation());
  await house.writes('254700000004', 'hi');
  expect(await found()).toEqual([]);
});

test('a callback that nobody works through is found, and one that was given up', async () => {
  await house.hook('c2b/confirmation', confirmation());
  await house.hook('c2b/confirmation', confirmation());
  await sql`
    update inbox set received_at = now() - interval '2 minutes', due_at = now() - interval '2 minutes'
  `.execute(house.db);
  await sql`update inbox set state = 'failed' where id = 2`.execute(house.db);
  expect(await found()).toEqual([
    expect.stringMatching(/^inbox 1 has waited since /),
    'inbox 2 was given up',
  ]);
});

test('a callback that waits for another try is not stuck', async () => {
  await house.hook('c2b/confirmation', confirmation());
  await sql`
    update inbox set received_at = now() - interval '1 hour', due_at = now() + interval '1 minute'
  `.execute(house.db);
  expect(await found()).toEqual([]);
});

test('a lease that outlives its holder is found, and a message that nobody sends', async () => {
  await aPayment();
  await sql`
    update outbox set state = 'sending', lease_until = now() - interval '5 minutes' where id = 1
  `.execute(house.db);
  await sql`update outbox set due_at = now() - interval '5 minutes' where id = 2`.execute(house.db);
  expect(await found()).toEqual([
    expect.stringMatching(/^message 1 has been in flight since /),
    expect.stringMatching(/^message 2 has waited since /),
  ]);
});

test('an admin who was not told of a payment is found, and a payment that nobody was told of', async () => {
  await aPayment();
  await sql`delete from outbox where id = 1`.execute(house.db);
  const [untold] = await found();
  expect(untold).toMatch(/^payment CHECKED001 to person \d+$/);
  await sql`
    update payments set told = null, created_at = now() - interval '10 minutes'
  `.execute(house.db);
  expect(await found()).toEqual(['payment CHECKED001']);
});

test('a turn without an answer is found', async () => {
  await house.writes('254700000004', 'hi', 'wamid.unanswered');
  await sql`delete from outbox`.execute(house.db);
  expect(await found()).toEqual(['whatsapp:wamid.unanswered']);
});

test('the books are held against what M-Pesa says', async () => {
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-check-'));
  const simulator = await openSimulator({ data_dir, app_url: house.url, hook_secret });
  const listening = await listen(simulator.routes, '127.0.0.1', 0);
  const differences = async () =>
    (await verify(house.db, [await truthCheck(listening.url)])).map((it) => it.found);
  try {
    const order = { phone: '254700000004', amount: 500, account: 'INV-20260203-0001' };
    const { receipt } = await postJson<{ receipt: string }>(
      `${listening.url}/sim/mpesa/pay`,
      order,
    );
    expect(await differences()).toEqual([]);
    await house.hook(
      'c2b/confirmation',
      confirmation({ TransID: receipt, TransAmount: '800.00', BusinessShortCode: '600001' }),
    );
    await house.hook('c2b/confirmation', confirmation({ TransID: 'STRANGER01' }));
    await house.drain();
    expect(await differences()).toEqual([
      `${receipt} is 80000 cents here, not 50000`,
      'STRANGER01 is here and M-Pesa never had it',
    ]);
  } finally {
    await listening.stop();
    await simulator.close();
    await rm(data_dir, { recursive: true, force: true });
  }
  await expect(truthCheck('http://127.0.0.1:9')).rejects.toThrow('No simulator answers');
});
