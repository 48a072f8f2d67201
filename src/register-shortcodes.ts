import { messageOf } from './base/errors.ts';
import { registerC2bUrls } from './daraja/c2b.ts';
import type { Tokens } from './daraja/client.ts';
import type { Settings } from './settings.ts';

/**
 * What M-Pesa said to the addresses of one shortcode; `refused` is its reason when it did not take
 * them.
 */
export interface Registered {
  shortcode: string;
  refused: string | undefined;
}

/**
 * Tells M-Pesa where to send the payments of every shortcode; one that it refuses does not stop the
 * others.
 */
export async function registerShortcodes(
  settings: Settings,
  { tokens, daraja_url, public_url }: { tokens: Tokens; daraja_url: string; public_url: string },
): Promise<Registered[]> {
  const base = `${public_url}/hooks/${settings.hooks.daraja[0]}/c2b`;
  const results: Registered[] = [];
  for (const shortcode of settings.shortcodes) {
    const refused = await registerC2bUrls(
      tokens,
      { ...shortcode, base_url: daraja_url },
      {
        version: shortcode.c2b_version,
        shortcode: shortcode.store ?? shortcode.number,
        confirmation_url: `${base}/confirmation`,
        validation_url: `${base}/validation`,
      },
    ).then(() => undefined, messageOf);
    results.push({ shortcode: shortcode.number, refused });
  }
  return results;
}
