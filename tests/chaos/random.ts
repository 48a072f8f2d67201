import { createHash } from 'node:crypto';

/** A stream of chance that is the same again for the same seed and name. */
export interface Random {
  /** From 0 up to, not including, 1. */
  share: () => number;
  /** A whole number, both ends included. */
  whole: (least: number, most: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(list: readonly T[]) => T;
}

const all_bits = (1n << 64n) - 1n;

/**
 * Everything that is left to chance comes from one 64-bit seed, through streams of their own names:
 * what one of them is asked changes nothing in another, however the processes run. (SplitMix64.)
 */
export function randomStream(seed: bigint, name: string): Random {
  let state = createHash('sha256').update(`${seed}:${name}`).digest().readBigUInt64BE(0);
  const next = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & all_bits;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & all_bits;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & all_bits;
    return z ^ (z >> 31n);
  };
  const share = () => Number(next() >> 11n) / 2 ** 53;
  const whole = (least: number, most: number) => least + Math.floor(share() * (most - least + 1));
  return {
    share,
    whole,
    chance: (probability) => share() < probability,
    pick: <T>(list: readonly T[]): T => {
      const one = list[whole(0, list.length - 1)];
      if (one === undefined) throw new Error('Nothing to pick from');
      return one;
    },
  };
}
