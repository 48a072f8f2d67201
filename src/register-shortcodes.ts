import { registerC2bUrls } from './daraja/client.ts';
import type { Settings } from './settings.ts';

/**
 * Tells M-Pesa where to send the payments of every shortcode. Throws ProviderError at the first
 * refusal.
 */
export async function registerShortcodes(
  settings: Settings,
  daraja_url: string,
  public_url: string,
): Promise<void> {
  const base = `${public_url}/hooks/${settings.hooks.daraja[0]}/c2b`;
  for (const shortcode of settings.shortcodes) {
    await registerC2bUrls(
      { ...shortcode, base_url: daraja_url },
      {
        version: shortcode.c2b_version,
        shortcode: shortcode.store ?? shortcode.number,
        confirmation_url: `${base}/confirmation`,
        validation_url: `${base}/validation`,
      },
    );
  }
}
