const at_once = 32;
const most_waiting = 100_000;
const longest_answer_bytes = 64 * 1024;

export interface Post {
  url: string;
  body: string;
  headers: Record<string, string>;
}

export interface Answer {
  status: number;
  text: string;
}

/** Posts to the app, a few at once; the others wait their turn in memory. */
export interface Sender {
  /** The answer, or undefined when there was none within the time. Never throws. */
  post(it: Post): Promise<Answer | undefined>;
  /** Gives up what is under way and refuses what comes. */
  close(): void;
  readonly closed: AbortSignal;
}

export function openSender(timeout_ms = 10_000): Sender {
  const closing = new AbortController();
  const under_way = new Set<AbortController>();
  const waiting: (() => void)[] = [];
  let busy = 0;

  const turn = async (): Promise<boolean> => {
    if (busy < at_once) busy += 1;
    else if (waiting.length >= most_waiting) return false;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return true;
  };
  // The turn is handed on rather than given back, so that nobody comes in between.
  const done = (): void => {
    const next = waiting.shift();
    if (next) next();
    else busy -= 1;
  };

  return {
    post: async (it) => {
      if (closing.signal.aborted || !(await turn())) return undefined;
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), timeout_ms);
      under_way.add(abort);
      try {
        return closing.signal.aborted ? undefined : await answerTo(it, abort.signal);
      } catch {
        return undefined;
      } finally {
        clearTimeout(timer);
        under_way.delete(abort);
        done();
      }
    },
    close: () => {
      closing.abort();
      for (const abort of under_way) abort.abort();
    },
    closed: closing.signal,
  };
}

async function answerTo(it: Post, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(it.url, {
    method: 'POST',
    body: it.body,
    headers: it.headers,
    redirect: 'manual',
    signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > longest_answer_bytes) break;
  }
  return { status: response.status, text };
}
