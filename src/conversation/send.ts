import type { Db } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { type Messages, renderMessage } from '../flow/messages.ts';
import { type Leased, leaseMessages, recordSent, type Sent } from '../outbox/take.ts';

/** Sends a text to a WhatsApp id; returns the provider's id of it, or throws ProviderError. */
export type SendText = (to: string, text: string) => Promise<string>;

const at_once = 20;

/** Sends what is due in the outbox, one message a person at a time, until nothing is. */
export async function sendOutbox(
  db: Db,
  messages: Messages,
  house_values: Record<string, string>,
  send: SendText,
): Promise<void> {
  for (;;) {
    const leased = await leaseMessages(db, at_once);
    if (leased.length === 0) return;
    const results = await Promise.all(
      leased.map((message) => sendOne(message, messages, house_values, send)),
    );
    await recordSent(db, results);
  }
}

async function sendOne(
  message: Leased,
  messages: Messages,
  house_values: Record<string, string>,
  send: SendText,
): Promise<Sent> {
  const { id } = message;
  if (message.whatsapp === null) {
    return { id, outcome: 'never', error: 'this person has no WhatsApp address' };
  }
  try {
    const text = wordsOf(message, messages, house_values);
    return { id, outcome: 'sent', provider_id: await send(message.whatsapp, text) };
  } catch (error) {
    const final = !(error instanceof ProviderError) || error.outcome === 'refused';
    const fields = { outbox_id: String(id), attempts: message.attempts, error: messageOf(error) };
    log[final ? 'error' : 'warn'](fields, final ? 'message given up' : 'message not sent yet');
    return { id, outcome: final ? 'never' : 'later', error: messageOf(error) };
  }
}

function wordsOf(
  message: Leased,
  messages: Messages,
  house_values: Record<string, string>,
): string {
  if (message.template === null) return message.words ?? '';
  const { template, values, language } = message;
  return renderMessage(messages, template, values, language, 'whatsapp', house_values);
}
