import type { Context, MiddlewareHandler } from 'hono';
import { OpenAPIHono } from '@hono/zod-openapi';
import { routePath } from 'hono/route';
import { sql } from 'kysely';
import type { Db } from '../../base/db.ts';
import { log, tally } from '../../base/log.ts';
import { type Rate, takingOne } from '../../base/rates.ts';
import type { Dues } from '../../payments/due.ts';
import { Problem, problemOfZod, ProblemBody } from './problems.ts';
import { makeLimiter } from './rate.ts';
import type { Scope } from './scopes.ts';
import { findToken, type Token } from './tokens.ts';

/** What the API is made of. */
export interface ApiParts {
  db: Db;
  /** What money can pay. */
  dues: readonly Dues[];
  /** Above how many payments a minute the admins are told of them all at once. */
  digest_above_per_minute: number;
  /** Our shortcode that asks phones for payments, where one may. */
  asksFrom: () => string | undefined;
  sourceOf: (c: Context) => { from_ip: string | null };
  /** Refuses what cannot be answered soon. */
  unhurried: MiddlewareHandler;
  /** The time by which limits fill up again, in milliseconds; the process's own if not said. */
  now?: () => number;
  /** Counts an answer by route, "GET /api/payments", and how long it took. */
  answered: (route: string, status: number, seconds: number) => void;
}

/** Lets a request in whose token has the scope, or throws the problem. */
type Admit = (c: Context<ApiEnv>, scope: Scope | null) => Promise<Token>;

export interface ApiEnv {
  Variables: { admit: Admit; token: Token; route: string };
}

export type Api = OpenAPIHono<ApiEnv>;

/** A new app whose schemas answer with problems. */
export function newApi(): Api {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw problemOfZod(result.target, result.error);
    },
  });
}

// A token, whoever has it, in all processes together.
const of_token: Rate = { at_once: 300, a_second: 20 };
// In each process, before the database is asked: an address, whatever tokens it has; and an address
// that tries what is no token.
const of_address: Rate = { at_once: 600, a_second: 40 };
const of_strangers: Rate = { at_once: 30, a_second: 0.5 };

/** Who is let in, and how often. */
export function makeAdmission({
  db,
  sourceOf,
  now,
}: Pick<ApiParts, 'db' | 'sourceOf' | 'now'>): Admit {
  const addresses = makeLimiter(of_address, now);
  const strangers = makeLimiter(of_strangers, now);
  const tooOften = tally('requests of the API came too often');

  function notTooOften(wait_s: number | undefined): void {
    if (wait_s === undefined) return;
    tooOften();
    throw new Problem('too-many-requests', { headers: { 'retry-after': String(wait_s) } });
  }

  return async (c, scope) => {
    const { from_ip } = sourceOf(c);
    const source = from_ip ?? 'unknown';
    notTooOften(strangers.look(source));
    notTooOften(addresses.take(source));
    const given = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    const token = given === undefined ? undefined : await findToken(db, given);
    if (!token) {
      strangers.take(source);
      log.warn({ from_ip, status: 401 }, 'a request of the API had no good token');
      const error = given === undefined ? '' : ', error="invalid_token"';
      throw new Problem('unauthorised', {
        headers: { 'www-authenticate': `Bearer realm="karani"${error}` },
      });
    }
    notTooOften(await tokenWaits(db, token));
    if (scope === null || token.scopes.includes(scope)) return token;
    log.warn(
      { from_ip, status: 403, token_id: String(token.id), scope },
      'a request of the API was beyond its token',
    );
    throw new Problem('forbidden', {
      detail: `This needs the scope ${scope}.`,
      headers: {
        'www-authenticate': `Bearer realm="karani", error="insufficient_scope", scope="${scope}"`,
      },
    });
  };
}

async function tokenWaits(db: Db, { id }: Token): Promise<number | undefined> {
  const { rows } = await takingOne(sql`select ${`token:${id}`}`, of_token).execute(db);
  return rows[0]?.refusals ? rows[0].wait_s : undefined;
}

/** What a route says of who may use it: a token with this scope. */
export function needs(scope: Scope) {
  const middleware: MiddlewareHandler<ApiEnv> = async (c, next) => {
    c.set('route', `${c.req.method} ${routePath(c)}`);
    c.set('token', await c.var.admit(c, scope));
    await next();
  };
  return { security: [{ token: [scope] as string[] }], middleware };
}

const problem = (description: string) =>
  ({
    description,
    content: { 'application/problem+json': { schema: ProblemBody } },
  }) as const;

/** What any route may answer besides what it is for. */
export const no_answer = {
  400: problem('A field is not as it should be; `errors` names each.'),
  401: problem('No token, or none that is good.'),
  403: problem('The token lacks the scope.'),
  429: problem('Too many requests; `Retry-After` says in how many seconds to try again.'),
  503: problem('Not available at the moment; nothing was done. Try again.'),
} as const;

/** The same of a route to one thing. */
export const not_there = { 404: problem('There is no such thing.') } as const;

/** The same of a route that does something once. */
export const not_done = {
  409: problem('The key was used for another request, or the business says no.'),
  413: problem('More than 64 KiB.'),
  415: problem('The body is not application/json.'),
  422: problem('The business says no: `code` says why.'),
} as const;

/** An answer in JSON. */
export const json = <Schema>(schema: Schema, description: string) =>
  ({ description, content: { 'application/json': { schema } } }) as const;
