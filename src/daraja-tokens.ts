import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Db } from './base/db.ts';
import { ProviderError } from './base/errors.ts';
import { makeSeal, sha256 } from './base/secrets.ts';
import { askToken, type DarajaApp, type Tokens } from './daraja/client.ts';

const asking_takes = '20 seconds';
const patience_ms = 25_000;
const look_again_ms = 200;

/**
 * M-Pesa's access tokens, kept sealed in the database. A new one ends the last, so of all processes
 * one asks at a time, and the others wait for what it gets.
 */
export function sharedTokens(db: Db, secret: string): Tokens {
  const { seal, open } = makeSeal(secret, 'daraja tokens');

  async function kept(app: string): Promise<string | undefined> {
    const { rows } = await sql<{ token: Buffer }>`
      select token from daraja_tokens
      where app = ${app} and token is not null and good_until > now()
    `.execute(db);
    const token = rows[0]?.token;
    try {
      return token && open(token, app);
    } catch {
      // Sealed under another key: as good as none.
      return undefined;
    }
  }

  async function mayAsk(app: string): Promise<boolean> {
    const { rows } = await sql`
      insert into daraja_tokens as t (app, asked_until) values (${app}, now() + ${asking_takes}::interval)
      on conflict (app) do update set asked_until = excluded.asked_until
      where t.asked_until is null or t.asked_until < now()
      returning 1
    `.execute(db);
    return rows.length > 0;
  }

  async function ask(app: DarajaApp, name: string): Promise<string> {
    try {
      const { access_token, expires_in } = await askToken(app);
      // A little less than it is good for: it has to reach M-Pesa in time.
      await sql`
        update daraja_tokens set token = ${seal(access_token, name)}, asked_until = null,
          good_until = now() + make_interval(secs => ${Math.max(expires_in - 60, 1)})
        where app = ${name}
      `.execute(db);
      return access_token;
    } catch (error) {
      await sql`update daraja_tokens set asked_until = null where app = ${name}`.execute(db);
      throw error;
    }
  }

  return {
    tokenFor: async (app, refused) => {
      const name = sha256(`${app.base_url} ${app.consumer_key}`).toString('hex');
      const until = performance.now() + patience_ms;
      while (performance.now() < until) {
        const token = await kept(name);
        if (token !== undefined && token !== refused) return token;
        if (await mayAsk(name)) return ask(app, name);
        await sleep(look_again_ms);
      }
      throw new ProviderError('retryable', 'no_token', 'another process is asking for a token');
    },
  };
}
