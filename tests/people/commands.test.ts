import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { wanjiru } from '../helpers/admins.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { karani as run } from '../helpers/process.ts';

let house: House;
let karani: (...args: string[]) => ReturnType<typeof run>;

beforeEach(async () => {
  house = await openHouse();
  const folder = await mkdtemp(join(tmpdir(), 'karani-people-'));
  const env = { DATABASE_URL: house.settings.database_url, KARANI_DATA: join(folder, 'data') };
  karani = (...args) => run(args, { ...env, KARANI_CONFIG: undefined });
  return async () => {
    await house.close();
    await rm(folder, { recursive: true });
  };
});

test('somebody is asked for from a terminal, and waits for another admin', async () => {
  const add = ['people', 'add', 'cashier', '0712345678', '--by', '0700000001'];
  expect(await karani(...add, '--name', 'Njeri  Wa\nMary')).toMatchObject({
    code: 0,
    stdout: 'RQ1: waits for another admin; asked in chat: 1.\n',
  });
  // Whoever's name it was hears of it at once.
  const { rows } = await sql`
    select p.name from outbox o join people p on p.id = o.person_id
    where o.template = 'asked_from_terminal'
  `.execute(house.db);
  expect(rows).toEqual([{ name: 'Wanjiru' }]);
  expect(await karani('people', 'remove', 'cashier', '0712345678', '--by', '0700000001')).toEqual(
    expect.objectContaining({ code: 1, stderr: 'They do not have that role.\n' }),
  );
  const codes = await karani('people', 'code', '0700000008');
  expect(codes.code).toBe(1);
  expect(codes.stderr).toMatch(/^They are no admin, and only admins approve with codes: /);
  const { stdout } = await karani('people', 'list', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    staff: [
      { who: 'Wanjiru', phone: wanjiru, roles: ['admin'], codes: true },
      { who: 'Otieno', roles: ['admin'] },
      { who: 'Baraka', roles: ['officer'], codes: false },
      { who: 'Zawadi', roles: ['cashier'], configured: false },
    ],
    requests: [{ ref: 'RQ1', kind: 'grant', asked_by: 'Wanjiru' }],
  });
  const request = await house.db
    .selectFrom('people_requests')
    .select(['name', 'msisdn'])
    .executeTakeFirst();
  expect(request).toEqual({ name: 'Njeri Wa Mary', msisdn: '254712345678' });
});

test('what is no name is taken for none, with the command and in a chat', async () => {
  const add = ['people', 'add', 'cashier', '0712345678', '--by', '0700000001'];
  const { code, stderr } = await karani(...add, '--name', '5');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/--name is what they are called, in letters/);
  expect(await house.db.selectFrom('people_requests').select('id').execute()).toEqual([]);
  expect((await house.writes(wanjiru, 'add cashier 0712345678 5'))[0]).toMatch(
    /^What is the name of 0712345678\?/,
  );
});
