import { setTimeout as sleep } from 'node:timers/promises';
import { delayOf, type Roll, strikes } from './faults.ts';
import type { Post, Sender } from './sender.ts';
import type { Truth } from './truth.ts';

/** M-Pesa's callbacks on their way to the app, with what goes wrong with them. */
export interface Callbacks {
  /** Sends it, or not, or twice, or late; resolves with whether one was answered 200. */
  send(it: Post, roll: Roll): Promise<boolean>;
  /** Sends it at once and once. */
  sendAgain(it: Post): Promise<boolean>;
}

const longest_hold_ms = 10_000;

export function openCallbacks(truth: Truth, sender: Sender): Callbacks {
  // Those who wait for the next one to leave.
  const held: (() => void)[] = [];

  const sendAgain = async (it: Post): Promise<boolean> => {
    const answer = await sender.post(it);
    for (const letGo of held.splice(0)) letGo();
    return answer?.status === 200;
  };
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: sender.closed, ref: false }).catch(() => undefined);
  const untilNext = () =>
    Promise.race([new Promise<void>((done) => held.push(done)), pause(longest_hold_ms)]);

  return {
    sendAgain,
    send: async (it, roll) => {
      const { faults, age } = truth.state;
      if (strikes(faults, 'drop', roll)) return false;
      const copies = strikes(faults, 'duplicate', roll) ? [1, 2] : [1];
      const answers = await Promise.all(
        copies.map(async (copy) => {
          await pause(delayOf(faults, roll, copy));
          if (strikes(faults, 'reorder', roll)) await untilNext();
          return truth.state.age === age && sendAgain(it);
        }),
      );
      return answers.includes(true);
    },
  };
}
