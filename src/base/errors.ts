/**
 * The business says no. It rolls the work back and is told to whoever asked: as a problem with
 * this code over HTTP, as the action's refusal in a flow.
 */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string = code) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
  }
}

/** What is wrong with how Karani was started or set up, in one line that says what to do. */
export class SetupError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SetupError';
  }
}

/**
 * Another service did not do as asked. `refused`: it said no, and asking again will not help.
 * `retryable`: it provably did nothing. `unknown`: nobody knows whether it did.
 */
export class ProviderError extends Error {
  readonly outcome: 'refused' | 'retryable' | 'unknown';
  readonly code: string;

  constructor(outcome: ProviderError['outcome'], code: string, message: string = code) {
    super(message);
    this.name = 'ProviderError';
    this.outcome = outcome;
    this.code = code;
  }
}

/** For our own mistakes: throws when what must hold does not. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`This must hold and does not: ${message}`);
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0)
    return messageOf(thrown.errors[0]);
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What no trying again can mend: whoever tries gives it up at once. */
export class Hopeless extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Hopeless';
  }
}
