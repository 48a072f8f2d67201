/** The open pages, each at the end of a stream of server-sent events. */
export interface Listeners {
  size: () => number;
  /**
   * A stream for one more page, which is first told `greeting`; undefined when there is no room.
   */
  add: (greeting: string) => Response | undefined;
  tell: (text: string) => void;
  /** Ends every stream, and lets nobody in any more. */
  close: () => void;
}

type Listener = ReadableStreamDefaultController<Uint8Array>;

const most_listeners = 20;
const most_unread = 100;
const encoder = new TextEncoder();

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  // For a proxy that would rather collect first.
  'x-accel-buffering': 'no',
};

/** Opens the list; `none_left` is called when the last page has gone. */
export function openListeners(none_left: () => void): Listeners {
  const listeners = new Set<Listener>();
  let closed = false;

  function leave(listener: Listener): void {
    if (listeners.delete(listener) && listeners.size === 0) none_left();
  }

  function send(listener: Listener, text: string): void {
    // Who does not read is let go, and finds everything in the greeting when they come again.
    if ((listener.desiredSize ?? 0) > 0) {
      listener.enqueue(encoder.encode(text));
    } else {
      leave(listener);
      listener.close();
    }
  }

  return {
    size: () => listeners.size,
    add(greeting) {
      if (closed || listeners.size >= most_listeners) return undefined;
      let own: Listener | undefined;
      const stream = new ReadableStream<Uint8Array>(
        {
          start(listener) {
            own = listener;
            listeners.add(listener);
            send(listener, greeting);
          },
          cancel() {
            if (own) leave(own);
          },
        },
        new CountQueuingStrategy({ highWaterMark: most_unread }),
      );
      return new Response(stream, { headers });
    },
    tell(text) {
      for (const listener of listeners) send(listener, text);
    },
    close() {
      closed = true;
      for (const listener of listeners) {
        leave(listener);
        listener.close();
      }
    },
  };
}
