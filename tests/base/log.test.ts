import { Writable } from 'node:stream';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { makeLog } from '../../src/base/log.ts';
import { freshDatabase } from '../helpers/database.ts';

let written: string[];
const log = makeLog(
  'info',
  new Writable({
    write(chunk: Buffer, _, done) {
      written.push(chunk.toString());
      done();
    },
  }),
);

beforeEach(() => {
  written = [];
});

/** What the last line says, without its level and time; it must be one JSON object. */
function line(): Record<string, unknown> {
  const { level: _, time: __, ...rest } = JSON.parse(written.at(-1)!) as Record<string, unknown>;
  return rest;
}

test.each([
  ['254722000126', '2547xxxxx126'],
  ['+254722000126', '+2547xxxxx126'],
  ['254110000126', '2541xxxxx126'],
  ['0722000126', '0722xxx126'],
  ['0110000126', '0110xxx126'],
  ['+254 722 000 126', '+2547xxxxx126'],
  ['0722-000-126', '0722xxx126'],
  ['+44 7911 123456', '+4479xxxxx456'],
  ['00254722000126', '0025xxxxxxx126'],
  ['0722.000.126', '0722xxx126'],
  ['+254.722.000.126', '+2547xxxxx126'],
  ['(0722) 000 126', '(0722xxx126'],
  ['00 44 7911 123456', '0044xxxxxxx456'],
  ['wa:254722000126@s.whatsapp.net', 'wa:2547xxxxx126@s.whatsapp.net'],
])('%s is written as %s, in a message and in a field', (phone, cut) => {
  log.info({ error: `no such number: "${phone}"\n${phone}` }, `from ${phone}, twice ${phone}`);
  expect(line()).toEqual({
    error: `no such number: "${cut}"\n${cut}`,
    msg: `from ${cut}, twice ${cut}`,
  });
});

test('a number is cut however deep it lies, as a key, and where it is no text', () => {
  log.warn({
    a: { b: [{ c: '254722000126' }] },
    '254722000126': true,
    as_number: 254722000126,
    as_bigint: 254722000126n,
  });
  expect(line()).toEqual({
    a: { b: [{ c: '2547xxxxx126' }] },
    '2547xxxxx126': true,
    as_number: '2547xxxxx126',
    as_bigint: '2547xxxxx126',
  });
});

test('what only looks a little like a number stays', () => {
  const fields = {
    receipt: 'NLJ7RT61SV',
    at: '20261120143000',
    masked: '2547 ***** 126',
    uuid: '0722aaaa-0712-4345-8789-072200012634',
    ip: '196.201.214.200',
    id: 722000126,
    amount: '0712345.00',
    when: '2026-01-12T07:10:22.000Z',
  };
  log.info(fields);
  expect(line()).toEqual(fields);
});

test("what PostgreSQL quotes is cut, in its message and in the whole error's fields", async () => {
  const { db, close } = await freshDatabase(1);
  try {
    const refused = await sql`select ${'254722000126'}::text::int4`.execute(db).catch((e) => e);
    expect(messageOf(refused)).toContain('254722000126');
    log.error({ error: messageOf(refused) }, 'inbox row failed');
    await sql`insert into people (name) values ('Kamau')`.execute(db);
    const add = sql`
      insert into addresses (person_id, kind, value) select id, 'msisdn', '254722000126' from people`;
    await add.execute(db);
    const twice: unknown = await add.execute(db).catch((e) => e);
    expect(twice).toHaveProperty('detail', expect.stringContaining('254722000126'));
    log.error(twice);
    log.error({ error: twice }, 'and once more');
  } finally {
    await close();
  }
  expect(written).toHaveLength(3);
  expect(written.join()).not.toContain('22000126');
  expect(written.join()).toContain('2547xxxxx126');
});

test('the secret of a callback address and the password of a database are cut', () => {
  log.info(
    { path: '/hooks/s3cret-0123456789/c2b/confirmation', quoted: 'at "/hooks/s3cret-0123456789"' },
    'postgres://karani:s3cret@db/karani and https://x.ke/hooks/s3cret?a=1 %2Fhooks%2Fs3cret%2Fussd',
  );
  expect(line()).toEqual({
    path: '/hooks/[cut]/c2b/confirmation',
    quoted: 'at "/hooks/[cut]"',
    msg: 'postgres://karani:[cut]@db/karani and https://x.ke/hooks/[cut]?a=1 %2Fhooks%2F[cut]%2Fussd',
  });
});

test('what is named a secret is cut whatever it holds', () => {
  log.info({ pin: '1234', it: { token: 'abc', code_typed: '999' } });
  expect(line()).toEqual({ pin: '[cut]', it: { token: '[cut]', code_typed: '[cut]' } });
});
