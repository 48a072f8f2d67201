import { Hono } from 'hono';
import type { Pool } from 'pg';
import { isAway, sqlState } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { listMigrations } from '../base/migrate.ts';
import { Late } from '../base/late.ts';
import { ask, shared } from './ask.ts';
import type { Metrics } from './metrics.ts';

export interface Service {
  pool: Pool;
  metrics: Metrics;
  /** Whether this process has been told to stop. */
  stopping: () => boolean;
}

/** For whoever runs the server: alive, ready, and the figures. */
export function serviceRoutes({ pool, metrics, stopping }: Service): Hono {
  const look = shared(() => missingFrom(pool), 0);
  const routes = new Hono();
  routes.get('/healthz', (c) => c.json({ alive: true }));
  routes.get('/readyz', async (c) => {
    const missing = await look();
    const why = stopping() ? 'this process is stopping' : missing;
    return why === undefined ? c.json({ ready: true }) : c.json({ ready: false, why }, 503);
  });
  routes.get('/metrics', async (c) => {
    const { text, content_type } = await metrics.read();
    return c.text(text, 200, { 'content-type': content_type });
  });
  return routes;
}

const patience_ms = 1_500;

interface Standing {
  standby: boolean;
  read_only: boolean;
  newest: number;
}

/** What the database lacks for work to be done on it; undefined when it lacks nothing. */
async function missingFrom(pool: Pool): Promise<string | undefined> {
  try {
    const wanted = await newestMigration();
    const [it] = await ask<Standing>(pool, patience_ms, {
      text: `select pg_is_in_recovery() as standby,
              current_setting('transaction_read_only')::boolean as read_only,
              (select coalesce(max(number), 0) from migrations) as newest`,
    });
    if (!it || it.standby) return 'the database is a standby, which takes no writes';
    if (it.read_only) return 'the database is read-only';
    if (it.newest < wanted) {
      return `the database is at migration ${it.newest} and this version needs ${wanted}`;
    }
    if (it.newest > wanted) {
      return `the database is at migration ${it.newest} and this version knows only ${wanted}`;
    }
    return undefined;
  } catch (error) {
    return whyNoAnswer(error);
  }
}

// Read once: files that are put beside a running process are not of its version.
let newest_migration: number | undefined;
async function newestMigration(): Promise<number> {
  newest_migration ??= (await listMigrations()).at(-1)?.number ?? 0;
  return newest_migration;
}

const no_such_table = '42P01';

function whyNoAnswer(error: unknown): string {
  if (error instanceof Late) return 'the database does not answer';
  if (sqlState(error) === no_such_table) return 'the database has not been migrated';
  if (isAway(error)) return 'the database cannot be reached';
  log.error({ error: messageOf(error) }, 'the database cannot be asked whether it is ready');
  return 'the database refuses this process';
}
