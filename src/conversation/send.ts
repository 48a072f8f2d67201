import type { Db } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { type Messages, renderMessage } from '../flow/messages.ts';
import { firstName } from '../people/first-name.ts';
import { type Leased, leaseMessages, recordSent, type Sent } from '../outbox/take.ts';

/**
 * Sends a text to a WhatsApp id and returns the provider's id of it. Throws ProviderError; what was
 * given up is `unknown`.
 */
export type SendText = (to: string, text: string, give_up: AbortSignal) => Promise<string>;

const at_once = 20;
// Meanwhile others may have become due.
const look_again_ms = 500;
const record_again_ms = 2_000;

export interface Sending {
  db: Db;
  messages: Messages;
  house: { values: Record<string, string> };
  send: SendText;
}

/**
 * Sends what is due in the outbox, one message a person at a time, until nothing is due and nothing
 * under way, or `more` says no. Up to twenty are under way: as one ends another begins, so that a
 * slow recipient holds up nobody else; those that end together are recorded together.
 */
export async function sendOutbox(
  it: Sending,
  more: () => boolean,
  give_up: AbortSignal,
): Promise<void> {
  const ended: Sent[] = [];
  let under_way = 0;
  let after = 0n;
  let told_of_it = false;
  let oneEnded: () => void = () => undefined;

  const begin = async (message: Leased) => {
    under_way += 1;
    ended.push(await sendOne(it, message, give_up));
    under_way -= 1;
    oneEnded();
  };
  const untilOneEnds = (at_most_ms: number) =>
    new Promise<void>((done) => {
      const patience = setTimeout(done, at_most_ms);
      oneEnded = () => {
        clearTimeout(patience);
        done();
      };
    });

  for (;;) {
    try {
      const { length } = ended;
      await recordSent(it.db, ended.slice(0, length));
      ended.splice(0, length);
      told_of_it = false;
      const free = at_once - under_way;
      const leased = more() && free > 0 ? await leaseMessages(it.db, free, after) : [];
      for (const message of leased) void begin(message);
      const round_over = leased.length < free;
      const from_the_middle = after !== 0n;
      after = round_over ? 0n : (leased.at(-1)?.person_id ?? after);
      if (round_over && from_the_middle && more()) continue;
      if (under_way === 0 && ended.length === 0) return;
      if (ended.length === 0) await untilOneEnds(look_again_ms);
    } catch (error) {
      // What was sent and is not recorded is sent again, so it is not let go of.
      if (give_up.aborted || (under_way === 0 && ended.length === 0)) throw error;
      if (ended.length > 0 && !told_of_it) {
        log.warn({ error: messageOf(error), ended: ended.length }, 'sent and not recorded yet');
        told_of_it = true;
      }
      await untilOneEnds(record_again_ms);
    }
  }
}

async function sendOne(it: Sending, message: Leased, give_up: AbortSignal): Promise<Sent> {
  const { id, attempts } = message;
  if (message.whatsapp === null) {
    return { id, attempts, outcome: 'never', error: 'this person has no WhatsApp address' };
  }
  try {
    const provider_id = await it.send(message.whatsapp, wordsOf(it, message), give_up);
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
