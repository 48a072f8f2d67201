// @ts-check
import { get, post, Refused } from './api.js';
import { byId, el } from './dom.js';
import { showConfirmation, showSms } from './mpesa-sms.js';
import { shortMoney } from './words.js';

const open_ms = 60_000;

/** @typedef {{ id: string, phone: string, amount: number, shortcode: string, account: string, at: string }} Prompt */

/** What M-Pesa writes to who is not let pay; who cancels or ignores it is written nothing. @type {Record<string, string>} */
const failures = {
  1: 'Failed. There is not enough money in your M-PESA account. Nothing was taken.',
  17: 'Failed. You paid the same amount there less than 2 minutes ago. Nothing was taken.',
  2001: 'Failed. You have entered a wrong PIN. Nothing was taken.',
};

/**
 * The prompt on the person's phone.
 * @param {{ onPaid: (receipt: string) => void, onChange: () => void }} it
 *   `onChange`: on some phone a prompt has appeared or vanished
 */
export function openPrompts({ onPaid, onChange }) {
  const box = byId('prompt');
  const words = byId('prompt-words');
  const left = byId('prompt-left');
  /** @type {HTMLButtonElement[]} */
  const buttons = [...box.querySelectorAll('[data-answer]')];

  let phone = '';
  /** All that are open, oldest first. @type {Prompt[]} */
  let all = [];
  /** @type {Prompt | undefined} */
  let shown;
  let answering = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let ticking;
  /** @type {Promise<void> | undefined} */
  let reading;
  let again = false;

  // One reading at a time; whoever asks during one gets another right after it.
  function refresh() {
    again = true;
    reading ??= (async () => {
      while (again) {
        again = false;
        await read();
      }
    })().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function read() {
    const before = all.map((it) => it.id).join();
    try {
      all = await get('/sim/mpesa/prompts');
    } catch {
      return;
    }
    draw();
    if (all.map((it) => it.id).join() !== before) onChange();
  }

  function draw() {
    const prompt = all.find((it) => it.phone === phone);
    if (prompt?.id === shown?.id) return;
    const leaves_focus = box.contains(document.activeElement);
    shown = prompt;
    clearInterval(ticking);
    box.hidden = prompt === undefined;
    if (prompt) {
      words.replaceChildren(...question(prompt));
      ticking = setInterval(tick, 1_000);
      tick();
      byId('pay-scroll').scrollTop = 0;
    } else {
      words.textContent = '';
    }
    // Not on a button that pays, where who presses Enter again would.
    if (leaves_focus) byId('pay-title').focus({ preventScroll: true });
  }

  // The list decides when it is over: this clock may not be the simulator's.
  function tick() {
    if (!shown) return;
    const left_ms = Math.min(Date.parse(shown.at) + open_ms - Date.now(), open_ms);
    left.textContent = left_ms > 0 ? `Runs out in ${Math.ceil(left_ms / 1_000)} s` : 'Running out';
    if (left_ms <= 0) void refresh();
  }

  /** @param {string} answer */
  async function give(answer) {
    if (answering || !shown) return;
    const prompt = shown;
    busy(true);
    try {
      const { result_code, receipt } = await post(
        `/sim/mpesa/prompts/${encodeURIComponent(prompt.id)}`,
        { answer },
      );
      if (prompt.phone === phone) {
        if (receipt) showConfirmation(receipt, { ...prompt, amount: String(prompt.amount) });
        else if (failures[result_code]) showSms('failed', failures[result_code]);
        else showSms('empty', 'The confirmation SMS appears here.');
      }
      if (receipt) onPaid(receipt);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'That did not go through.';
      // After silence nobody knows whether it was taken.
      showSms('failed', error instanceof Refused ? why : `${why} Please do not pay again.`);
    }
    busy(false);
    await refresh();
  }

  /** @param {boolean} is */
  function busy(is) {
    answering = is;
    // Not disabled: that would take the focus away from who uses the keyboard.
    for (const button of buttons) button.setAttribute('aria-disabled', String(is));
  }

  for (const button of buttons)
    button.addEventListener('click', () => void give(button.dataset.answer ?? 'cancel'));

  return {
    refresh,
    /** @param {string} wanted the person's phone */
    show(wanted) {
      phone = wanted;
      draw();
    },
    /** The phones that are asked, the one that has waited longest first. */
    phones: () => all.map((it) => it.phone),
  };
}

/**
 * As M-Pesa's own prompt words it; what is read at a glance is kept on one line.
 * @param {Prompt} prompt
 */
function question({ amount, account }) {
  /** @param {string} words */
  const whole = (words) => el('span', { class: 'whole' }, words);
  return [
    'Do you want to pay ',
    whole(shortMoney(String(amount))),
    ' to DUKA LA WANJIRU',
    ...(account ? [' Account no. ', whole(account)] : []),
    '? Enter M-PESA PIN',
  ];
}
