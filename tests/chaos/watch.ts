import type { Instant } from './plan.ts';

/** Waits for a process to come to an instant; one at a time. */
export interface Watch {
  /** Calls `hit` once at that instant. */
  watchFor: (instant: Instant, hit: () => void) => void;
  unwatch: () => void;
  /** Whether this instant was waited for; it has been hit then. */
  isAt: (instant: Instant) => boolean;
}

export function makeWatch(): Watch {
  let watched: { instant: Instant; hit: () => void } | undefined;
  return {
    watchFor: (instant, hit) => (watched = { instant, hit }),
    unwatch: () => (watched = undefined),
    isAt: (instant) => {
      if (watched?.instant !== instant) return false;
      const { hit } = watched;
      watched = undefined;
      hit();
      return true;
    },
  };
}
