import { createHash } from 'node:crypto';
import { z } from 'zod';

const Probability = z.number().min(0).max(1).default(0);

function unknownFault(issue: { code?: string | undefined; keys?: unknown }): string | undefined {
  return issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)
    ? `there is no ${issue.keys.join(', ')}; there are drop, duplicate, seed`
    : undefined;
}

/** What goes wrong with callbacks, and how often. The same seed spoils the same ones again. */
export const Faults = z.strictObject(
  {
    /** The confirmation of a payment is never sent. */
    drop: Probability,
    /** A confirmation, or the webhook of a person's message, is sent twice at once. */
    duplicate: Probability,
    seed: z.union([z.int(), z.string().max(100)]).default(0),
  },
  { error: unknownFault },
);
export type Faults = z.output<typeof Faults>;

export const no_faults: Faults = { drop: 0, duplicate: 0, seed: 0 };

/** Whether the n-th callback of its kind since the faults were set meets this one. */
export function strikes(
  faults: Faults,
  fault: 'drop' | 'duplicate',
  callback: { kind: string; n: number },
): boolean {
  const roll = createHash('sha256')
    .update(`${faults.seed}:${fault}:${callback.kind}:${callback.n}`)
    .digest()
    .readUInt32BE(0);
  return roll / 2 ** 32 < faults[fault];
}
