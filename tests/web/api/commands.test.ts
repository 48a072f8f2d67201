import { beforeEach, expect, test } from 'vitest';
import { apiOf } from '../../helpers/api.ts';
import { type House, openHouse } from '../../helpers/house.ts';
import { karani } from '../../helpers/process.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const run = (...args: string[]) =>
  karani(['token', ...args], {
    DATABASE_URL: house.settings.database_url,
    KARANI_CONFIG: undefined,
    KARANI_DATA: 'artifacts/tokens',
  });

test('a token is made, shown once, listed without what it is, and ended by its name', async () => {
  const api = apiOf(house);
  const made = await run(
    'create',
    '--name',
    'till',
    '--scope',
    'payments:read',
    '--scope',
    'inbox:read',
  );
  expect([made.code, made.stderr]).toEqual([0, '']);
  const token = made.stdout.trim();
  expect((await api.get('/payments', token)).status).toBe(200);
  expect((await api.get('/inbox', token)).status).toBe(200);
  expect((await api.get('/invoices', token)).status).toBe(403);

  const again = await run('create', '--name', 'till', '--scope', 'payments:read');
  expect([again.code, again.stdout]).toEqual([1, '']);
  expect(again.stderr).toContain('There is a token of that name');

  const listed = await run('list', '--json');
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { name: 'till', scopes: ['payments:read', 'inbox:read'], for: 'Wanjiru', revoked_at: null },
  ]);
  expect(listed.stdout).not.toContain(token.slice(7));
  expect((await run('list')).stdout).toMatch(
    /^till {2}payments:read,inbox:read {2}for Wanjiru {2}used /,
  );

  expect((await run('revoke', 'till')).code).toBe(0);
  expect((await api.get('/payments', token)).status).toBe(401);
  expect((await run('revoke', 'till')).code).toBe(1);
  // Its name is free again.
  const other = await run(
    'create',
    '--name',
    'till',
    '--scope',
    'payments:read,ledger:read',
    '--json',
  );
  expect(JSON.parse(other.stdout)).toMatchObject({ scopes: ['payments:read', 'ledger:read'] });
}, 60_000);

test.each([
  [['create', '--scope', 'payments:read'], 2, '--name is needed'],
  [['create', '--name', 'x'], 2, '--scope is needed'],
  [['create', '--name', 'x', '--scope', 'everything'], 2, 'There is no scope "everything"'],
  [
    ['create', '--name', 'x', '--scope', 'payments:read', '--for', '12'],
    2,
    '--for is a phone number',
  ],
  [['create', '--name', 'x', '--scope', 'payments:read', '--for', '0700000004'], 1, 'no admin’s'],
  [['revoke'], 2, 'Expected: NAME'],
])('%j is not taken, and told why', async (args, code, words) => {
  const ended = await run(...args);
  expect([ended.code, ended.stdout]).toEqual([code, '']);
  expect(ended.stderr).toContain(words);
});
