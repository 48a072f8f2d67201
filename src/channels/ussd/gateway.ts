/**
 * A gateway that carries USSD, so that whoever answers hears exactly one answer, whether the
 * gateway repeats all of them or sends the last alone.
 */
export interface UssdGateway {
  /** One posted form; undefined when it is not one of this gateway's. */
  read: (form: unknown) => KeyPress | undefined;
  /** What is to be answered, and as what. */
  reply: (words: string, over: boolean) => { body: string; type: string };
}

export interface KeyPress {
  /** The gateway's id of the session; unique among its own. */
  session: string;
  /** 254…, as the network says. */
  msisdn: string;
  /** The code that was dialled, and the network, as the gateway names them. */
  code: string;
  network: string;
  /** What is new, held against what was kept of the session before. */
  newAnswer: (key: string, before: HeardBefore | undefined) => NewAnswer;
  /** What to keep for the next one: nothing that was answered. */
  heardNow: (key: string) => Heard;
}

/**
 * What is kept of a `text` that repeats all answers: enough to tell the new one apart, nothing that
 * was answered. Of a gateway that sends the last alone: nothing.
 */
export interface Heard {
  text_length: number;
  text_hash: string;
}

export interface HeardBefore extends Heard {
  /** How many requests of the session were answered. */
  turn: number;
}

export type NewAnswer =
  /**
   * A session's first screen, or one that lost its thread; `picks` is what was dialled with the
   * code.
   */
  | { kind: 'dialled'; picks: string[] }
  /** The very same request again, or an earlier one that comes late. */
  | { kind: 'repeat' }
  /** One answer, even with a `*` in it. */
  | { kind: 'answer'; text: string };
