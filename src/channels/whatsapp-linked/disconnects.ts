/** Why a person is needed; `another`: not the number that is wanted was linked. */
export type Trouble = 'logged_out' | 'blocked' | 'replaced' | 'outdated' | 'failing' | 'another';

/** What follows when the connection has closed. */
export type Next =
  /** Again by itself; `trouble` is told where it will not help without a person. */
  | { do: 'again'; after_ms: number; counts: boolean; trouble?: Trouble }
  /** A person has to link it again, or to say that it may begin again. */
  | { do: 'unlink' | 'stop'; trouble?: Trouble };

export interface Standing {
  /** Whether a phone has taken it as its device. */
  linked: boolean;
  /** How often it has closed in the last ten minutes, this time counted in. */
  failures: number;
  /** How often in a row another took its place, this time counted in. */
  replacements: number;
  /** From 0 to 1. */
  random: number;
}

const longest_wait_ms = 60_000;
const rest_ms = 15 * 60_000;
const most_failures = 8;
const unreachable = 503;

/**
 * What to do after a close, by the status that Baileys gives it (facts as of 7.0.0-rc14; 405 and
 * 419 are passed through from WhatsApp), or undefined where WhatsApp said nothing.
 */
export function afterClose(status: number | undefined, it: Standing): Next {
  switch (status ?? unreachable) {
    // Just linked: it begins anew at once.
    case 515:
      return { do: 'again', after_ms: 0, counts: false };
    case 401:
    case 419:
      return it.linked ? { do: 'unlink', trouble: 'logged_out' } : { do: 'unlink' };
    case 403:
    case 411:
      return { do: 'stop', trouble: 'blocked' };
    // Elsewhere somebody uses the same keys; at once they would only take turns.
    case 440:
      return it.replacements > 1
        ? { do: 'stop', trouble: 'replaced' }
        : { do: 'again', after_ms: 30_000 + 30_000 * it.random, counts: true };
    case 400:
    case 405:
      return { do: 'again', after_ms: rest_ms, counts: true, trouble: 'outdated' };
    // Nobody has scanned it.
    case 408:
      if (!it.linked) return { do: 'unlink' };
      return again(it);
    default:
      return again(it);
  }
}

// Anything from nothing to the longest, which doubles: many do not come back at the same instant.
function again({ failures, random }: Standing): Next {
  if (failures > most_failures) {
    return { do: 'again', after_ms: rest_ms, counts: true, trouble: 'failing' };
  }
  const longest = Math.min(longest_wait_ms, 1_000 * 2 ** (failures - 1));
  return { do: 'again', after_ms: longest * random, counts: true };
}
