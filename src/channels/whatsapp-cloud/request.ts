import { z } from 'zod';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { cloudError } from './errors.ts';

/** A number on WhatsApp's Cloud API. */
export interface CloudNumber {
  base_url: string;
  graph_version: string;
  phone_number_id: string;
  access_token: string;
}

const Refused = z.object({ error: z.object({ code: z.number(), message: z.string().optional() }) });

/**
 * Posts to one of the number's addresses. Throws ProviderError unless it was taken: `retryable`
 * when nobody was reached, `unknown` when nobody answered or the answer cannot be read.
 */
export async function request(
  number: CloudNumber,
  what: 'messages' | 'media',
  it: { body: string | FormData; headers?: Record<string, string>; signal: AbortSignal },
): Promise<{ status: number; body: unknown }> {
  const url = `${number.base_url}/${number.graph_version}/${number.phone_number_id}/${what}`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${number.access_token}`, ...it.headers },
      body: it.body,
      signal: it.signal,
    });
  } catch (error) {
    throw notConnected(error)
      ? new ProviderError('retryable', 'not_reached', messageOf(error))
      : new ProviderError('unknown', 'no_answer', messageOf(error));
  }
  const { status } = response;
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return { status, body };
  const refused = Refused.safeParse(body);
  if (!refused.success) throw new ProviderError('unknown', `http_${status}`);
  const { code, message } = refused.data.error;
  throw cloudError(code, status, message ?? '');
}

// Nothing was sent when nobody was reached; fetch hides that one level down, or two when it tried
// several addresses of one name.
function notConnected(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError) return cause.errors.every(neverConnected);
  return neverConnected(cause);
}

function neverConnected(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const syscall = 'syscall' in cause ? String(cause.syscall) : '';
  const code = 'code' in cause ? String(cause.code) : '';
  return ['connect', 'getaddrinfo'].includes(syscall) || code === 'UND_ERR_CONNECT_TIMEOUT';
}
