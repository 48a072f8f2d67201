import { inTransaction, type Db } from '../../src/base/db.ts';
import { type Scope, scope_names } from '../../src/web/api/scopes.ts';
import { createToken, revokeToken } from '../../src/web/api/tokens.ts';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // oxlint-disable-next-line typescript/no-explicit-any
  json: any;
}

/** Other software at the door of a house: what it asks with a token, and hears. */
export function apiOf(house: { url: string; db: Db }) {
  const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(`${house.url}/api${path}`, init);
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null;
    return { status: response.status, headers: response.headers, text, json };
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  return {
    ask,
    /** A token of Wanjiru's with these scopes, or all there are. */
    token: (scopes: readonly Scope[] = scope_names, name = `test ${(tokens += 1)}`) =>
      inTransaction(house.db, (tx) => createToken(tx, { name, scopes, msisdn: '254700000001' })),
    revoke: (name: string) => inTransaction(house.db, (tx) => revokeToken(tx, name)),
    get: (path: string, token: string) => ask(path, { headers: bearer(token) }),
    post: (
      path: string,
      token: string,
      body: unknown,
      { key = `key-${(keys += 1)}`, ...headers }: Record<string, string> = {},
    ) =>
      ask(path, {
        method: 'POST',
        headers: {
          ...bearer(token),
          'content-type': 'application/json',
          'idempotency-key': key,
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

let tokens = 0;
let keys = 0;
