// @ts-check
import { byId } from './dom.js';
import { recall, remember } from './memory.js';

const remembered = 'karani-guide';

/**
 * The three steps at the top, which tick themselves off.
 * @param {{ inView: (whose: 'mine' | 'owner') => boolean }} it `inView`: whether that phone is on the screen
 */
export function openGuide({ inView }) {
  const guide = byId('guide');
  const open = byId('guide-open');
  let receipt = '';
  const arrived = { mine: false, owner: false };
  const seen = { mine: false, owner: false };

  /** @param {number} step */
  function done(step) {
    const row = byId(`step-${step}`);
    if (row.dataset.done === 'true') return;
    row.dataset.done = 'true';
    row.querySelector('h3').append(
      Object.assign(document.createElement('span'), {
        className: 'unseen',
        textContent: ' (done)',
      }),
    );
    if ([1, 2, 3].every((n) => byId(`step-${n}`).dataset.done === 'true')) {
      byId('guide-title').textContent = 'That is it!';
    }
  }

  /** @param {boolean} visible */
  function show(visible) {
    guide.hidden = !visible;
    open.hidden = visible;
    remember(remembered, visible ? 'open' : 'closed');
  }

  byId('guide-close').addEventListener('click', () => {
    show(false);
    open.focus();
  });
  open.addEventListener('click', () => {
    show(true);
    byId('guide-close').focus();
  });
  if (recall(remembered) === 'closed') show(false);

  function look() {
    for (const whose of /** @type {const} */ (['mine', 'owner'])) {
      if (arrived[whose] && inView(whose)) seen[whose] = true;
    }
    if (arrived.mine && arrived.owner)
      byId('step-2-words').textContent = 'Alert and receipt are there.';
    if (seen.mine && seen.owner) done(2);
  }

  return {
    /** @param {string} paid the receipt of a payment just made */
    paid(paid) {
      receipt = paid;
      done(1);
    },
    /**
     * @param {'mine' | 'owner'} whose
     * @param {string} text
     */
    heard(whose, text) {
      if (receipt === '' || !text.includes(receipt)) return;
      arrived[whose] = true;
      look();
    },
    /** Another part of the page is on the screen now. */
    look,
    balanceShown: () => done(3),
  };
}
