import { ProviderError } from '../../base/errors.ts';

/**
 * What WhatsApp's error numbers mean for a message. `later`: nothing was sent, and in a while it
 * will be. `account`: the same, once somebody has put our account in order. `template`: outside the
 * 24 hours after a person's last message only templates may be sent. `never`: this message will not
 * go to this person. `doubt`: it does not know itself.
 */
export type Meaning = 'later' | 'account' | 'template' | 'never' | 'doubt';

// The token, permissions, payment, a restriction for spam, a lock; our number or name is not in
// order.
const account_codes = [
  0, 3, 10, 33, 190, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133010,
];

const meanings: ReadonlyMap<number, Meaning> = new Map([
  // Too fast for the app, the account, the number or the one recipient; and its own maintenance.
  ...([4, 80007, 130429, 131056, 131057, 133016] as const).map((code) => [code, 'later'] as const),
  ...account_codes.map((code) => [code, 'account'] as const),
  [131047, 'template'],
  ...([1, 2, 131000, 131016] as const).map((code) => [code, 'doubt'] as const),
]);

export function meaningOf(code: number, http_status: number): Meaning {
  const known = meanings.get(code);
  const refused = known === undefined || known === 'template';
  // A fault of theirs says nothing for certain.
  if (refused && http_status >= 500) return 'doubt';
  if (known) return known;
  return code >= 200 && code < 300 ? 'account' : 'never';
}

const outcomes: Readonly<Record<Meaning, ProviderError['outcome']>> = {
  later: 'retryable',
  account: 'retryable',
  template: 'refused',
  never: 'refused',
  doubt: 'unknown',
};

/** The error of an answer that says its number. */
export function cloudError(code: number, http_status: number, why: string): ProviderError {
  const meaning = meaningOf(code, http_status);
  return new ProviderError(outcomes[meaning], String(code), `${code} ${why}`.trim());
}
