import { clock } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { strikes } from './faults.ts';
import { names } from './parties.ts';
import { wamidFor } from './receipts.ts';
import type { ChatMessage, Truth } from './truth.ts';
import type { Webhooks } from './webhooks.ts';

/** The business's number at Meta, where none was given. */
export const default_phone_number_id = '100000000600000';

const account_id = '100000000600001';
const display_phone_number = '254700600000';

export interface WhatsApp {
  /** A person writes to the business; resolves when that is on file, and the webhook follows. */
  write(from: string, text: string): Promise<ChatMessage>;
  /** The business writes to a person; the statuses follow. */
  receive(to: string, text: string): Promise<ChatMessage>;
  /** Takes up again what was not answered before the simulator last stopped. */
  resume(): void;
}

export function openWhatsApp(truth: Truth, webhooks: Webhooks, phone_number_id: string): WhatsApp {
  const envelope = (value: Record<string, unknown>): unknown => ({
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
  });

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

  const keep = async (phone: string, direction: 'in' | 'out', text: string) => {
    const number = truth.nextNumber();
    const message: ChatMessage = {
      id: wamidFor(number, phone),
      number,
      phone,
      direction,
      text,
      at: clock.now().toISOString(),
      answered: direction === 'out',
    };
    await truth.record({ kind: 'written', message });
    return message;
  };

  return {
    write: async (from, text) => {
      if (webhooks.isFull())
        throw new Refusal('too_many', 'The app does not answer and too many messages wait for it.');
      const roll = { kind: 'message', n: truth.state.rolled.message };
      const twice = strikes(truth.state.faults, 'duplicate', roll);
      const message = await keep(from, 'in', text);
      void tellMessage(message, twice ? 2 : 1);
      return message;
    },
    receive: async (to, text) => {
      const message = await keep(to, 'out', text);
      void tellStatuses(message);
      return message;
    },
    resume: () => {
      for (const message of [...truth.state.chats.values()].flat())
        if (!message.answered) void tellMessage(message, 1);
    },
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
        text: { body: message.text },
        type: 'text',
      },
    ],
  };
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
