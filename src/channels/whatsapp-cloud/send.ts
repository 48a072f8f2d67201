import { z } from 'zod';
import { ProviderError, messageOf } from '../../base/errors.ts';

/** A number on WhatsApp's Cloud API. */
export interface CloudNumber {
  base_url: string;
  graph_version: string;
  phone_number_id: string;
  access_token: string;
}

const timeout_ms = 10_000;
const most_characters = 4_096;

const Accepted = z.object({ messages: z.tuple([z.object({ id: z.string() })]) });
const Refused = z.object({ error: z.object({ code: z.number(), message: z.string().optional() }) });

// What is worth another try: limits on how fast we write, and Meta's own maintenance.
const retryable_codes = new Set([1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057]);

/**
 * Sends a text and returns the message's id. Throws ProviderError: `refused` will not help to
 * repeat, `retryable` did nothing, `unknown` may have been sent.
 */
export async function sendText(number: CloudNumber, to: string, text: string): Promise<string> {
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
        type: 'text',
        text: { body: text.slice(0, most_characters) },
      }),
      signal: AbortSignal.timeout(timeout_ms),
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
  const outcome = retryable_codes.has(code) || response.status >= 500 ? 'retryable' : 'refused';
  throw new ProviderError(outcome, String(code), `${code} ${message ?? ''}`.trim());
}

// Nothing was sent when there was nobody to send it to; fetch hides that one level down.
function notConnected(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code);
}
