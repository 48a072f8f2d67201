import { type Config, type KeptOff, type Way, ways } from './base/config.ts';
import { SetupError } from './base/errors.ts';
import type { Dues } from './payments/due.ts';

/** A trade that plugs in. */
export interface Trade {
  /** Its folder, which its actions' names begin with. */
  name: string;
  dues: Dues;
}

/**
 * What the configuration keeps off each way. Throws SetupError where it names a trade that is none.
 */
export function keptOff(channels: Config['channels'], trades: readonly Trade[]): KeptOff {
  const names = trades.map((trade) => trade.name);
  for (const name of Object.keys(channels)) {
    if (names.includes(name)) continue;
    throw new SetupError(`channels: there is no trade ${name}. There are: ${names.join(', ')}.`);
  }
  const offOf = (way: Way) =>
    trades
      .filter(({ name }) => {
        const may = channels[name];
        const is_whatsapp = way === 'whatsapp_cloud' || way === 'whatsapp_linked';
        return may && !may.includes(way) && !(is_whatsapp && may.includes('whatsapp'));
      })
      .flatMap(({ name, dues }) => [name, dues.kind]);
  return Object.fromEntries(ways.map((way) => [way, offOf(way)])) as unknown as KeptOff;
}
