import { type Context, Hono } from 'hono';
import { clock } from '../../base/clock.ts';
import type { Db } from '../../base/db.ts';
import { isOneOf, keyedHash } from '../../base/secrets.ts';
import { deviceStanding, linkedSeal, wantLink } from '../../conversation/linked-device.ts';
import { linkedPage } from './page.ts';

const hour_ms = 3_600_000;

// Its own style is the only thing that the page may load.
const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

const tokenOf = (secret: string, hour: number) =>
  keyedHash(secret, 'linked-page', String(hour)).slice(0, 40);

const thisHour = () => Math.floor(clock.now().getTime() / hour_ms);

/** Where the page is for an hour, at least; only who has the installation's key can know it. */
export function linkedPagePath(secret: string): string {
  return `/linked/${tokenOf(secret, thisHour())}`;
}

/** The page on which the number is linked: what is to be scanned or typed, and how it stands. */
export function linkedRoutes(it: { db: Db; secret: string; number: string }): Hono {
  const { db, secret, number } = it;
  const seal = linkedSeal(secret);
  const routes = new Hono();

  routes.use('/linked/*', async (c, next) => {
    const [, , token = ''] = c.req.path.split('/');
    const hour = thisHour();
    if (!isOneOf([tokenOf(secret, hour), tokenOf(secret, hour - 1)], token)) return c.notFound();
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  });
  routes.get('/linked/:token', async (c) =>
    c.html(linkedPage({ number, language: languageOf(c), ...(await deviceStanding(db, seal)) })),
  );
  routes.post('/linked/:token', async (c) => {
    const { way } = await c.req.parseBody();
    await wantLink(db, way === 'code');
    return c.redirect(c.req.path, 303);
  });
  return routes;
}

function languageOf(c: Context): 'en' | 'sw' {
  return /^sw\b/i.test(c.req.header('accept-language') ?? '') ? 'sw' : 'en';
}
