import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from '@hono/zod-openapi';
import { isAway } from '../../base/db.ts';
import { messageOf, Refusal } from '../../base/errors.ts';
import { log } from '../../base/log.ts';

/** What can be wrong, by the name at the end of its `type`; /api/docs shows this very table. */
export const problems = {
  'not-valid': { status: 400, title: 'The request is not as it should be' },
  'not-json': { status: 400, title: 'The body is not JSON' },
  'idempotency-key-needed': { status: 400, title: 'This needs an Idempotency-Key' },
  unauthorised: { status: 401, title: 'This needs a token that is good' },
  forbidden: { status: 403, title: 'The token does not have this scope' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'Not with this method' },
  'in-progress': { status: 409, title: 'The same request is still under way' },
  'idempotency-conflict': { status: 409, title: 'Another request had this Idempotency-Key' },
  'too-large': { status: 413, title: 'More than 64 KiB' },
  'media-type': { status: 415, title: 'The body is to be application/json' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'our-mistake': { status: 500, title: 'We have a problem on our side' },
  busy: { status: 503, title: 'Not available at the moment' },
  // The business says no.
  refused: { status: 409, title: 'This cannot be done' },
  'no-such-due': { status: 422, title: 'Nothing that can be paid has this reference' },
  'not-theirs': { status: 422, title: 'This is another customer’s' },
  'no-such-customer': { status: 422, title: 'There is no such customer' },
  exists: { status: 409, title: 'A customer has this phone already' },
  'too-early': { status: 422, title: 'That day is over' },
  void: { status: 409, title: 'The invoice is void already' },
  paid: { status: 409, title: 'The invoice is paid; move its payments elsewhere first' },
  'partly-paid': {
    status: 409,
    title: 'A part of the invoice is paid; move its payments elsewhere first',
  },
  'no-phone': { status: 422, title: 'No phone of this customer is known' },
  'no-prompts': { status: 422, title: 'No shortcode is set up to ask phones for payments' },
  'too-little': { status: 422, title: 'The amount is to be whole shillings, and at least one' },
  'too-much': { status: 422, title: 'More than is left' },
  over: { status: 409, title: 'Nothing of this payment waits' },
  spent: { status: 409, title: 'Credit that it became has been used already' },
  'over-limit': { status: 422, title: 'More than M-Pesa takes at a time' },
  'same-again': {
    status: 409,
    title: 'This phone has just paid the same amount; M-Pesa takes it again after two minutes',
  },
  'asked-too-often': {
    status: 422,
    title: 'This phone was asked ten times within the hour and did not pay',
  },
  'too-long': { status: 422, title: 'More lines than one statement holds; ask for a shorter time' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemName = keyof typeof problems;

const FieldError = z
  .object({
    in: z.enum(['body', 'query', 'path', 'header']),
    field: z.string().openapi({ example: 'amount' }),
    expected: z.string().openapi({ example: 'a phone number such as 254712345678' }),
  })
  .openapi('FieldError');

/** A problem as it is told, RFC 9457. */
export const ProblemBody = z
  .object({
    type: z.string().openapi({ example: '/api/docs#problem-not-valid', format: 'uri-reference' }),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'The last part of `type`.', example: 'not-valid' }),
    detail: z.string().optional(),
    errors: z
      .array(FieldError)
      .optional()
      .openapi({ description: 'What is wrong, field by field.' }),
  })
  .openapi('Problem');

export type FieldFault = z.infer<typeof FieldError>;

interface More {
  detail?: string | undefined;
  errors?: FieldFault[];
  headers?: Record<string, string>;
}

/** Ends a request with a problem. */
export class Problem extends Error {
  readonly problem: ProblemName;
  readonly more: More;

  constructor(problem: ProblemName, more: More = {}) {
    super(problem);
    this.name = 'Problem';
    this.problem = problem;
    this.more = more;
  }
}

/** A field that is not as it should be. */
export function wrongField(where: FieldFault['in'], field: string, expected: string): Problem {
  return new Problem('not-valid', { errors: [{ in: where, field, expected }] });
}

/** Refusals whose problem has another name than theirs. */
const refusals: Readonly<Record<string, ProblemName>> = { unknown: 'no-such-due' };

function isProblemName(text: string): text is ProblemName {
  return Object.hasOwn(problems, text);
}

/** What the business said no with. A refusal that has no line above keeps its code. */
export function problemOfRefusal({ code, message }: Refusal): Problem {
  const name = refusals[code] ?? code.replaceAll('_', '-');
  if (isProblemName(name)) return new Problem(name);
  return new Problem('refused', { detail: message });
}

/** The text of an answer, and how it is sent. */
export interface Told {
  status: number;
  body: string;
  headers: Record<string, string>;
}

export function tellProblem({ problem, more }: Problem): Told {
  const { status, title } = problems[problem];
  const { headers, ...rest } = more;
  const body = { type: `/api/docs#problem-${problem}`, title, status, code: problem, ...rest };
  return {
    status,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/problem+json', ...headers },
  };
}

/** The one place where what was thrown becomes an answer of the API. */
export function answerProblem(error: unknown, c: Context): Response {
  const { status, body, headers } = tellProblem(problemOf(error, c));
  return c.body(body, status as 400, { 'cache-control': 'no-store', ...headers });
}

function problemOf(error: unknown, c: Context): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Refusal) return problemOfRefusal(error);
  if (error instanceof HTTPException && error.status === 415) return new Problem('media-type');
  if (error instanceof HTTPException && error.status === 400) return new Problem('not-json');
  const away = isAway(error);
  const hung_up = c.req.raw.signal.aborted;
  const status = away ? 503 : 500;
  log[hung_up ? 'info' : 'error'](
    { error: messageOf(error), status, hung_up },
    'a request of the API failed',
  );
  return away
    ? new Problem('busy', { headers: { 'retry-after': '5', connection: 'close' } })
    : new Problem('our-mistake');
}

const places = { json: 'body', query: 'query', param: 'path', header: 'header' } as const;

/** What a schema says about a request, field by field. */
export function problemOfZod(target: string, error: z.core.$ZodError): Problem {
  const place = places[target as keyof typeof places] ?? 'body';
  const errors = error.issues.flatMap((issue): FieldFault[] => {
    const path = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys') {
      return [{ in: place, field: path.join('.'), expected: issue.message }];
    }
    return issue.keys.map((key) => ({
      in: place,
      field: [...path, key].join('.'),
      expected: 'nothing: there is no such field here',
    }));
  });
  const no_key = place === 'header' && errors.some((it) => it.field === 'Idempotency-Key');
  return new Problem(no_key ? 'idempotency-key-needed' : 'not-valid', { errors });
}
