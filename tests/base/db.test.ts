import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { inSavepoint, inTransaction } from '../../src/base/db.ts';
import { freshDatabase } from '../helpers/database.ts';

test('a part that fails undoes itself alone', async () => {
  const { db, close } = await freshDatabase(1);
  await inTransaction(db, async (tx) => {
    const write = (name: string) => tx.insertInto('people').values({ name }).execute();
    await write('before');
    const failing = inSavepoint(tx, async () => {
      await write('lost');
      throw new Error('ours');
    });
    await expect(failing).rejects.toThrow('ours');
    await expect(inSavepoint(tx, () => sql`select 1 / 0`.execute(tx))).rejects.toThrow('by zero');
    await write('after');
  });
  const { rows } = await sql<{
    name: string;
  }>`select name from people order by id desc limit 2`.execute(db);
  expect(rows.map((row) => row.name)).toEqual(['after', 'before']);
  await close();
});
