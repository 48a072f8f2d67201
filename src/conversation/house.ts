import { clock } from '../base/clock.ts';
import type { Actions, Channel, Language } from '../flow/action.ts';
import type { Flows } from '../flow/load.ts';
import { sharedText } from '../flow/session.ts';
import { fill } from '../flow/words.ts';
import type { Numbers } from '../outbox/take.ts';

/** What every conversation needs to know of the house. */
export interface House {
  flows: Flows;
  actions: Actions;
  /** Words that every text may use: shop, paybill, help, ussd. */
  values: Record<string, string>;
  /** Whether SMS can be sent. */
  sms: boolean;
  /** Our shortcode that asks phones for payments, where one may. */
  asks_from?: string | undefined;
  /** Which of our numbers on WhatsApp there are. */
  numbers: Numbers;
  /** A hash that only this installation can make. */
  keyed: (purpose: string, text: string) => string;
}

/** A shared text in a language, as it is said on a channel. */
export function wordsFor(
  { flows, values }: House,
  name: string,
  language: Language,
  channel: Channel,
): string {
  const valueOf = ([root = '']: readonly string[]) => values[root];
  const view = { language, channel, now: clock.now(), valueOf };
  return fill(sharedText(flows, name, channel), view);
}
