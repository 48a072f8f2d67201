import type { Db } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { type Messages, renderMessage } from '../flow/messages.ts';
import { firstName } from '../people/first-name.ts';
import { type Leased, leaseMessages, recordSent, type Sent } from '../outbox/take.ts';

/** Sends a text to a WhatsApp id; returns the provider's id of it, or throws ProviderError. */
export type SendText = (to: string, text: string) => Promise<string>;

const at_once = 20;

export interface Sending {
  db: Db;
  messages: Messages;
  house: { values: Record<string, string> };
  send: SendText;
}

/**
 * Sends what is due in the outbox, one message a person at a time, until nothing is or `more` says
 * no.
 */
export async function sendOutbox(it: Sending, more: () => boolean): Promise<void> {
  let after = 0n;
  while (more()) {
    const leased = await leaseMessages(it.db, at_once, after);
    if (leased.length === 0 && after === 0n) return;
    after = leased.at(-1)?.person_id ?? 0n;
    await recordSent(it.db, await Promise.all(leased.map((message) => sendOne(it, message))));
  }
}

async function sendOne(it: Sending, message: Leased): Promise<Sent> {
  const { id, attempts } = message;
  if (message.whatsapp === null) {
    return { id, attempts, outcome: 'never', error: 'this person has no WhatsApp address' };
  }
  try {
    const provider_id = await it.send(message.whatsapp, wordsOf(it, message));
    return { id, attempts, outcome: 'sent', provider_id };
  } catch (error) {
    const outcome = outcomeOf(error);
    const fields = { outbox_id: String(id), attempts, error: messageOf(error) };
    if (outcome === 'never') log.error(fields, 'message given up');
    else log.warn(fields, 'message not sent yet');
    return { id, attempts, outcome, error: messageOf(error) };
  }
}

function outcomeOf(error: unknown): 'later' | 'unsure' | 'never' {
  if (!(error instanceof ProviderError) || error.outcome === 'refused') return 'never';
  return error.outcome === 'retryable' ? 'later' : 'unsure';
}

function wordsOf({ messages, house }: Sending, message: Leased): string {
  if (message.template === null) return message.words ?? '';
  const { template, language } = message;
  // People are greeted by the name that we know them by, before any that M-Pesa gives.
  const name = firstName(message.name ?? '') || message.values['name'] || '';
  const values = { ...message.values, name };
  return renderMessage(messages, template, values, language, 'whatsapp', house.values);
}
