/**
 * How fast we may write without looking like a machine that writes to strangers. Answers follow
 * each other at a person's pace; what nobody asked for is rationed too.
 */
export interface Pace {
  /** How long to wait before the next message to this chat, from now; it is counted as sent. */
  wait: (chat: string) => number;
  /** Takes one of the messages that nobody asked for; false when there is none left for now. */
  take: () => boolean;
  /** WhatsApp lets us begin no conversations: none of those until then. */
  rest: (until_ms: number) => void;
}

const chat_gap_ms = [1_500, 3_000] as const;
const any_gap_ms = [300, 900] as const;
const at_once = 5;
const per_minute = 20;
const per_hour = 200;
const hour_ms = 3_600_000;

export function makePace(now: () => number, random: () => number): Pace {
  const next_in_chat = new Map<string, number>();
  let next = 0;
  let left: number = at_once;
  let filled_at = now();
  let unasked: number[] = [];
  let resting_until = 0;
  const between = ([least, most]: readonly [number, number]) => least + (most - least) * random();

  return {
    wait(chat) {
      const at = Math.max(now(), next, next_in_chat.get(chat) ?? 0);
      for (const [other, free_at] of next_in_chat) if (free_at < now()) next_in_chat.delete(other);
      next = at + between(any_gap_ms);
      next_in_chat.set(chat, at + between(chat_gap_ms));
      return at - now();
    },
    take() {
      const at = now();
      left = Math.min(at_once, left + ((at - filled_at) / 60_000) * per_minute);
      filled_at = at;
      unasked = unasked.filter((then) => then > at - hour_ms);
      if (left < 1 || unasked.length >= per_hour || at < resting_until) return false;
      left -= 1;
      unasked.push(at);
      return true;
    },
    rest(until_ms) {
      resting_until = Math.max(resting_until, until_ms);
    },
  };
}
