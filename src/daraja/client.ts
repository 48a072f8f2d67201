import { z } from 'zod';
import { ProviderError, messageOf } from '../base/errors.ts';

/** Safaricom's Daraja API for one shortcode's app. Where it is, and who we are there. */
export interface DarajaApp {
  base_url: string;
  consumer_key: string;
  consumer_secret: string;
}

/** Access tokens, wherever they are kept: asking for one ends the last, so all use the same. */
export interface Tokens {
  /** A token that is good; `refused` is one that Daraja takes no more. Throws ProviderError. */
  tokenFor: (app: DarajaApp, refused?: string) => Promise<string>;
}

const timeout_ms = 15_000;

// Documented as a number of seconds; the live API sends a string.
const Token = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().min(1) });

/** Asks for a new access token, good for `expires_in` seconds. Throws ProviderError. */
export async function askToken(app: DarajaApp): Promise<z.output<typeof Token>> {
  const url = `${app.base_url}/oauth/v1/generate?grant_type=client_credentials`;
  const basic = btoa(`${app.consumer_key}:${app.consumer_secret}`);
  const answer = await fetchJson(url, { headers: { authorization: `Basic ${basic}` } }).catch(
    (error: unknown) => {
      // Without a token nothing was asked for yet.
      if (!(error instanceof ProviderError) || error.outcome === 'refused') throw error;
      throw new ProviderError('retryable', error.code, error.message);
    },
  );
  const read = Token.safeParse(answer);
  if (!read.success) throw new ProviderError('retryable', 'no_token');
  return read.data;
}

/**
 * Posts to one of Daraja's paths and returns its answer. A token that is not taken is replaced
 * once. Throws ProviderError.
 */
export async function callDaraja(
  tokens: Tokens,
  app: DarajaApp,
  { path, body }: { path: string; body: object },
): Promise<unknown> {
  const post = (token: string) =>
    fetchJson(`${app.base_url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const token = await tokens.tokenFor(app);
  try {
    return await post(token);
  } catch (error) {
    if (!(error instanceof ProviderError) || !token_refused.has(error.code)) throw error;
    return post(await tokens.tokenFor(app, token));
  }
}

const Refused = z.object({ errorCode: z.string(), errorMessage: z.string().default('') });

// An access token that is not taken has a code of its own in each product (facts of the portal).
const token_refused = new Set(['404.001.03', '400.003.01', '401.001', '401.002.01', '401.003.01']);
const too_fast = new Set(['500.003.02', '500.003.03']);

async function fetchJson(url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeout_ms) });
  } catch (error) {
    const outcome = hasLeft(error) ? 'unknown' : 'retryable';
    throw new ProviderError(outcome, 'no_answer', messageOf(error));
  }
  const body: unknown = await response.json().catch(() => undefined);
  // Some errors come with status 200, so the body decides as well.
  const refused = Refused.safeParse(body);
  if (refused.success) throw refusal(refused.data);
  if (response.ok) return body;
  throw new ProviderError('unknown', `http_${response.status}`);
}

function refusal({ errorCode: code, errorMessage }: z.output<typeof Refused>): ProviderError {
  const outcome = (() => {
    if (token_refused.has(code) || too_fast.has(code)) return 'retryable';
    if (code.startsWith('4')) return 'refused';
    // One code for much that it refuses; without words it is a fault of the moment.
    return code === '500.001.1001' && errorMessage.trim() !== '' ? 'refused' : 'unknown';
  })();
  return new ProviderError(outcome, code, errorMessage || code);
}

const never_left = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Whether a request may have reached the other side although nothing came back. */
function hasLeft(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const causes = cause instanceof AggregateError ? cause.errors : [cause];
  return !causes.every(
    (one) => one instanceof Error && 'code' in one && never_left.has(String(one.code)),
  );
}
