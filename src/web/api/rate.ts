import type { Rate } from '../../base/rates.ts';

export interface Limiter {
  /** Takes one; undefined when there was one left, and otherwise in how many seconds there is. */
  take: (who: string) => number | undefined;
  /** The same without taking it. */
  look: (who: string) => number | undefined;
}

const most_known = 20_000;

/**
 * Keeps count by whoever asks, in this process alone: each has `at_once`, which fill up again. Who
 * has not asked for so long that all is filled up is forgotten.
 */
export function makeLimiter(rate: Rate, now: () => number = () => performance.now()): Limiter {
  const left = new Map<string, { of: number; at: number }>();

  function standing(who: string): number {
    const known = left.get(who);
    if (!known) return rate.at_once;
    return Math.min(rate.at_once, known.of + ((now() - known.at) / 1_000) * rate.a_second);
  }

  // Maps keep the order of writing, so those at the beginning have been silent for longest.
  function forget(): void {
    for (const who of left.keys()) {
      if (standing(who) < rate.at_once && left.size <= most_known) return;
      left.delete(who);
    }
  }

  const wait = (of: number) => (of >= 1 ? undefined : Math.ceil((1 - of) / rate.a_second));

  return {
    look: (who) => wait(standing(who)),
    take(who) {
      const of = standing(who);
      left.delete(who);
      left.set(who, { of: of >= 1 ? of - 1 : of, at: now() });
      forget();
      return wait(of);
    },
  };
}
