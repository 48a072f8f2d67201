import { createHash } from 'node:crypto';
import { z } from 'zod';

const Probability = z.number().min(0).max(1).default(0);

function unknownFault(issue: { code?: string | undefined; keys?: unknown }): string | undefined {
  return issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)
    ? `there is no ${issue.keys.join(', ')}; there are ${Object.keys(no_faults).join(', ')}`
    : undefined;
}

/** What goes wrong, and how often. The same seed spoils the same again. */
export const Faults = z.strictObject(
  {
    /** A callback about money is never sent. */
    drop: Probability,
    /** Such a callback, or the webhook of a person's message, is sent twice at once. */
    duplicate: Probability,
    /** Each callback about money waits for up to so many milliseconds, so that they cross. */
    delay_ms: z.int().min(0).max(60_000).default(0),
    /** Such a callback waits until the next one has been sent, for ten seconds at most. */
    reorder: Probability,
    /** A request (for a prompt, or about payments) is done, and its answer never arrives. */
    lost_response: Probability,
    /** Such a request is refused as too many at once, and not done. */
    refuse: Probability,
    seed: z.union([z.int(), z.string().max(100)]).default(0),
  },
  { error: unknownFault },
);
export type Faults = z.output<typeof Faults>;

export const no_faults: Faults = {
  drop: 0,
  duplicate: 0,
  delay_ms: 0,
  reorder: 0,
  lost_response: 0,
  refuse: 0,
  seed: 0,
};

/** The n-th callback or request of its kind since the faults were set. */
export interface Roll {
  kind: 'payment' | 'message' | 'prompt' | 'request' | 'query' | 'result';
  n: number;
}

/** Whether it meets this fault. */
export function strikes(
  faults: Faults,
  fault: 'drop' | 'duplicate' | 'reorder' | 'lost_response' | 'refuse',
  roll: Roll,
): boolean {
  return chance(faults, fault, roll) < faults[fault];
}

/** How long it waits before it leaves, in milliseconds. */
export function delayOf(faults: Faults, roll: Roll, copy: number): number {
  return Math.floor(chance(faults, `delay:${copy}`, roll) * faults.delay_ms);
}

function chance({ seed }: Faults, what: string, { kind, n }: Roll): number {
  const hash = createHash('sha256').update(`${seed}:${what}:${kind}:${n}`).digest();
  return hash.readUInt32BE(0) / 2 ** 32;
}
