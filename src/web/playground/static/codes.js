// @ts-check
import { get } from './api.js';
import { byId } from './dom.js';

/**
 * The line under a phone's name that shows what its Authenticator app would: the person's code of
 * this moment, where they have codes.
 * @param {string} name
 */
export function openCodes(name) {
  const line = byId(`${name}-codes`);
  let phone = '';
  /** @type {{ code: string, until_ms: number } | null} */
  let known = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let ticking;

  async function read() {
    const asked = phone;
    let found = null;
    try {
      found = await get(`/playground/code?phone=${asked}`);
    } catch {
      // The next tick asks again.
    }
    if (asked !== phone) return;
    known = found && { code: found.code, until_ms: Date.now() + found.good_for_s * 1000 };
    draw();
  }

  function draw() {
    line.hidden = known === null;
    if (!known) return;
    const left_s = Math.max(0, Math.ceil((known.until_ms - Date.now()) / 1000));
    line.textContent = `Authenticator ${known.code.slice(0, 3)} ${known.code.slice(3)}, new in ${left_s} s`;
  }

  return {
    /**
     * @param {string} shown
     * @param {boolean} has_codes Whether they may have some: staff do.
     */
    show(shown, has_codes) {
      const wanted = has_codes ? shown : '';
      if (wanted === phone) return;
      phone = wanted;
      known = null;
      clearInterval(ticking);
      draw();
      if (wanted === '') return;
      void read();
      ticking = setInterval(() => {
        if (document.hidden) return;
        if (!known || Date.now() >= known.until_ms) void read();
        else draw();
      }, 1_000);
    },
  };
}
