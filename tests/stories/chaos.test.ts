import { expect, test } from 'vitest';
import { startChaosPostgres } from '../chaos/postgres.ts';
import { playStory } from '../chaos/story.ts';

// The short form of `npm run chaos`. SEED=… plays another one.

const seed = BigInt(process.env['SEED'] ?? 20_261_121);
const length_ms = 12_000;

test(
  `processes killed, frozen and cut off lose no payment and no message (seed ${seed})`,
  { timeout: 170_000 },
  async () => {
    const postgres = await startChaosPostgres();
    try {
      const { findings, ...figures } = await playStory({
        ...{ seed, length_ms, postgres },
        say: () => undefined,
      });
      console.log(`seed ${seed}: ${JSON.stringify(figures)}`);
      expect(findings).toEqual([]);
      expect(figures.answered).toBeGreaterThan(figures.payments / 4);
      expect(figures.kills).toBeGreaterThan(0);
    } finally {
      await postgres.stop();
    }
  },
);
