import { expect, test } from 'vitest';
import { Late } from '../../src/base/late.ts';
import { ask, shared } from '../../src/web/ask.ts';
import { freshDatabase } from '../helpers/database.ts';

test('a query that is not answered in time is Late, and its connection is free for the next', async () => {
  const { pool, close } = await freshDatabase(1);
  try {
    await expect(ask(pool, 20, { text: 'select pg_sleep(600)' })).rejects.toThrow(Late);
    expect(await ask(pool, 60_000, { text: 'select 2 as two' })).toEqual([{ two: 2 }]);
  } finally {
    await close();
  }
});

test('all who ask at once share one look; who asks later looks again, after a failure too', async () => {
  const looks: PromiseWithResolvers<string>[] = [];
  const look = shared(() => {
    looks.push(Promise.withResolvers<string>());
    return looks.at(-1)!.promise;
  }, 0);
  const both = Promise.allSettled([look(), look()]);
  looks[0]!.reject(new Error('away'));
  expect((await both).map((it) => it.status)).toEqual(['rejected', 'rejected']);
  const again = look();
  looks[1]!.resolve('here');
  expect(await again).toBe('here');
  expect(looks).toHaveLength(2);
});

test('what was seen is good for a while', async () => {
  let looks = 0;
  const look = shared(async () => (looks += 1), 60_000);
  expect([await look(), await look()]).toEqual([1, 1]);
});
