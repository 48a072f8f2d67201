import { createAdaptorServer } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Server } from 'node:http';
import { networkList } from './base/config.ts';
import { type Database, isAway } from './base/db.ts';
import { messageOf, SetupError } from './base/errors.ts';
import { log } from './base/log.ts';
import { isOneOf } from './base/secrets.ts';
import { isAmong, sourceAddress } from './base/source-address.ts';
import { conversationHooks } from './conversation/routes.ts';
import type { House } from './conversation/turn.ts';
import { keeper } from './inbox/keep.ts';
import { paymentHooks } from './payments/routes.ts';
import type { Settings } from './settings.ts';
import { makeMetrics, type Metrics } from './web/metrics.ts';
import { serviceRoutes } from './web/service-routes.ts';

const most_bytes = 64 * 1024;

/** Puts the doors of every folder together. */
export function buildServer(settings: Settings, { db, pool }: Database, house: House): Hono {
  const app = new Hono();
  const metrics = makeMetrics(db);
  const sourceOf = sourceReader(settings);

  app.use('/hooks/*', counted(metrics));
  app.use('/hooks/:secret/*', guarded(settings));
  app.use('/hooks/:secret/*', limited());
  app.route('/hooks/:secret', paymentHooks({ db, keep: keeper(pool, 'drain_payments'), sourceOf }));
  app.route(
    '/hooks/:secret',
    conversationHooks({
      db,
      keep: keeper(pool, 'take_turns'),
      house,
      app_secrets: settings.whatsapp.app_secrets,
      verify_token: settings.whatsapp.verify_token,
      key: settings.secret,
      sourceOf,
    }),
  );
  app.route('/', serviceRoutes(db, metrics));
  app.notFound((c) => c.text('Not found', 404));
  app.onError(answerError);
  return app;
}

/** Which provider calls an address: the first word after the secret. */
const callers = new Map<string, keyof Settings['hooks']>([
  ['c2b', 'daraja'],
  ['whatsapp', 'whatsapp'],
  ['ussd', 'ussd'],
]);

// A wrong secret is answered like any address that is not there.
function guarded(settings: Settings): MiddlewareHandler {
  return async (c, next) => {
    const [, , secret = '', door = ''] = c.req.path.split('/');
    const caller = callers.get(door);
    if (!caller || !isOneOf(settings.hooks[caller], secret)) return c.notFound();
    await next();
  };
}

function counted(metrics: Metrics): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const door = c.req.path.split('/')[3] ?? '';
    const known = c.res.status !== 404 && callers.has(door);
    metrics.answered(known ? door : 'unknown', c.res.status);
  };
}

// A body that says how long it is cannot be longer: Node reads no more. Only one that does not say
// is counted as it comes, which costs more than all the rest of a callback's answer.
function limited(): MiddlewareHandler {
  // What is left of it is not read, so the connection is of no more use.
  const tooLong = (c: Context) => c.text('More than 64 KiB', 413, { connection: 'close' });
  const counting = bodyLimit({ maxSize: most_bytes, onError: tooLong });
  return async (c, next) => {
    const length = c.req.header('content-length');
    if (length === undefined || c.req.header('transfer-encoding')) return counting(c, next);
    return Number(length) > most_bytes ? tooLong(c) : next();
  };
}

function sourceReader(settings: Settings) {
  const proxies = networkList(settings.trusted_proxies);
  const daraja = networkList(settings.allowed_sources.daraja);
  const anybody = settings.allowed_sources.daraja.length === 0;
  return (c: Context) => {
    const from_ip = sourceAddress(
      getConnInfo(c).remote.address,
      c.req.header('x-forwarded-for'),
      proxies,
    );
    return { from_ip, allowed: anybody || (from_ip !== null && isAmong(from_ip, daraja)) };
  };
}

/** The one place where what was thrown becomes an answer; nobody is shown what it was. */
function answerError(error: Error, c: Context): Response {
  const away = isAway(error);
  // Whoever has hung up failed by themselves, and nobody hears an answer.
  const hung_up = c.req.raw.signal.aborted && !away;
  log[hung_up ? 'info' : 'error'](
    { error: messageOf(error), status: away ? 503 : 500, hung_up },
    'a request failed',
  );
  return away
    ? c.text('Not available at the moment, please try again', 503, { 'retry-after': '5' })
    : c.text('We have a problem on our side', 500);
}

export interface Listening {
  url: string;
  stop: () => Promise<void>;
}

const slowest_request_ms = 15_000;

/** Listens; `url` is where this machine reaches it. Throws SetupError when the port is taken. */
export async function listen(app: Hono, host: string, port: number): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: { requestTimeout: slowest_request_ms, headersTimeout: slowest_request_ms },
  }) as Server;
  await new Promise<void>((done, failed) => {
    server.once('error', (error) => failed(cannotListen(error, host, port)));
    server.listen(port, host, done);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return {
    url: `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${bound}`,
    stop: () => stopServer(server),
  };
}

function cannotListen(error: Error, host: string, port: number): SetupError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new SetupError(`Port ${port} is in use. Stop what uses it, or set PORT to another one.`);
  }
  if (code === 'EACCES') {
    return new SetupError(`Port ${port} needs more rights. Set PORT to one above 1023.`);
  }
  return new SetupError(
    `Karani cannot listen on ${host}:${port} (${error.message}). Check HOST and PORT.`,
  );
}

// No new requests; those under way are answered, and what keeps a connection open for nothing is
// closed.
async function stopServer(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), 5_000);
  await closed;
  clearTimeout(patience);
}
