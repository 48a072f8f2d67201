import { getJson } from '../helpers/process.ts';
import { admins, customers, stranger } from './plan.ts';

/** What one phone has written and read, as the simulator tells it. */
interface Chat {
  /** The last message that was read here. */
  after: string | undefined;
  /** Ids of what the person wrote. */
  written: string[];
  /** How many messages the person got. */
  got: number;
  /** How often the person was alerted of a payment, by receipt. */
  alerts: Map<string, number>;
}

export type Chats = Map<string, Chat>;

export function noChats(): Chats {
  return new Map(
    [...admins, ...customers, stranger].map((phone) => [
      phone,
      { after: undefined, written: [], got: 0, alerts: new Map<string, number>() },
    ]),
  );
}

interface Message {
  id: string;
  direction: 'in' | 'out';
  text: string;
}

/** Reads on in every chat. */
export async function readOn(chats: Chats, simulator_url: string): Promise<void> {
  for (const [phone, chat] of chats) {
    const since = chat.after === undefined ? '' : `&after=${encodeURIComponent(chat.after)}`;
    const url = `${simulator_url}/sim/whatsapp?phone=${phone}${since}`;
    for (const { id, direction, text } of await getJson<Message[]>(url)) {
      chat.after = id;
      if (direction === 'in') chat.written.push(id);
      else chat.got += 1;
      // In a template, which is what somebody gets who has not written for a day, it has no name.
      const receipt = /(?:(?:Receipt|Risiti): |\| )([A-Z]{2}\w{8})\b/.exec(text)?.[1];
      if (receipt) chat.alerts.set(receipt, (chat.alerts.get(receipt) ?? 0) + 1);
    }
  }
}
