import { type Context, Hono } from 'hono';
import { clock } from '../base/clock.ts';
import { type Db, inTransaction, isAway } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { within } from '../base/late.ts';
import { log } from '../base/log.ts';
import { accepted, accepted_validation } from '../daraja/payloads.ts';
import { type Keep, keepRejected } from '../inbox/keep.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import {
  type Read,
  readConfirmation,
  readStatusResult,
  readStkCallback,
  readTimeout,
  withoutCredential,
} from './read-callback.ts';
import { refusalOf, type Refused, type Rules } from './validate.ts';

export interface PaymentDoors {
  db: Db;
  keep: Keep;
  /** What a payment is refused for before it is made. */
  rules: Rules;
  /** Where the request came from, and whether Daraja's calls may come from there. */
  sourceOf: (c: Context) => { from_ip: string | null; allowed: boolean };
}

// Of the eight seconds that M-Pesa waits.
const longest_judging_ms = 3_000;
const longest_validation_bytes = 16 * 1024;

/** Daraja's callbacks about money in, under /hooks/{secret}. */
export function paymentHooks({ db, keep, rules, sourceOf }: PaymentDoors): Hono {
  const routes = new Hono();

  // Keep the body as it came and say yes; understanding it is a job's work. A yes means: committed.
  const door =
    <T>(
      source: string,
      read: (bytes: Uint8Array) => Read<T>,
      subjectOf: (it: T, c: Context) => string | null,
    ) =>
    async (c: Context) => {
      const { from_ip, allowed } = sourceOf(c);
      const given = Buffer.from(await c.req.arrayBuffer());
      const bytes = source === 'status_timeout' ? withoutCredential(given) : given;
      const no = { source, body: bytes, from_ip };
      if (!allowed) {
        await reject(db, allowed, { ...no, reason: 'not an allowed address' });
        return c.notFound();
      }
      const it = read(bytes);
      if ('fault' in it) {
        await reject(db, allowed, { ...no, reason: it.fault });
        return c.json({ ResultCode: 1, ResultDesc: `Rejected: ${it.fault}` }, 400);
      }
      await keep({ source, subject: subjectOf(it.value, c), body: it.body, from_ip });
      return c.json(accepted);
    };

  routes.post(
    '/c2b/confirmation',
    door('c2b_confirmation', readConfirmation, (it) => it.receipt),
  );

  // The address ends in the prompt's own token, by which it is found whatever else was lost.
  const stk = door(
    'stk_callback',
    readStkCallback,
    (it, c) => c.req.param('token') ?? it.checkout_id,
  );
  routes.post('/stk/:token', stk);
  routes.post('/stk', stk);

  // The answers to our questions end in each question's token. That one was given up says nothing:
  // it is asked again.
  const token = (_: object, c: Context) => c.req.param('token') ?? null;
  routes.post('/status/result/:token', door('status_result', readStatusResult, token));
  routes.post('/status/timeout/:token', door('status_timeout', readTimeout, token));

  // Asked before a payment where Safaricom has switched that on, and answered at once. What cannot
  // be judged is accepted: what breaks a rule is recorded and flagged when its confirmation comes.
  routes.post('/c2b/validation', async (c) => {
    const code = await within(longest_judging_ms, judge(c)).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'a payment could not be judged, and is accepted');
      return undefined;
    });
    return c.json(
      code === undefined ? accepted_validation : { ResultCode: code, ResultDesc: 'Rejected' },
    );
  });

  async function judge(c: Context): Promise<Refused | undefined> {
    // One that does not say how long it is, or is long, is none of M-Pesa's.
    const length = Number(c.req.header('content-length') ?? Infinity);
    if (length > longest_validation_bytes) return undefined;
    const read = readConfirmation(Buffer.from(await c.req.arrayBuffer()));
    return 'fault' in read ? undefined : refusalOf(db, rules, read.value);
  }

  return routes;
}

const alert_every_ms = 10 * 60 * 1000;

// Kept, since money may have moved; when it came from where Daraja's calls may come from, the
// admins are told, once in ten minutes however many there are.
async function reject(
  db: Db,
  allowed: boolean,
  it: { source: string; reason: string; body: Buffer; from_ip: string | null },
): Promise<void> {
  try {
    const fresh = await keepRejected(db, it);
    log.warn(
      { source: it.source, reason: it.reason, from_ip: it.from_ip },
      'callback not understood',
    );
    if (!fresh || !allowed) return;
    const period = Math.floor(clock.now().getTime() / alert_every_ms);
    await inTransaction(db, (tx) =>
      tellAdmins(tx, {
        key: `rejected:${period}`,
        template: 'callback_rejected',
        values: { source: it.from_ip ?? '-' },
      }),
    );
  } catch (error) {
    // What is wrong with it was the sender's; that we could not keep it is ours.
    if (isAway(error)) throw error;
    log.error({ source: it.source, error: messageOf(error) }, 'a rejected callback was not kept');
  }
}
