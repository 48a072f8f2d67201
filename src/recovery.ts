import type { Initiator } from './daraja/status.ts';
import { type PullShortcode, registerPull } from './daraja/pull.ts';
import type { Tokens } from './daraja/client.ts';
import { messageOf } from './base/errors.ts';
import type { Settings } from './settings.ts';

// Which of our shortcodes M-Pesa can be asked about, and how.

/** How often payments are asked for, in seconds. Who tries the demo out does not wait as long. */
export function pullEvery({ environment }: Settings): number {
  return environment === 'demo' ? 15 : 15 * 60;
}

/** Those whose payments may be asked for (Pull Transactions), by number. */
export function pullShortcodes(settings: Settings, daraja_url: string): Map<string, PullShortcode> {
  return new Map(
    settings.shortcodes
      .filter((shortcode) => shortcode.pull !== undefined)
      .map((shortcode) => [shortcode.number, { ...shortcode, base_url: daraja_url }] as const),
  );
}

/** Who asks about single payments (Transaction Status), by the shortcode that was paid. */
export function statusInitiators(settings: Settings, daraja_url: string): Map<string, Initiator> {
  return new Map(
    settings.shortcodes.flatMap(({ initiator, ...shortcode }) => {
      if (!initiator) return [];
      const number_there = shortcode.store ?? shortcode.number;
      const it = { ...shortcode, ...initiator, number: number_there, base_url: daraja_url };
      // A till's payments may be reported under its head office's number.
      const numbers = [shortcode.number, ...(shortcode.store ? [shortcode.store] : [])];
      return numbers.map((number) => [number, it] as const);
    }),
  );
}

/** What became of a shortcode's registration for Pull Transactions, or why it was not made. */
export interface PullRegistered {
  shortcode: string;
  how: 'registered' | 'already' | 'not_wanted' | 'by_hand' | { refused: string };
}

/**
 * Registers the shortcodes for Pull Transactions, one by one; one that is registered already stays
 * so, and one that is refused does not stop the others.
 */
export async function registerPulls(
  settings: Settings,
  { tokens, daraja_url, public_url }: { tokens: Tokens; daraja_url: string; public_url: string },
): Promise<PullRegistered[]> {
  // Nobody says what comes there; what can be read as a payment is one, and all else is kept.
  const callback_url = `${public_url}/hooks/${settings.hooks.daraja[0]}/c2b/confirmation`;
  const results: PullRegistered[] = [];
  for (const { pull, ...shortcode } of settings.shortcodes) {
    const how = await (async () => {
      if (pull === undefined) return 'not_wanted' as const;
      if (pull === true) return 'by_hand' as const;
      const { nominated_number } = pull;
      const to = { ...shortcode, base_url: daraja_url };
      return registerPull(tokens, to, { nominated_number, callback_url }).catch(
        (error: unknown) => ({ refused: messageOf(error) }),
      );
    })();
    results.push({ shortcode: shortcode.number, how });
  }
  return results;
}
