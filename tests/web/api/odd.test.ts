import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { apiOf } from '../../helpers/api.ts';
import { type House, openHouse } from '../../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const odd_values = [
  ...['0000-01-01', '1900-01-01', '2999-12-31', '9999-12-31', '2026-02-03T24:00:00Z'],
  ...[
    '2026-02-03T00:00:00+99:99',
    '2026-02-03T00:00:00.123456Z',
    '1e9',
    '0x10',
    '-1',
    '999999999999.99',
  ],
  ...['\u0000', '\ud800', '%', '_', '\\', "'", '::1', '::ffff:1.2.3.4', '1.2.3.4/0', '[]', '🦄'],
  ...[Buffer.from('["999999999999999999","999999999999999999"]').toString('base64url'), 'WyIxIl0'],
];

test('whatever is asked with, the answer is never a mistake of ours', async () => {
  const api = apiOf(house);
  const { json } = await api.ask('/openapi.json');
  const gets = Object.entries<{ get?: { parameters?: { name: string; in: string }[] } }>(json.paths)
    .filter(([, methods]) => methods.get)
    .map(([path, methods]) => ({ path, parameters: methods.get?.parameters ?? [] }));
  const value = fc.oneof(
    fc.constantFrom(...odd_values),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const asked = fc.constantFrom(...gets).chain(({ path, parameters }) =>
    fc
      .record(
        Object.fromEntries(
          parameters.map((it) => [
            `${it.in}.${it.name}`,
            it.in === 'path' ? value : fc.option(value),
          ]),
        ),
      )
      .map((values) => {
        const query = new URLSearchParams();
        let at = path;
        for (const [name, given] of Object.entries(values)) {
          const [place, field = ''] = name.split('.');
          if (given === null || given === undefined) continue;
          if (place === 'query') query.set(field, given.toWellFormed());
          else at = at.replace(`{${field}}`, encodeURIComponent(given.toWellFormed()));
        }
        return `${at}?${query.toString()}`;
      }),
  );
  let token = '';
  let left = 0;
  await fc.assert(
    fc.asyncProperty(asked, async (path) => {
      // A token of its own before one asks too often.
      if (left === 0) token = await api.token();
      left = left === 0 ? 250 : left - 1;
      const { status, text } = await api.get(path, token);
      expect([path, status, text.slice(0, 300)]).toEqual([
        path,
        expect.toSatisfy(isAnswer),
        expect.anything(),
      ]);
    }),
    { numRuns: 400 },
  );
}, 60_000);

test('whatever body is sent, the answer is never a mistake of ours', async () => {
  const api = apiOf(house);
  const token = await api.token();
  const field = fc.oneof(
    fc.constantFrom<unknown>(...odd_values, 10, 1e300, -0, null, true, []),
    fc.jsonValue(),
  );
  const body = fc.oneof(
    fc.record(
      { due: field, customer: field, phone: field, amount: field, currency: field },
      { requiredKeys: [] },
    ),
    fc.record({
      due: fc.constant('INV-20260203-0001'),
      phone: fc.constant('254711111111'),
      amount: field,
    }),
    fc.constantFrom(
      '{"__proto__":{"due":"x"}}',
      '[]',
      'null',
      '"x"',
      '',
      '{"due":"\\ud800"}',
      '['.repeat(5_000),
    ),
  );
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const { status, text } = await api.post('/payments/initiate', token, sent);
      expect([sent, status, text]).toEqual([sent, expect.toSatisfy(isAnswer), text]);
    }),
    { numRuns: 200 },
  );
}, 60_000);

const isAnswer = (status: number) => status < 500 && status !== 429;
