import { expect, inject, test } from 'vitest';
import { openDatabase } from '../../src/base/db.ts';
import { listMigrations, migrate } from '../../src/base/migrate.ts';
import { freshDatabase } from '../helpers/database.ts';
import { inDatabase, withDatabase } from '../helpers/global-setup.ts';

test('processes that start at once on a new database migrate it once', async () => {
  const server = inject('server_url');
  const name = `karani_test_migrate_${process.pid}`;
  await inDatabase(server, `create database ${name}`);
  const { pool } = openDatabase(withDatabase(server, name), 4);
  const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(pool, 'demo')));
  await pool.end();
  await inDatabase(server, `drop database ${name} with (force)`);
  expect(applied.toSorted((a, b) => a - b)).toEqual([0, 0, 0, (await listMigrations()).length]);
});

test('a database is not migrated for another environment', async () => {
  const { pool, close } = await freshDatabase(1);
  await expect(migrate(pool, 'sandbox')).rejects.toThrow('belongs to a demo installation');
  await close();
});

test('a database of a newer Karani is left alone', async () => {
  const { pool, close } = await freshDatabase(1);
  await pool.query("insert into migrations (number, name) values (9999, '9999_of_tomorrow.sql')");
  await expect(migrate(pool, 'demo')).rejects.toThrow('Start the newer version');
  await close();
});
