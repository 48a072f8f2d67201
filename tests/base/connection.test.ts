import { type RawBuilder, sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { sendAhead } from '../../src/base/connection.ts';
import { type Db, inSavepoint, inTransaction, isAway, type Tx } from '../../src/base/db.ts';
import { freshDatabase } from '../helpers/database.ts';

// Statements that go ahead of the next one, in one write: on a single connection, so that what one
// transaction leaves behind the next one finds.

let db: Db;
beforeEach(async () => {
  const database = await freshDatabase(1);
  ({ db } = database);
  await sql`create table said (word text primary key)`.execute(db);
  return () => database.close();
});

const saying = (word: string) => sql`insert into said (word) values (${word})`;
const words = async (on: Db = db) => {
  const { rows } = await sql<{ word: string }>`
    select word from said where word <> ${''} order by 1
  `.execute(on);
  return rows.map((row) => row.word);
};

test('what is sent ahead is done before what comes next, and committed with it', async () => {
  await inTransaction(db, async (tx) => {
    await sendAhead(tx, saying('one'));
    await sendAhead(tx, sql`insert into said (word) select ${'two'} returning word`);
    expect(await words(tx)).toEqual(['one', 'two']);
    await sendAhead(tx, saying('three'));
  });
  expect(await words()).toEqual(['one', 'three', 'two']);
});

const twice = async (tx: Tx) => {
  await sendAhead(tx, saying('one'));
  await sendAhead(tx, saying('one'));
};

test.each([
  ['the next statement', (tx: Tx) => twice(tx).then(() => words(tx))],
  ['the commit', twice],
  ['the next part', (tx: Tx) => twice(tx).then(() => inSavepoint(tx, () => words(tx)))],
])(
  'when it fails %s fails with its error, and nothing is done',
  async (_, work: (tx: Tx) => Promise<unknown>) => {
    await expect(inTransaction(db, work)).rejects.toMatchObject({ code: '23505' });
    expect(await words()).toEqual([]);
    // Nor does the connection take for planned what was never read.
    await inTransaction(db, async (tx) => {
      await sendAhead(tx, saying('one'));
      expect(await inSavepoint(tx, () => words(tx))).toEqual(['one']);
    });
  },
);

test('a part that failed in what was sent ahead undoes itself alone', async () => {
  await inTransaction(db, async (tx) => {
    await sendAhead(tx, saying('before'));
    const part = inSavepoint(tx, async () => {
      await twice(tx);
      return words(tx);
    });
    await expect(part).rejects.toMatchObject({ code: '23505' });
    await sendAhead(tx, saying('after'));
  });
  expect(await words()).toEqual(['after', 'before']);
});

test('work that fails by itself fails with its own error, whatever had been sent ahead', async () => {
  const work = inTransaction(db, async (tx) => {
    await twice(tx);
    throw new Error('ours');
  });
  await expect(work).rejects.toThrow('ours');
  expect(await words()).toEqual([]);
});

const undone = (code: string): RawBuilder<unknown> =>
  sql.raw(`do $$ begin raise exception 'undone' using errcode = '${code}'; end $$`);

test('work that was undone in what was sent ahead is done again', async () => {
  let tries = 0;
  await inTransaction(db, async (tx) => {
    tries += 1;
    await sendAhead(tx, saying(`try ${tries}`));
    if (tries === 1) await sendAhead(tx, undone('40P01'));
  });
  expect(await words()).toEqual(['try 2']);
});

test('what fails at the end of a part is that part’s failure, not the next one’s', async () => {
  await inTransaction(db, async (tx) => {
    const first = inSavepoint(tx, () => twice(tx));
    await expect(first).rejects.toMatchObject({ code: '23505' });
    await inSavepoint(tx, () => sendAhead(tx, saying('two')));
  });
  expect(await words()).toEqual(['two']);
});

test('a part that fails by itself undoes what it had sent ahead, and nothing else', async () => {
  await inTransaction(db, async (tx) => {
    await sendAhead(tx, saying('before'));
    for (const read of [false, true]) {
      const part = inSavepoint(tx, async () => {
        if (read) await words(tx);
        await inSavepoint(tx, () => words(tx));
        await twice(tx);
        throw new Error('ours');
      });
      await expect(part).rejects.toThrow('ours');
    }
    await sendAhead(tx, saying('after'));
  });
  expect(await words()).toEqual(['after', 'before']);
});

test('the answer is that of the last statement alone', async () => {
  await inTransaction(db, async (tx) => {
    await sendAhead(tx, sql`insert into said select 'word ' || n from generate_series(1, ${3}) n`);
    await sendAhead(tx, sql`select n, n + 1 as more from generate_series(1, ${5}) n`);
    await sendAhead(tx, sql``);
    expect((await sql`select ${'one'} as word`.execute(tx)).rows).toEqual([{ word: 'one' }]);
    await sendAhead(tx, sql`delete from said where word = ${'word 1'}`);
    const changed = await sql`update said set word = word || ${'!'}`.execute(tx);
    expect(changed.numAffectedRows).toBe(2n);
  });
});

test('a value that cannot be written is its own statement’s failure', async () => {
  const unwritable = { toPostgres: () => expect.fail('cannot be written') };
  const writing = (tx: Tx) => sql`insert into said (word) values (${unwritable})`.execute(tx);
  await inTransaction(db, async (tx) => {
    await sendAhead(tx, saying('one'));
    await expect(inSavepoint(tx, () => writing(tx))).rejects.toThrow('cannot be written');
  });
  expect(await words()).toEqual(['one']);
});

test('who loses the connection is told, and the next one finds another', async () => {
  const work = inTransaction(db, async (tx) => {
    await sendAhead(tx, saying('one'));
    await sendAhead(tx, sql`select pg_terminate_backend(pg_backend_pid())`);
    await words(tx);
  });
  await expect(work).rejects.toSatisfy(isAway);
  expect(await words()).toEqual([]);
});
