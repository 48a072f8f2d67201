import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { hookUrl, type App, type Hook } from './app.ts';
import type { Post, Sender } from './sender.ts';

const most_tries = 16;
const first_pause_ms = 250;
const longest_pause_ms = 60_000;
const most_waiting = 10_000;

/**
 * What Meta and Africa's Talking post to the app until it is answered 200: with growing pauses, as
 * long as it is wanted, and at most 16 times (some nine minutes). Each tells whether it was.
 */
export interface Webhooks {
  /** Meta's: JSON, signed. */
  tell(value: unknown, wanted: () => boolean): Promise<boolean>;
  /** Africa's Talking's: a form. */
  tellForm(hook: Hook, form: Record<string, string>, wanted: () => boolean): Promise<boolean>;
  /** Whether so many wait for an answer that no more are taken. */
  isFull(): boolean;
}

/** The webhooks to the app. Unlike Daraja, these services try again. */
export function openWebhooks(app: App, sender: Sender): Webhooks {
  let waiting = 0;

  const once = async (hook: Hook, post: Omit<Post, 'url'>): Promise<boolean> => {
    const url = hookUrl(app, hook);
    if (url === undefined) return false;
    const answer = await sender.post({ url, ...post });
    return answer?.status === 200;
  };

  const untilTaken = async (hook: Hook, post: Omit<Post, 'url'>, wanted: () => boolean) => {
    if (waiting >= most_waiting) return false;
    waiting += 1;
    try {
      for (let attempt = 0; attempt < most_tries && wanted(); attempt += 1) {
        if (await once(hook, post)) return true;
        const pause_ms = Math.min(first_pause_ms * 2 ** attempt, longest_pause_ms);
        await sleep(pause_ms, undefined, { ref: false, signal: sender.closed });
      }
      return false;
    } catch {
      return false;
    } finally {
      waiting -= 1;
    }
  };

  return {
    isFull: () => waiting >= most_waiting,
    tell: (value, wanted) => {
      const body = asMetaWrites(value);
      const hmac = createHmac('sha256', app.hook_secret).update(body).digest('hex');
      const headers = {
        'content-type': 'application/json',
        'x-hub-signature-256': `sha256=${hmac}`,
      };
      return untilTaken('whatsapp', { body, headers }, wanted);
    },
    tellForm: (hook, form, wanted) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return untilTaken(hook, { body: new URLSearchParams(form).toString(), headers }, wanted);
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
