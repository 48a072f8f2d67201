import { z } from 'zod';
import type { Tx } from '../base/db.ts';
import type { Role } from '../base/schema.ts';

/** The languages that every text must have. */
export const languages = ['en', 'sw'] as const;
export type Language = (typeof languages)[number];

/** Where a conversation takes place. */
export const channels = ['whatsapp', 'ussd', 'sms'] as const;
export type Channel = (typeof channels)[number];

/** Who is talking, as flows and actions see them. */
export interface Actor {
  id: bigint;
  name: string | null;
  language: Language;
  roles: readonly Role[];
  /** Whether they have said STOP: no reminders and no news. */
  stopped: boolean;
}

/** An amount in a flow's values: shillings as a decimal string, "1500.00". */
export const Money = z.string().regex(/^-?\d+\.\d\d$/);

/** A picture or a paper that a person sent: how its channel calls it, and what it is. */
export const Attachment = z.object({ id: z.string(), mime: z.string() });

/** A place that a person sent, in degrees. */
export const Location = z.object({ latitude: z.number(), longitude: z.number() });

export interface ActionCall<Input> {
  actor: Actor;
  input: Input;
  /**
   * The same for a repeated turn, another for each visit of the step: what makes an action
   * once-only.
   */
  key: string;
  /** The reference of the question that is being answered, where it is one that Karani asked. */
  question?: string | undefined;
  channel: Channel;
  /** The number that they dial or write SMS from: of several that they have, this one. */
  msisdn?: string | undefined;
  /** Whether SMS can be sent. */
  sms: boolean;
  /** Our shortcode that asks phones for payments, where one may. */
  asks_from?: string | undefined;
  /** A hash that only this installation can make, for codes that are kept nowhere. */
  keyed: (purpose: string, text: string) => string;
}

/**
 * What a flow's `do` runs. `input` and `output` are what the loader checks `with` and the texts
 * against; every code in `refusals` must be handled by the step's `else`.
 */
export interface Action {
  input: z.ZodObject;
  output: z.ZodObject | z.ZodArray<z.ZodObject>;
  refusals: readonly string[];
  /** It changes nothing, so that it may run for somebody who has not seen what they chose. */
  looks?: true;
  run: (tx: Tx, call: ActionCall<unknown>) => Promise<unknown>;
}

export type Actions = Readonly<Record<string, Action>>;

/** Declares an action: its words live in a flow, its rule in the verb that `run` calls. */
export function action<I extends z.ZodObject, O extends z.ZodObject | z.ZodArray<z.ZodObject>>(it: {
  input: I;
  output: O;
  refusals: readonly string[];
  looks?: true;
  run: (tx: Tx, call: ActionCall<z.output<I>>) => Promise<z.input<O>>;
}): Action {
  return {
    ...it,
    run: (tx, call) => it.run(tx, { ...call, input: it.input.parse(call.input) }),
  };
}
