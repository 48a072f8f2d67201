import { z } from 'zod';
import { ProviderError } from '../../base/errors.ts';
import { type CloudMessage, contentOf, templateOf } from './content.ts';
import { type CloudNumber, request } from './request.ts';
import { uploadPaper } from './upload.ts';

// Longer than the ten seconds after which a connection is given up, which is another thing to know.
const timeout_ms = 15_000;

const Accepted = z.object({ messages: z.tuple([z.object({ id: z.string() })]) });

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
  const { paper } = message;
  const uploaded = paper && {
    id: await uploadPaper(number, paper, to.signal),
    filename: paper.name,
  };
  try {
    return await post(number, to, contentOf(message, uploaded));
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
  const recipient = { messaging_product: 'whatsapp', recipient_type: 'individual', to };
  const answer = await request(number, 'messages', {
    body: JSON.stringify({ ...recipient, ...content }),
    headers: { 'content-type': 'application/json' },
    signal,
  });
  const accepted = Accepted.safeParse(answer.body);
  if (accepted.success) return accepted.data.messages[0].id;
  throw new ProviderError('unknown', `http_${answer.status}`);
}
