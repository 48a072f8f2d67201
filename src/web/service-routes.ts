import { Hono } from 'hono';
import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { listMigrations } from '../base/migrate.ts';
import type { Metrics } from './metrics.ts';

/** For whoever runs the server: alive, ready, and the figures. */
export function serviceRoutes(db: Db, metrics: Metrics): Hono {
  const routes = new Hono();
  routes.get('/healthz', (c) => c.json({ alive: true }));
  routes.get('/readyz', async (c) => {
    const missing = await notReady(db);
    return missing === undefined
      ? c.json({ ready: true })
      : c.json({ ready: false, why: missing }, 503);
  });
  routes.get('/metrics', async (c) => {
    const text = await metrics.registry.metrics();
    return c.text(text, 200, { 'content-type': metrics.registry.contentType });
  });
  return routes;
}

async function notReady(db: Db): Promise<string | undefined> {
  try {
    const { rows } = await sql<{ newest: number | null }>`
      select max(number) as newest from migrations
    `.execute(db);
    const wanted = (await listMigrations()).at(-1)?.number;
    return rows[0]?.newest === wanted ? undefined : 'the database is not at this version';
  } catch {
    return 'the database cannot be reached';
  }
}
