import { randomInt } from 'node:crypto';
import { clock } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { strikes } from './faults.ts';
import { names } from './parties.ts';
import { wamidFor } from './receipts.ts';
import type { ChatMessage, Truth } from './truth.ts';
import type { Webhooks } from './webhooks.ts';

/** The business's number at Meta, where none was given. */
export const default_phone_number_id = '100000000600000';

const most_media = 200;
const account_id = '100000000600001';
const display_phone_number = '254700600000';

/** A person's words, or the id of a choice that they tap; `answers` is the message below which. */
export interface Written {
  from: string;
  text?: string | undefined;
  tap?: string | undefined;
  answers?: string | undefined;
}

export interface WhatsApp {
  /** A person writes to the business; resolves when that is on file, and the webhook follows. */
  write(it: Written): Promise<ChatMessage>;
  /** The business writes to a person; the statuses follow. */
  receive(to: string, shown: Pick<ChatMessage, 'text' | 'choices' | 'file'>): Promise<ChatMessage>;
  /** Files that were uploaded, until the simulator stops; only their names are on record. */
  media: ReadonlyMap<string, Buffer>;
  /** Keeps a file, and says what it is called. */
  keepMedia(bytes: Buffer): string;
  /** Takes up again what was not answered before the simulator last stopped. */
  resume(): void;
}

export function openWhatsApp(truth: Truth, webhooks: Webhooks, phone_number_id: string): WhatsApp {
  const envelope = (value: Record<string, unknown>) => envelopeOf(phone_number_id, value);

  const untilReset = (): (() => boolean) => {
    const { age } = truth.state;
    return () => truth.state.age === age;
  };

  const tellMessage = async (message: ChatMessage, times: number): Promise<void> => {
    const wanted = untilReset();
    const told = await Promise.all(
      Array.from({ length: times }, () => webhooks.tell(envelope(incoming(message)), wanted)),
    );
    if (told.includes(true)) truth.note({ kind: 'answered', id: message.id, phone: message.phone });
  };

  const tellStatuses = async (message: ChatMessage): Promise<void> => {
    const wanted = untilReset();
    for (const status of ['sent', 'delivered'])
      await webhooks.tell(envelope(outgoing(message, status)), wanted);
  };

  const keep = async (
    phone: string,
    direction: 'in' | 'out',
    shown: Pick<ChatMessage, 'text' | 'choices' | 'answers' | 'tapped' | 'file'>,
  ) => {
    const number = truth.nextNumber();
    const message: ChatMessage = {
      ...shown,
      id: wamidFor(number, phone),
      number,
      phone,
      direction,
      at: clock.now().toISOString(),
      answered: direction === 'out',
    };
    await truth.record({ kind: 'written', message });
    return message;
  };

  const media = new Map<string, Buffer>();

  return {
    media,
    keepMedia: (bytes) => {
      const id = randomInt(1e14, 2e14).toString();
      media.set(id, bytes);
      // The oldest go: nobody looks at them again.
      for (const old of [...media.keys()].slice(0, -most_media)) media.delete(old);
      return id;
    },
    write: async (written) => {
      if (webhooks.isFull())
        throw new Refusal('too_many', 'The app does not answer and too many messages wait for it.');
      const roll = { kind: 'message', n: truth.state.rolled.message } as const;
      const twice = strikes(truth.state.faults, 'duplicate', roll);
      const message = await keep(written.from, 'in', shownBy(truth, written));
      void tellMessage(message, twice ? 2 : 1);
      return message;
    },
    receive: async (to, shown) => {
      const message = await keep(to, 'out', shown);
      void tellStatuses(message);
      return message;
    },
    resume: () => {
      for (const message of [...truth.state.chats.values()].flat())
        if (!message.answered) void tellMessage(message, 1);
    },
  };
}

// A tap shows as the words on what was tapped.
function shownBy(truth: Truth, { from, text, tap, answers }: Written) {
  if (tap === undefined) return { text: text ?? '', answers };
  const chat = truth.state.chats.get(from) ?? [];
  const asked = chat.findLast(
    (it) => it.choices?.some((choice) => choice.id === tap) && it.id === (answers ?? it.id),
  );
  const tapped = asked?.choices?.find((choice) => choice.id === tap);
  if (!asked || !tapped) throw new Refusal('wrong_input', `There is no ${tap} to tap there.`);
  return { text: tapped.title, answers: asked.id, tapped };
}

function envelopeOf(phone_number_id: string, value: Record<string, unknown>): unknown {
  return {
    object: 'whatsapp_business_account',
    entry: [
      {
        id: account_id,
        changes: [
          {
            value: {
              messaging_product: 'whatsapp',
              metadata: { display_phone_number, phone_number_id },
              ...value,
            },
            field: 'messages',
          },
        ],
      },
    ],
  };
}

function incoming(message: ChatMessage): Record<string, unknown> {
  const name = names.get(message.phone);
  return {
    contacts: [{ ...(name && { profile: { name } }), wa_id: message.phone }],
    messages: [
      {
        from: message.phone,
        id: message.id,
        timestamp: seconds(message.at),
        ...(message.answers !== undefined && {
          context: { from: display_phone_number, id: message.answers },
        }),
        ...contentOf(message),
      },
    ],
  };
}

function contentOf({ text, tapped }: ChatMessage): Record<string, unknown> {
  if (!tapped) return { text: { body: text }, type: 'text' };
  // A row of a list has a description, if only an empty one.
  const type = tapped.description === undefined ? 'button_reply' : 'list_reply';
  return { interactive: { type, [type]: tapped }, type: 'interactive' };
}

function outgoing(message: ChatMessage, status: string): Record<string, unknown> {
  const timestamp = seconds(message.at);
  return {
    statuses: [
      {
        id: message.id,
        status,
        timestamp,
        recipient_id: message.phone,
        pricing: { billable: true, pricing_model: 'PMP', category: 'service' },
      },
    ],
  };
}

function seconds(at: string): string {
  return String(Math.floor(Date.parse(at) / 1000));
}
