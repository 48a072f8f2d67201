import { randomBytes } from 'node:crypto';
import { clock } from '../base/clock.ts';

const lifetime_ms = 3599 * 1000;
const most_keys = 100;

/** Daraja's access tokens. Any consumer key and secret will do; a key has one token at a time. */
export interface Tokens {
  /** A token for "Basic …", which ends the key's previous one; undefined when that is malformed. */
  issue(authorization: string): string | undefined;
  /** Whether "Bearer …" carries a token that is still good. */
  isValid(authorization: string): boolean;
}

export function openTokens(): Tokens {
  const by_key = new Map<string, { token: string; expires_at_ms: number }>();
  return {
    issue: (authorization) => {
      const encoded = /^Basic ([\w+/=-]+)$/i.exec(authorization)?.[1];
      const pair = Buffer.from(encoded ?? '', 'base64').toString();
      const key = /^([^:]{1,200}):.+$/s.exec(pair)?.[1];
      if (key === undefined) return undefined;
      by_key.delete(key);
      const [oldest] = by_key.keys();
      if (oldest !== undefined && by_key.size >= most_keys) by_key.delete(oldest);
      const token = randomBytes(21).toString('base64url');
      by_key.set(key, { token, expires_at_ms: clock.now().getTime() + lifetime_ms });
      return token;
    },
    isValid: (authorization) => {
      const token = /^Bearer (\S+)$/i.exec(authorization)?.[1];
      const now_ms = clock.now().getTime();
      return [...by_key.values()].some((it) => it.token === token && now_ms < it.expires_at_ms);
    },
  };
}
