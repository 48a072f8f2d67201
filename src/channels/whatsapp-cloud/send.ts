import { z } from 'zod';
import { ProviderError, messageOf } from '../../base/errors.ts';
import { type CloudMessage, contentOf, templateOf } from './content.ts';
import { cloudError } from './errors.ts';

/** A number on WhatsApp's Cloud API. */
export interface CloudNumber {
  base_url: string;
  graph_version: string;
  phone_number_id: string;
  access_token: string;
}

// Longer than the ten seconds after which a connection is given up, which is another thing to know.
const timeout_ms = 15_000;

const Accepted = z.object({ messages: z.tuple([z.object({ id: z.string() })]) });
const Refused = z.object({ error: z.object({ code: z.number(), message: z.string().optional() }) });

/**
 * Sends a message and returns its id; as its template where only that may be sent. Throws
 * ProviderError: `refused` will not help to repeat, `retryable` did nothing, `unknown` may have
 * been sent, as when it is told to give up.
 */
export async function sendMessage(
  number: CloudNumber,
  it: { to: string; message: CloudMessage; give_up?: AbortSignal },
): Promise<string> {
  const { message, give_up } = it;
  // For both tries together: the message is leased for little longer.
  const too_late = AbortSignal.timeout(timeout_ms);
  const to = { to: it.to, signal: give_up ? AbortSignal.any([too_late, give_up]) : too_late };
  if (message.template && message.cold) return post(number, to, templateOf(message.template));
  try {
    return await post(number, to, contentOf(message));
  } catch (error) {
    const closed = error instanceof ProviderError && error.code === '131047';
    if (!closed || !message.template) throw error;
    return post(number, to, templateOf(message.template));
  }
}

async function post(
  number: CloudNumber,
  { to, signal }: { to: string; signal: AbortSignal },
  content: Record<string, unknown>,
): Promise<string> {
  const url = `${number.base_url}/${number.graph_version}/${number.phone_number_id}/messages`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${number.access_token}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to,
        ...content,
      }),
      signal,
    });
  } catch (error) {
    throw notConnected(error)
      ? new ProviderError('retryable', 'not_reached', messageOf(error))
      : new ProviderError('unknown', 'no_answer', messageOf(error));
  }
  const body: unknown = await response.json().catch(() => undefined);
  const accepted = Accepted.safeParse(body);
  if (response.ok && accepted.success) return accepted.data.messages[0].id;
  const refused = Refused.safeParse(body);
  if (!refused.success) throw new ProviderError('unknown', `http_${response.status}`);
  const { code, message } = refused.data.error;
  throw cloudError(code, response.status, message ?? '');
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
