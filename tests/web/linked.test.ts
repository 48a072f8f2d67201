import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import type { LinkedState } from '../../src/base/schema.ts';
import {
  deviceStanding,
  linked_lock,
  linkedKeys,
  linkedSeal,
  type Offer,
  setOffer,
  setStanding,
  takeOver,
  takeWish,
  TakenOver,
} from '../../src/conversation/linked-device.ts';
import { holdAlone } from '../../src/base/sole-holder.ts';
import { linkedPagePath } from '../../src/web/linked/routes.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

// The page on which the number is linked, and what of it the database keeps.

let house: House;
let seal: ReturnType<typeof linkedSeal>;

beforeEach(async () => {
  house = await openHouse({ whatsapp_linked: { number: '254722000000' } });
  seal = linkedSeal(house.settings.secret);
  return () => house.close();
});

const address = () => `${house.url}${linkedPagePath(house.settings.secret)}`;

async function page(language = 'en'): Promise<string> {
  const response = await fetch(address(), { headers: { 'accept-language': language } });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return response.text();
}

/** Somebody holds the number until the test ends, and it stands so. */
async function stands(state: LinkedState, why?: string, offer?: Offer): Promise<bigint> {
  const held = await holdAlone(
    house.settings.database_url ?? '',
    linked_lock,
    new AbortController().signal,
  );
  holders.push(held);
  const fence = await takeOver(house.db);
  await setStanding(house.db, fence, { state, why });
  await setOffer(house.db, { seal, fence, offer });
  return fence;
}

const holders: Awaited<ReturnType<typeof holdAlone>>[] = [];
beforeEach(() => async () => {
  for (const held of holders.splice(0)) await held?.release();
});

test('only who has its address sees the page', async () => {
  expect((await fetch(`${house.url}/linked/${'0'.repeat(40)}`)).status).toBe(404);
  expect((await fetch(`${house.url}/linked/`)).status).toBe(404);
  expect(await page()).toContain('WhatsApp 0722000000');
});

test('who asks there is offered a QR code, or a code to type', async () => {
  expect(await page()).toContain('Scan a QR code');
  const asked = await fetch(address(), {
    method: 'POST',
    body: new URLSearchParams({ way: 'code' }),
    redirect: 'manual',
  });
  expect([asked.status, asked.headers.get('location')]).toEqual([303, new URL(address()).pathname]);
  expect(await page()).toContain('Waiting for the server');
  const fence = await stands('linking', undefined, { code: 'ABCD2345' });
  expect(await takeWish(house.db, fence)).toEqual({ by_code: true });
  expect(await takeWish(house.db, fence)).toBeUndefined();
  await setStanding(house.db, fence, { state: 'linking' });
  expect(await page()).toContain('ABCD2345');
  await setOffer(house.db, { seal, fence, offer: { qr: '2@abc,def' } });
  expect(await page()).toMatch(/<svg[\s\S]*On the phone with this number/);
  expect(await page('sw-KE,sw;q=0.9')).toContain('Kwenye simu yenye nambari hii');
});

test.each([
  ['open', undefined, 'This number is linked'],
  ['connecting', undefined, 'Karani is connecting by itself'],
  ['resting', 'outdated', 'does not let this version of Karani in'],
  ['stopped', 'blocked', 'WhatsApp has blocked this number'],
  ['unlinked', 'logged_out', 'It was unlinked on its phone'],
] as const)('a number that is %s (%s) says so', async (state, why, words) => {
  await stands(state, why);
  expect(await page()).toContain(words);
});

test('an operator sees whether it is connected, where there is such a number', async () => {
  const metrics = async () => (await fetch(`${house.url}/metrics`)).text();
  expect(await metrics()).not.toMatch(/^karani_linked_open \d/m);
  const fence = await stands('open');
  const within_ms = 5_000;
  await eventually(metrics, (text) => text.includes('karani_linked_open 1'), within_ms);
  await setStanding(house.db, fence, { state: 'resting', why: 'failing' });
  await eventually(metrics, (text) => text.includes('karani_linked_open 0'), within_ms);
});

test('what is to be scanned is kept sealed, and so are the keys', async () => {
  const fence = await stands('linking', undefined, { qr: '2@a-secret-reference' });
  const keys = linkedKeys(house.db, seal, fence);
  await keys.write([{ type: 'session', id: '1', value: 'a-secret-session' }], 'secret-credentials');
  const { rows } = await sql<{ all: string }>`
    select encode(offer, 'escape') || encode(credentials, 'escape')
      || (select string_agg(encode(value, 'escape'), '') from linked_keys) as all
    from linked_device
  `.execute(house.db);
  expect(rows[0]?.all).not.toMatch(/secret/);
  expect((await deviceStanding(house.db, seal)).offer).toEqual({ qr: '2@a-secret-reference' });
  expect(await keys.readCredentials()).toBe('secret-credentials');
});

test('who has been overtaken writes nothing any more, neither keys nor how it stands', async () => {
  const earlier = await stands('open');
  const before = linkedKeys(house.db, seal, earlier);
  await before.write([{ type: 'session', id: '1', value: 'one' }]);
  const now = await takeOver(house.db);
  const after = linkedKeys(house.db, seal, now);
  await expect(before.write([{ type: 'session', id: '1', value: 'two' }])).rejects.toThrow(
    TakenOver,
  );
  await expect(before.forget()).rejects.toThrow(TakenOver);
  await setStanding(house.db, earlier, { state: 'stopped', why: 'blocked' });
  await setOffer(house.db, { seal, fence: earlier, offer: { code: 'ABCD2345' } });
  expect(await takeWish(house.db, earlier)).toBeUndefined();
  expect(await deviceStanding(house.db, seal)).toMatchObject({ state: 'open', offer: null });
  expect(await after.read('session', ['1', '2'])).toEqual(new Map([['1', 'one']]));
});

test('keys are written all at once or not at all, and one that is none is taken away', async () => {
  const keys = linkedKeys(house.db, seal, await stands('open'));
  const id = 'x';
  await keys.write([
    { type: 'pre-key', id: '1', value: 'one' },
    { type: 'pre-key', id: '2', value: 'two' },
  ]);
  await keys.write([
    { type: 'pre-key', id: '1', value: null },
    { type: 'session', id, value: 'three' },
  ]);
  expect(await keys.read('pre-key', ['1', '2'])).toEqual(new Map([['2', 'two']]));
  // The second cannot be kept, so the first is not either.
  const broken = [
    { type: 'session', id, value: 'four' },
    { type: 'session', id: 'bad\0id', value: 'five' },
  ];
  await expect(keys.write(broken)).rejects.toThrow();
  expect(await keys.read('session', [id])).toEqual(new Map([[id, 'three']]));
  await keys.forget();
  expect(await keys.read('session', [id])).toEqual(new Map());
});
