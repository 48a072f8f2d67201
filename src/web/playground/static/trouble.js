// @ts-check
import { get, post } from './api.js';
import { byId } from './dom.js';
import { recall, remember } from './memory.js';

const remembered = 'karani-faults';
// How long the simulator holds a callback that is to be overtaken.
const longest_hold_ms = 10_000;
const late_ms = 8_000;

/**
 * What can go wrong at M-Pesa: each fault with the value that its switch sets, and what it does.
 * Overtaking takes some that wait and some that do not.
 * @type {{ name: string, on: number, words: string }[]}
 */
const faults = [
  { name: 'drop', on: 1, words: 'Pay now: the money moves, and Karani hears nothing.' },
  { name: 'duplicate', on: 1, words: 'Pay now: it comes twice, and counts once.' },
  {
    name: 'delay_ms',
    on: late_ms,
    words: 'Pay now: the money moves at once, and Karani hears of it some seconds later.',
  },
  { name: 'reorder', on: 0.5, words: 'Pay twice: what you paid last may be heard of first.' },
  {
    name: 'lost_response',
    on: 1,
    words: 'Write "pay": the prompt is there, and Karani does not hear that it is.',
  },
  {
    name: 'refuse',
    on: 1,
    words: 'Write "pay": no prompt comes. Karani asks again for a minute, then says so.',
  },
];

/** @param {string} name */
const isOn = (name) => byId(`fault-${name}`).checked;

/** The switches of what can go wrong, and how many callbacks have been lost so far. */
export function openTrouble() {
  const words = byId('lost-words');
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function countLost() {
    try {
      /** @type {{ delivered: boolean, at: string }[]} */
      const all = await get('/sim/mpesa/transactions');
      // What was paid this very moment may be on its way.
      const grace_ms =
        1_000 + (isOn('delay_ms') ? late_ms : 0) + (isOn('reorder') ? longest_hold_ms : 0);
      const ages = all.filter((it) => !it.delivered).map((it) => Date.now() - Date.parse(it.at));
      const young = ages.filter((age_ms) => age_ms <= grace_ms);
      const lost = ages.length - young.length;
      words.textContent =
        lost > 0
          ? `Lost so far: ${lost}. M-Pesa does not send them again by itself.`
          : (faults.find(({ name }) => isOn(name))?.words ??
            'M-Pesa does not send a lost callback again by itself.');
      byId('redeliver').disabled = lost === 0;
      clearTimeout(timer);
      if (young.length > 0) timer = setTimeout(countLost, grace_ms - Math.max(...young) + 200);
    } catch {
      // The next look tells.
    }
  }

  async function setFaults() {
    const wanted = Object.fromEntries(faults.map(({ name, on }) => [name, isOn(name) ? on : 0]));
    try {
      await post('/sim/faults', wanted);
      remember(remembered, JSON.stringify(wanted));
      await countLost();
    } catch (error) {
      words.textContent = error instanceof Error ? error.message : '';
    }
  }

  async function redeliver() {
    try {
      // Callbacks would only be lost again.
      if (isOn('drop')) {
        byId('fault-drop').checked = false;
        await setFaults();
      }
      await post('/sim/mpesa/redeliver', {});
      await countLost();
    } catch (error) {
      words.textContent = error instanceof Error ? error.message : '';
    }
  }

  async function takeBack() {
    try {
      /** @type {{ receipt: string, state: string }[]} */
      const all = await get('/sim/mpesa/transactions');
      const last = all.filter((it) => it.state === 'completed').at(-1);
      if (!last) {
        words.textContent = 'Nothing has been paid yet.';
        return;
      }
      await post('/sim/mpesa/reverse', { receipt: last.receipt });
      words.textContent =
        `${last.receipt} is taken back. Karani learns it from the statement: save it, then run ` +
        'npm run --silent karani -- statement import FILE';
    } catch (error) {
      words.textContent = error instanceof Error ? error.message : '';
    }
  }

  byId('take-back').addEventListener('click', () => void takeBack());
  byId('redeliver').addEventListener('click', () => void redeliver());
  byId('trouble').addEventListener('toggle', () => {
    void countLost();
    if (byId('trouble').open) byId('redeliver').scrollIntoView({ block: 'nearest' });
  });
  // The simulator goes on as it was told, also after the page was loaded anew.
  const before = JSON.parse(recall(remembered) ?? '{}');
  for (const { name } of faults) {
    byId(`fault-${name}`).checked = before[name] > 0;
    byId(`fault-${name}`).addEventListener('change', () => void setFaults());
  }
  if (faults.some(({ name }) => isOn(name))) byId('trouble').open = true;

  return { countLost };
}
