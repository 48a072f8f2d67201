import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { hookUrl, type App } from './app.ts';
import type { Sender } from './sender.ts';

const most_tries = 16;
const first_pause_ms = 250;
const longest_pause_ms = 60_000;
const most_waiting = 10_000;

export interface Webhooks {
  /**
   * Posts this, signed, until it is answered 200: with growing pauses, as long as it is wanted, and
   * at most 16 times (some nine minutes). Whether it was answered 200.
   */
  tell(value: unknown, wanted: () => boolean): Promise<boolean>;
  /** Whether so many wait for an answer that no more are taken. */
  isFull(): boolean;
}

/** Meta's webhooks to the app. Unlike Daraja, Meta tries again. */
export function openWebhooks(app: App, sender: Sender): Webhooks {
  let waiting = 0;

  const once = async (body: string, signature: string): Promise<boolean> => {
    const url = hookUrl(app, 'whatsapp');
    if (url === undefined) return false;
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature };
    const answer = await sender.post({ url, body, headers });
    return answer?.status === 200;
  };

  return {
    isFull: () => waiting >= most_waiting,
    tell: async (value, wanted) => {
      if (waiting >= most_waiting) return false;
      const body = asMetaWrites(value);
      const hmac = createHmac('sha256', app.hook_secret).update(body).digest('hex');
      waiting += 1;
      try {
        for (let attempt = 0; attempt < most_tries && wanted(); attempt += 1) {
          if (await once(body, `sha256=${hmac}`)) return true;
          const pause_ms = Math.min(first_pause_ms * 2 ** attempt, longest_pause_ms);
          await sleep(pause_ms, undefined, { ref: false, signal: sender.closed });
        }
        return false;
      } catch {
        return false;
      } finally {
        waiting -= 1;
      }
    },
  };
}

/** JSON with everything but ASCII escaped, and slashes too: the signature is over these bytes. */
function asMetaWrites(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('/', '\\/')
    .replace(
      /[\u007F-\uFFFF]/g,
      (unit) => `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
    );
}
