import { getConnInfo } from '@hono/node-server/conninfo';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Pool } from 'pg';
import { networkList } from './base/config.ts';
import { Busy, type Database, isAway } from './base/db.ts';
import { messageOf } from './base/errors.ts';
import { log, tally } from './base/log.ts';
import { Late, within } from './base/late.ts';
import { isOneOf } from './base/secrets.ts';
import { isAmong, sourceAddress } from './base/source-address.ts';
import { accepted_validation } from './daraja/payloads.ts';
import { africasTalking } from './channels/ussd/africas-talking.ts';
import { conversationHooks, ussdSorry } from './conversation/routes.ts';
import type { House } from './conversation/house.ts';
import { keeper } from './inbox/keep.ts';
import { paymentHooks } from './payments/routes.ts';
import { dues } from './registry.ts';
import { limitsOf, type Settings } from './settings.ts';
import { apiRoutes } from './web/api/routes.ts';
import { linkedRoutes } from './web/linked/routes.ts';
import { makeMetrics, type Metrics } from './web/metrics.ts';
import { serviceRoutes } from './web/service-routes.ts';

const most_bytes = 64 * 1024;

/** Puts the doors of every folder together. Once `stopping` is aborted it is not ready any more. */
export function buildServer(it: {
  settings: Settings;
  database: Database;
  house: House;
  stopping?: AbortSignal | undefined;
}): Hono {
  const { settings, house, stopping } = it;
  const { db, pool } = it.database;
  const app = new Hono();
  const metrics = makeMetrics(pool);
  const sourceOf = sourceReader(settings);

  app.use('/hooks/*', counted(metrics));
  app.use('/hooks/:secret/*', guarded(settings));
  app.use('/hooks/:secret/*', unhurried(pool));
  app.use('/hooks/:secret/*', limited());
  const rules = {
    dues,
    limits: limitsOf(settings),
    refuse_unknown_accounts: settings.unknown_accounts === 'refuse',
  };
  const keep = keeper(pool, 'drain_payments');
  app.route('/hooks/:secret', paymentHooks({ db, keep, rules, sourceOf }));
  app.route(
    '/hooks/:secret',
    conversationHooks({
      db,
      keep: keeper(pool, 'take_turns'),
      keep_report: keeper(pool, 'take_reports'),
      house,
      app_secrets: settings.whatsapp?.app_secrets ?? [],
      verify_token: settings.whatsapp?.verify_token,
      key: settings.secret,
      ussd_deadline_ms: 6_000,
      gateways: new Map([['ussd', africasTalking]]),
      sourceOf,
    }),
  );
  if (settings.whatsapp_linked) {
    const { number } = settings.whatsapp_linked;
    app.route('/', linkedRoutes({ db, secret: settings.secret, number }));
  }
  app.route(
    '/api',
    apiRoutes({
      db,
      dues,
      digest_above_per_minute: settings.alerts.digest_above_per_minute,
      asksFrom: () => house.asks_from,
      sourceOf,
      unhurried: unhurried(pool),
      answered: metrics.apiAnswered,
    }),
  );
  const isStopping = () => stopping?.aborted ?? false;
  app.route('/', serviceRoutes({ pool, metrics, stopping: isStopping }));
  app.notFound((c) => c.text('Not found', 404));
  app.onError(answerError);
  return app;
}

/** Which provider calls an address: the first word after the secret. */
const callers = new Map<string, keyof Settings['hooks']>([
  ['c2b', 'daraja'],
  ['stk', 'daraja'],
  ['status', 'daraja'],
  ['whatsapp', 'whatsapp'],
  ['ussd', 'ussd'],
  ['sms', 'sms'],
]);

// A second gateway of USSD is at /ussd-NAME.
function callerAt(door: string): keyof Settings['hooks'] | undefined {
  return callers.get(door.replace(/^ussd-\w+$/, 'ussd'));
}

const wrongSecret = tally('callbacks came with a wrong secret');

// A wrong secret is answered like any address that is not there.
function guarded(settings: Settings): MiddlewareHandler {
  return async (c, next) => {
    const [, , secret = '', door = ''] = c.req.path.split('/');
    const caller = callerAt(door);
    if (caller && isOneOf(settings.hooks[caller], secret)) return next();
    if (caller) wrongSecret();
    return c.notFound();
  };
}

function counted(metrics: Metrics): MiddlewareHandler {
  return async (c, next) => {
    const since = performance.now();
    metrics.arrived();
    await next();
    const door = c.req.path.split('/')[3] ?? '';
    const known = c.res.status !== 404 && callerAt(door) !== undefined;
    const seconds = (performance.now() - since) / 1_000;
    metrics.answered(known ? door : 'unknown', c.res.status, seconds);
  };
}

// Some 60,000 callbacks of the usual length, or 500 of the longest.
const most_bytes_under_way = 32 * 1024 * 1024;
const most_queued = 200;
const longest_answer_ms = 5_000;
// The gateway waits for ten seconds; after six the phone is told that the answer comes by SMS.
const longest_ussd_ms = 9_000;

// Never answers an error: what cannot be judged is accepted.
const isValidation = (c: Context) => c.req.path.endsWith('/c2b/validation');

// What cannot be answered soon is refused at once, before its body is read: so little memory is
// held, and who called hears it while they still listen. What takes too long is answered too; it
// counts as under way until it has really ended.
function unhurried(pool: Pool): MiddlewareHandler {
  let bytes_under_way = 0;
  return async (c, next) => {
    if (isValidation(c)) {
      return pool.waitingCount > most_queued ? c.json(accepted_validation) : next();
    }
    const bytes = longestBody(c);
    if (bytes_under_way + bytes > most_bytes_under_way || pool.waitingCount > most_queued) {
      throw new Busy();
    }
    bytes_under_way += bytes;
    const answering = next().finally(() => {
      bytes_under_way -= bytes;
    });
    await within(isUssd(c) ? longest_ussd_ms : longest_answer_ms, answering).catch(
      (error: unknown) => {
        throw error instanceof Late ? new Busy() : error;
      },
    );
  };
}

// Any answer but 200 and a sentence ends the session with the network's own error.
const isUssd = (c: Context) => /\/ussd(-\w+)?$/.test(c.req.path);

function longestBody(c: Context): number {
  const length = Number(c.req.header('content-length'));
  return length >= 0 && length < most_bytes ? length : most_bytes;
}

// A body that says how long it is cannot be longer: Node reads no more. Only one that does not say
// is counted as it comes, which costs more than all the rest of a callback's answer.
function limited(): MiddlewareHandler {
  // What is left of it is not read, so the connection is of no more use.
  const tooLong = (c: Context) => {
    c.header('connection', 'close');
    return isUssd(c) ? ussdSorry(c) : c.text('More than 64 KiB', 413);
  };
  const counting = bodyLimit({ maxSize: most_bytes, onError: tooLong });
  return async (c, next) => {
    if (isValidation(c)) return next();
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

const refusedAsBusy = tally('more came than could be answered');

/** The one place where what was thrown becomes an answer; nobody is shown what it was. */
function answerError(error: Error, c: Context): Response {
  const away = isAway(error);
  if (error instanceof Busy) refusedAsBusy();
  else {
    // Whoever has hung up failed by themselves, and nobody hears an answer; that the rest of a body
    // does not come has the code of a database that is away.
    const hung_up = c.req.raw.signal.aborted;
    log[hung_up ? 'info' : 'error'](
      { error: messageOf(error), status: away ? 503 : 500, hung_up },
      'a request failed',
    );
  }
  if (isUssd(c)) return ussdSorry(c);
  // What is left of a body is not read.
  return away
    ? c.text('Not available at the moment, please try again', 503, {
        'retry-after': '5',
        connection: 'close',
      })
    : c.text('We have a problem on our side', 500);
}
