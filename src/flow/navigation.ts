import { type AskStep, normal } from './definition.ts';
import type { Channel } from './action.ts';

/** Words that mean the same everywhere; no flow can begin with one or take one for its own. */

export type Command = 'back' | 'home' | 'more' | 'help' | 'stop' | 'cancel' | 'start' | 'skip';

const words: Readonly<Record<Command, readonly string[]>> = {
  back: ['back', 'rudi'],
  home: ['menu', 'menyu', 'home', 'mwanzo'],
  more: ['more', 'zaidi'],
  help: ['help', 'msaada', 'usaidizi'],
  stop: ['stop', 'acha', 'simamisha'],
  // Ends a conversation, and never reminders.
  cancel: ['cancel', 'futa'],
  start: ['start', 'anza'],
  skip: ['skip', 'endelea', 'ruka', 'hakuna'],
};

const by_key = new Map<string, Command>([
  ['0', 'back'],
  ['00', 'home'],
  ['98', 'more'],
]);

const by_word = new Map(
  Object.entries(words).flatMap(([command, all]) =>
    all.map((word) => [word, command as Command] as const),
  ),
);

const greetings = new Set(
  'hi,hello,hey,hallo,habari,habari yako,hujambo,jambo,mambo,sasa,niaje,salaam,salamu'.split(','),
);

/** Whether a flow may not begin with this word. */
export function isEnginesWord(word: string): boolean {
  return by_word.has(normal(word));
}

/** A first message that asks for nothing yet. */
export function isGreeting(text: string): boolean {
  return greetings.has(normal(text).replace(/[!.?]+$/, ''));
}

/** STOP, which comes before everything. */
export function isStop(heard: unknown): boolean {
  return typeof heard === 'string' && by_word.get(normal(heard)) === 'stop';
}

/**
 * What of the engine's own was asked for. 0, 00 and 98 are keys on USSD and wherever numbers
 * choose; a question that takes typing on WhatsApp may be answered with them. `skip` counts where
 * it is offered.
 */
export function commandIn(
  text: string,
  channel: Channel,
  step: AskStep | undefined,
): Command | undefined {
  const said = normal(text);
  const numbered = channel === 'ussd' || (step !== undefined && step.answers.of !== 'typed');
  const command = by_word.get(said) ?? (numbered ? by_key.get(said) : undefined);
  return command === 'skip' && !step?.optional ? undefined : command;
}
