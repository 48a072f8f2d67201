import { resolve } from 'node:path';
import type { Pool } from 'pg';
import { type Db, openDatabase } from './base/db.ts';
import { hasDatabase, runningPostgresUrl, startPostgres } from './base/embedded-postgres.ts';
import { SetupError } from './base/errors.ts';
import { migrateJobs } from './base/jobs.ts';
import { migrate, missingMigrations } from './base/migrate.ts';
import type { ExitCode } from './exit.ts';
import { data_folder, readSettings, type Settings } from './settings.ts';

/**
 * Runs a command on the database: that of a server which runs on this folder, or our own for as
 * long as it takes. Where there is none yet it says so, and makes none but to migrate it.
 */
export async function withDatabase(
  work: (db: Db, settings: Settings, pool: Pool) => Promise<ExitCode | void>,
  to_migrate = false,
): Promise<ExitCode | void> {
  const folder = resolve(process.env['KARANI_DATA'] ?? data_folder);
  if (!to_migrate && !process.env['DATABASE_URL'] && !hasDatabase(folder)) {
    throw new SetupError(
      `There is no database in ${folder}. Set KARANI_DATA to the folder where Karani keeps its data, ` +
        'or run "npm start" once to make one here.',
    );
  }
  const settings = readSettings(process.env);
  const running = settings.database_url ?? runningPostgresUrl(settings.data_dir);
  const own = running ? undefined : await startPostgres(settings.data_dir);
  const url = running ?? own?.url ?? '';
  const { db, pool } = openDatabase(url, 2);
  try {
    if (to_migrate) {
      await migrate(pool, settings.environment);
      await migrateJobs(url);
    } else if ((await missingMigrations(pool)) > 0) {
      throw new SetupError(
        'This database is not at the version of this Karani yet. Run "karani migrate", or start the server.',
      );
    }
    return await work(db, settings, pool);
  } finally {
    await db.destroy();
    await own?.stop();
  }
}
