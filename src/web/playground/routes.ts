import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { Hono } from 'hono';
import type { Db } from '../../base/db.ts';
import { sha256 } from '../../base/secrets.ts';
import type { Keyed } from '../../people/link.ts';
import { openFeed } from './events.ts';
import { codeOfPhone, listPeople } from './people.ts';

const folder = new URL('./static/', import.meta.url);

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

// Nothing is loaded from elsewhere and nothing is inline, so nothing else is allowed.
const headers = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

interface StaticFile {
  body: string;
  type: string;
  etag: string;
}

/**
 * The demo's playground: the page, its files, who there is, and what happens. `close` ends the open
 * streams, which a stopping server would wait for.
 */
export function playgroundRoutes({ db, keyed }: { db: Db; keyed: Keyed }): {
  routes: Hono;
  close: () => void;
} {
  const files = readStatic();
  const feed = openFeed(db);
  const routes = new Hono();

  routes.use('/playground/*', async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  });

  const serve = (name: string, if_none_match: string | undefined): Response | undefined => {
    const file = files.get(name);
    if (!file) return undefined;
    const shared = { etag: file.etag, 'cache-control': 'no-cache' };
    if (if_none_match === file.etag) return new Response(null, { status: 304, headers: shared });
    return new Response(file.body, { headers: { ...shared, 'content-type': file.type } });
  };

  routes.get('/', (c) => c.redirect('/playground'));
  routes.get('/playground', (c) => {
    return serve('index.html', c.req.header('if-none-match')) ?? c.notFound();
  });
  routes.get('/playground/', (c) => c.redirect('/playground', 301));
  routes.get('/playground/static/:name', (c) => {
    return serve(c.req.param('name'), c.req.header('if-none-match')) ?? c.notFound();
  });
  routes.get('/playground/people', async (c) => {
    c.header('cache-control', 'no-store');
    return c.json(await listPeople(db));
  });
  routes.get('/playground/code', async (c) => {
    c.header('cache-control', 'no-store');
    return c.json(await codeOfPhone(db, keyed, c.req.query('phone') ?? ''));
  });
  routes.get('/playground/events', () => feed.listen());

  return { routes, close: feed.close };
}

function readStatic(): Map<string, StaticFile> {
  return new Map(
    readdirSync(folder).flatMap((name): [string, StaticFile][] => {
      const type = types[extname(name)];
      if (!type) return [];
      const body = readFileSync(new URL(name, folder), 'utf8');
      const etag = `"${sha256(body).toString('hex').slice(0, 16)}"`;
      return [[name, { body, type, etag }]];
    }),
  );
}
