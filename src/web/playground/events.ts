import { clock } from '../../base/clock.ts';
import type { Db } from '../../base/db.ts';
import { messageOf } from '../../base/errors.ts';
import { log } from '../../base/log.ts';
import { type Happening, newestHappenings } from './happenings.ts';
import { openListeners } from './listeners.ts';

/** What happens, told to every open page as server-sent events. */
export interface Feed {
  /** A new listener's stream: first the newest happenings, then each as it appears or changes. */
  listen: () => Response;
  /** Ends every stream; nobody can listen afterwards. */
  close: () => void;
}

const poll_ms = 250;
const beat_ms = 15_000;
const snapshot_size = 30;

/**
 * Opens the feed. One look at the database serves all listeners, and nobody looks when none
 * listens.
 */
export function openFeed(db: Db): Feed {
  // What the listeners have been told, by id; undefined while nobody listens.
  let told: { all: Happening[]; prints: Map<string, string> } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let in_trouble = false;
  let beat_at_ms = 0;

  const listeners = openListeners(() => {
    clearTimeout(timer);
    told = undefined;
  });

  async function tellNews(): Promise<void> {
    const all = await newestHappenings(db);
    if (listeners.size() === 0) return;
    const prints = new Map(all.map((it) => [it.id, JSON.stringify(it)]));
    const before = told?.prints;
    const news = all.filter((it) => before?.get(it.id) !== prints.get(it.id));
    told = { all, prints };
    if (before === undefined) listeners.tell(snapshot(all));
    else if (news.length > 0) listeners.tell(event('news', news));
  }

  async function look(): Promise<void> {
    looking = true;
    try {
      await tellNews();
      in_trouble = false;
    } catch (error) {
      if (!in_trouble) log.warn({ error: messageOf(error) }, 'the playground cannot read');
      in_trouble = true;
    }
    looking = false;
    if (listeners.size() === 0) return;
    const now_ms = clock.now().getTime();
    if (now_ms - beat_at_ms >= beat_ms) {
      beat_at_ms = now_ms;
      listeners.tell(': still here\n\n');
    }
    timer = setTimeout(() => void look(), poll_ms);
  }

  return {
    listen() {
      const others = listeners.size() > 0;
      const stream = listeners.add(`retry: 1000\n\n${told ? snapshot(told.all) : ''}`);
      if (!stream) {
        return new Response('Too many pages are watching. Close one and reload.\n', {
          status: 503,
        });
      }
      if (!others && !looking) void look();
      return stream;
    },
    close: listeners.close,
  };
}

function snapshot(happenings: Happening[]): string {
  return event('snapshot', happenings.slice(-snapshot_size));
}

function event(name: 'snapshot' | 'news', happenings: Happening[]): string {
  return `event: ${name}\ndata: ${JSON.stringify(happenings)}\n\n`;
}
