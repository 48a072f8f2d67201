import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { toGsm7 } from '../flow/gsm7.ts';
import {
  type Messages,
  messageTemplate,
  type MessageTemplate,
  plainCopy,
  renderMessage,
} from '../flow/messages.ts';
import type { House } from './house.ts';
import type { Language } from '../flow/action.ts';
import type { Choices, Paper } from '../outbox/notify.ts';
import { codeOf } from '../people/link.ts';
import { firstName } from '../people/first-name.ts';
import {
  type By,
  type Leased,
  leaseMessages,
  recordSent,
  type Sender,
  type Sent,
} from '../outbox/take.ts';

/** What leaves: words, and where they ask something, its choices. */
export interface Outgoing {
  text: string;
  choices?: Choices | undefined;
  /** The same as a template with its parameters, and whether nothing else may be sent now. */
  template?: MessageTemplate | undefined;
  cold?: boolean;
  /** A paper that goes with it. */
  paper?: Attached | undefined;
  /** The message's own name, the same each time it is tried. */
  id: string;
  /** Said to somebody who has just written, and not of ourselves. */
  is_answer: boolean;
}

/** A file that goes with words. */
export interface Attached {
  name: string;
  mime: string;
  bytes: Buffer;
}

/** Draws a paper, in the language of whoever gets it. */
export type DrawPaper = (paper: Paper, language: Language) => Promise<Attached>;

/**
 * Sends to a WhatsApp id or a number and returns the provider's id of it. Throws ProviderError;
 * what was given up is `unknown`.
 */
export type Send = (to: string, message: Outgoing, give_up: AbortSignal) => Promise<string>;

const usually_at_once = 20;
// Meanwhile others may have become due.
const look_again_ms = 500;
const record_again_ms = 2_000;

export interface Sending {
  db: Db;
  messages: Messages;
  house: Pick<House, 'values' | 'keyed' | 'sms' | 'numbers'>;
  sender: Sender;
  whatsapp: Send | undefined;
  /** Where there is an account for it. */
  sms: Send | undefined;
  /** Where papers can be sent; elsewhere the words go alone. */
  draw?: DrawPaper | undefined;
  /** How many may be under way, twenty if not said. */
  at_once?: number;
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
  const { db, sender, at_once = usually_at_once } = it;
  const { numbers } = it.house;
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
      await recordSent(db, ended.slice(0, length));
      ended.splice(0, length);
      told_of_it = false;
      const free = at_once - under_way;
      const wanted = { count: free, after, sender, numbers };
      const leased = more() && free > 0 ? await leaseMessages(db, wanted) : [];
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
  const way = wayTo(it, message);
  if (!way) return { id, attempts, by: null, outcome: 'never', error: nobodyThere(it, message) };
  const { by, to, send } = way;
  try {
    const paper = await drawn(it, message, by);
    const provider_id = await send(to, { ...outgoing(it, message, by), paper }, give_up);
    return { id, attempts, by, outcome: 'sent', provider_id };
  } catch (error) {
    const outcome = outcomeOf(error);
    const fields = { outbox_id: String(id), attempts, by, error: messageOf(error) };
    const can_go_by_sms =
      message.channel === null && message.msisdn !== null && mayBySms(it, message);
    if (outcome === 'never' && by === 'whatsapp' && can_go_by_sms) {
      return { ...fields, id, outcome: 'by_sms' };
    }
    if (outcome === 'never') log.error(fields, 'message given up');
    else if (outcome === 'unsure' && by === 'sms') log.error(fields, 'an SMS may have been sent');
    else log.warn(fields, 'message not sent yet');
    return { ...fields, id, outcome };
  }
}

// What cannot be drawn holds up no words: they say all that matters.
async function drawn(it: Sending, { id, paper, language }: Leased, by: By) {
  if (paper === null || by !== 'whatsapp') return undefined;
  return it.draw?.(paper, language).catch((error: unknown) => {
    log.error({ outbox_id: String(id), error: messageOf(error) }, 'a paper could not be drawn');
    return undefined;
  });
}

/** By which channel this message goes now: WhatsApp where the person has it, else SMS. */
function wayTo(it: Sending, message: Leased) {
  const { channel, whatsapp, msisdn } = message;
  if (channel !== 'sms' && whatsapp !== null && it.whatsapp) {
    return { by: 'whatsapp', to: whatsapp, send: it.whatsapp } as const;
  }
  if (channel !== 'whatsapp' && msisdn !== null && it.sms && mayBySms(it, message)) {
    return { by: 'sms', to: msisdn, send: it.sms } as const;
  }
  return undefined;
}

function mayBySms({ house }: Sending, { trade }: Leased): boolean {
  return house.sms && !(trade !== null && house.numbers.kept_off.sms.includes(trade));
}

function nobodyThere(it: Sending, message: Leased): string {
  const { channel, msisdn, trade } = message;
  if (channel === 'whatsapp') return 'this person has no WhatsApp address';
  if (msisdn === null) return 'this person has no number';
  if (!it.sms) return 'SMS is not set up';
  return mayBySms(it, message) ? 'this person has no address' : `${trade} is kept off SMS`;
}

function outcomeOf(error: unknown): 'later' | 'unsure' | 'never' {
  if (!(error instanceof ProviderError) || error.outcome === 'refused') return 'never';
  return error.outcome === 'retryable' ? 'later' : 'unsure';
}

function outgoing(it: Sending, message: Leased, by: By): Outgoing {
  const text = wordsOf(it, message, by);
  const { template, language, choices, warm, channel } = message;
  // What a conversation says has no template, but what it asks of itself may come at any time.
  const key = template ?? (message.question === null ? null : 'question');
  const about = { id: String(message.id), is_answer: channel === 'whatsapp' };
  if (by === 'sms') return { ...about, text: plainCopy(toGsm7(text)) };
  return {
    ...about,
    text,
    // A template's words are chosen only now.
    choices: choices && template !== null ? { ...choices, body: text } : (choices ?? undefined),
    cold: !warm,
    ...(key === null
      ? {}
      : {
          template: messageTemplate(it.messages, key, {
            values: template === null ? { words: text } : valuesOf(it, message),
            language,
            house: it.house.values,
          }),
        }),
  };
}

type Wording = Pick<Sending, 'messages' | 'house'>;
type Worded = Pick<Leased, 'template' | 'values' | 'words' | 'language' | 'name'>;

function wordsOf(it: Wording, message: Worded, by: By): string {
  const { template, language } = message;
  if (template === null) return message.words ?? '';
  return renderMessage(it.messages, template, valuesOf(it, message), language, by, it.house.values);
}

// People are greeted by the name that we know them by, before any that M-Pesa gives. A code is in
// no row: it is made here, from what it is the code of.
function valuesOf({ house }: Wording, { name, values }: Worded): Record<string, string> {
  const { code_of, ...others } = values;
  const code: Record<string, string> =
    code_of === undefined ? {} : { code: codeOf(house.keyed, code_of) };
  return { ...others, ...code, name: firstName(name ?? '') || values['name'] || '' };
}

/**
 * The words of a message that was sent a short while ago, by the provider's id of it: a phone that
 * could not read it may ask for it again. Later than that it is said no second time.
 */
export async function wordsSent(
  it: Pick<Sending, 'db'> & Wording,
  provider_id: string,
): Promise<string | undefined> {
  const { rows } = await sql<Worded>`
    select o.template, o.values, o.words, p.language, p.name
    from outbox o join people p on p.id = o.person_id
    where o.provider_id = ${provider_id} and o.sent_at > now() - interval '15 minutes'
  `.execute(it.db);
  return rows[0] && wordsOf(it, rows[0], 'whatsapp');
}
