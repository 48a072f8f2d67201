/** Where a command shows how far it is. */
export interface Screen {
  isTTY?: boolean;
  write: (text: string) => unknown;
}

const every_ms = 100;
const width = 30;

/** A bar on one line of a terminal; on anything else nothing. */
export function progressBar(screen: Screen) {
  let shown_at = -every_ms;
  let on_screen = false;
  return {
    show: (what: string, done: number, total: number): void => {
      const now = performance.now();
      if (!screen.isTTY || total <= 0 || now - shown_at < every_ms) return;
      shown_at = now;
      on_screen = true;
      const share = Math.min(1, done / total);
      const full = Math.round(share * width);
      const bar = '█'.repeat(full) + '░'.repeat(width - full);
      screen.write(`\r${what} ${bar} ${Math.floor(share * 100)} %\u001B[K`);
    },
    /** Takes the bar away, so that something else can be written. */
    clear: (): void => {
      if (on_screen) screen.write('\r\u001B[K');
      on_screen = false;
    },
  };
}
