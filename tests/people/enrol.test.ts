import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { enrol } from '../../src/people/enrol.ts';
import { withRole } from '../../src/people/find.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const msisdn = '254722000777';
const admin = () => inTransaction(house.db, (tx) => enrol(tx, [{ msisdn, roles: ['admin'] }]));

test('an admin who wrote before they were one is reached, and is one', async () => {
  await house.writes(msisdn, 'hello');
  const [id] = await admin();
  expect(await withRole(house.db, 'admin')).toContain(id);
  expect((await house.writes(msisdn, 'today'))[0]).toMatch(/today/i);
});

test('processes that start together enrol everybody once', async () => {
  const ids = await Promise.all([admin(), admin(), admin(), admin()]);
  expect(new Set(ids.flat()).size).toBe(1);
});

test('an address belongs to one person', async () => {
  await admin();
  const [another] = await withRole(house.db, 'officer');
  const address = {
    person_id: another!,
    kind: 'msisdn',
    value: msisdn,
    verified_at: null,
  } as const;
  await expect(house.db.insertInto('addresses').values(address).execute()).rejects.toThrow(
    'addresses_kind_value_key',
  );
});
