import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { playMoneyIn } from '../chaos/money-in/story.ts';
import { inDatabase, withDatabase } from '../helpers/global-setup.ts';

// The short form of `npm run chaos -- --money-in`. SEED=… plays another one.

const seed = BigInt(process.env['SEED'] ?? 20_261_122);

test(
  `whatever M-Pesa forgets to say is found, posted once and proven (seed ${seed})`,
  { timeout: 170_000 },
  async () => {
    const name = `karani_money_in_${randomBytes(4).toString('hex')}`;
    const server_url = inject('server_url');
    await inDatabase(server_url, `create database ${name}`);
    try {
      const { findings, ...told } = await playMoneyIn({
        ...{ seed, payments: 120, database_url: withDatabase(server_url, name) },
        say: (line) => process.env['SAY'] && console.log(line),
      });
      console.log(`seed ${seed}: ${JSON.stringify(told)}`);
      expect(findings).toEqual([]);
      expect(told.figures).toMatchObject({
        'first heard by statement': expect.any(Number),
        'first heard by pull': expect.any(Number),
        'proven by stk_query': expect.any(Number),
        'proven by status': expect.any(Number),
        'prompts paid late': expect.any(Number),
        reversed: expect.any(Number),
      });
      expect(told.kills).toBe(1);
    } finally {
      await inDatabase(server_url, `drop database if exists ${name} with (force)`);
    }
  },
);
