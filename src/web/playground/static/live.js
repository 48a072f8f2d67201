// @ts-check
import { byId, el, icon } from './dom.js';
import { detailsOf } from './live-details.js';
import { tagOf } from './tags.js';
import { exactTime, localPhone, plain, shortMoney } from './words.js';

/** @typedef {any} Happening what GET /playground/events sends, see happenings.ts */

const most_shown = 80;
const rank = { prompt: 0, callback: 1, payment: 2, ledger: 3, message: 4 };

/** The strip of what happens inside, newest first. */
export function openLive() {
  const list = byId('live');
  const filter = byId('live-filter');
  /** Newest first. @type {{ it: Happening, node: any }[]} */
  let shown = [];
  /** When a receipt was first heard of. @type {Map<string, number>} */
  const heard = new Map();
  let only = '';

  /**
   * @param {Happening[]} happenings
   * @param {boolean} fresh
   */
  function tell(happenings, fresh) {
    const top = list.scrollTop;
    const height = list.scrollHeight;
    for (const it of happenings) {
      if (it.kind === 'callback' && it.receipt && !heard.has(it.receipt)) {
        heard.set(it.receipt, Date.parse(it.at));
      }
      put(it, fresh);
    }
    for (const { node } of shown.splice(most_shown)) node.remove();
    byId('live-empty').hidden = shown.length > 0;
    // Who reads further down is not pushed away from what they read.
    if (top > 40) list.scrollTop = top + list.scrollHeight - height;
  }

  /**
   * @param {Happening} it
   * @param {boolean} fresh
   */
  function put(it, fresh) {
    const old = shown.find((one) => one.it.id === it.id);
    if (old) {
      old.it = it;
      fill(old.node, it);
      return;
    }
    const node = el('li', {
      class: `row${fresh ? ' fresh' : ''}`,
      'data-testid': 'live-item',
      'data-kind': it.kind,
    });
    fill(node, it);
    const next = shown.findIndex((one) => isAfter(it, one.it));
    const at = next < 0 ? shown.length : next;
    const below = shown[at]?.node ?? null;
    list.insertBefore(node, below);
    shown.splice(at, 0, { it, node });
  }

  /**
   * @param {any} node
   * @param {Happening} it
   */
  function fill(node, it) {
    const open = node.querySelector('details')?.open ?? false;
    const focused = node.contains(document.activeElement) ? document.activeElement : null;
    const place = focused?.className;
    node.dataset.state = it.state ?? '';
    // A prompt learns later which payment it has caused.
    node.dataset.receipt = it.receipt ?? '';
    if (it.receipt) node.dataset.tag = tagOf(it.receipt);
    node.hidden = only !== '' && it.receipt !== only;
    const { title, what, state } = headline(it);
    const summary = el(
      'summary',
      {},
      el('span', { class: 'kind' }, icon(it.kind)),
      el('b', {}, title),
      ...(state ? [el('span', { class: 'state', 'data-state': state }, state)] : []),
      el('time', { datetime: it.at }, took(it) || exactTime(it.at)),
      el('span', { class: 'what' }, what),
      ...(it.kind === 'ledger' ? [journal(it.postings)] : []),
    );
    const details = el('details', { open }, summary, ...detailsOf(it));
    const parts = [details];
    if (it.receipt) parts.push(receiptTag(it.receipt));
    node.replaceChildren(...parts);
    if (focused)
      node
        .querySelector(place ? `.${place.split(' ')[0]}` : 'summary')
        ?.focus({ preventScroll: true });
  }

  /** @param {Happening} it */
  function took(it) {
    const from = it.receipt ? heard.get(it.receipt) : undefined;
    const until = it.kind === 'message' ? it.sent_at : it.at;
    if (from === undefined || !until || it.kind === 'callback') return '';
    const ms = Date.parse(until) - from;
    if (ms < 0 || ms > 600_000) return '';
    return ms < 1_000 ? `+${ms} ms` : `+${(ms / 1_000).toFixed(1)} s`;
  }

  /** @param {string} receipt */
  function receiptTag(receipt) {
    const button = el(
      'button',
      {
        type: 'button',
        class: 'tag',
        'data-tag': tagOf(receipt),
        title: 'Show this payment alone',
      },
      receipt,
    );
    button.addEventListener('click', () => show(only === receipt ? '' : receipt));
    return button;
  }

  /** @param {string} receipt */
  function show(receipt) {
    only = receipt;
    filter.hidden = receipt === '';
    filter.textContent = `${receipt} only`;
    filter.append(icon('x'));
    filter.setAttribute('aria-label', `Showing ${receipt} only. Show everything`);
    if (receipt) filter.dataset.tag = tagOf(receipt);
    for (const { it, node } of shown) node.hidden = only !== '' && it.receipt !== only;
    list.scrollTop = 0;
  }

  filter.addEventListener('click', () => {
    show('');
    list.focus({ preventScroll: true });
  });
  return {
    tell,
    showAll: () => show(''),
  };
}

/**
 * @param {Happening} a
 * @param {Happening} b
 */
function isAfter(a, b) {
  if (a.at !== b.at) return Date.parse(a.at) >= Date.parse(b.at);
  if (a.kind !== b.kind)
    return rank[/** @type {'ledger'} */ (a.kind)] > rank[/** @type {'ledger'} */ (b.kind)];
  return Number(a.id.split(':')[1]) > Number(b.id.split(':')[1]);
}

/**
 * @param {Happening} it
 * @returns {{ title: string, what: string, state?: string }}
 */
function headline(it) {
  switch (it.kind) {
    case 'prompt':
      return {
        title: 'Prompt',
        what: `${shortMoney(it.amount)} for ${it.pays} on ${localPhone(it.phone)}`,
        state: it.state,
      };
    case 'callback': {
      const state = it.state === 'failed' ? 'failed' : undefined;
      if (it.phone)
        return {
          title: it.source === 'sms' ? 'SMS' : 'WhatsApp message',
          what: `${localPhone(it.phone)}: ${it.text ?? '(no text)'}`,
          state,
        };
      if (it.source.startsWith('ussd')) return { title: 'USSD', what: 'A key was pressed', state };
      if (it.source === 'pull_transaction')
        return { title: 'M-Pesa was asked', what: 'It told of a payment', state };
      if (it.source === 'statement_line')
        return { title: 'M-Pesa statement', what: 'A line of it was read', state };
      if (!/^(c2b|stk|b2c|b2b)/.test(it.source))
        return { title: 'Callback', what: plain(it.source), state };
      return { title: 'M-Pesa callback', what: saidIn(it.body), state };
    }
    case 'payment': {
      const pays = it.pays.map(
        (/** @type {any} */ p) => `${shortMoney(p.amount)} to ${plain(p.reference)}`,
      );
      const what = pays.join(', ') || `${shortMoney(it.amount)} for "${it.account_typed}"`;
      return { title: 'Payment', what, state: it.state };
    }
    case 'ledger':
      return { title: 'Ledger', what: plain(it.what) };
    default: {
      const words = it.template ? plain(it.template) : (it.words ?? '').split('\n')[0];
      return {
        title: `To ${localPhone(it.to)}`,
        what: (words ?? '').replaceAll('*', ''),
        state: it.state,
      };
    }
  }
}

/**
 * What M-Pesa says, as far as it can be read.
 * @param {string} body
 */
function saidIn(body) {
  try {
    const { TransAmount, BillRefNumber, Body } = JSON.parse(body);
    if (TransAmount)
      return `${shortMoney(TransAmount)}${BillRefNumber ? ` for "${BillRefNumber}"` : ''}`;
    const { ResultDesc, CallbackMetadata } = Body.stkCallback;
    const amount = CallbackMetadata?.Item.find((/** @type {any} */ it) => it.Name === 'Amount');
    return amount
      ? `Prompt paid: ${shortMoney(amount.Value)}`
      : `Prompt not paid: ${ResultDesc.replace(/\.$/, '')}`;
  } catch {
    // Shown as it came when it is opened.
  }
  return 'Kept as it came';
}

/** @type {Record<string, string>} */
const accounts = {
  1000: 'Bank',
  1010: 'M-Pesa',
  1015: 'M-Pesa in settlement',
  1200: 'Receivable',
  1390: 'Taken back after use',
  2010: 'Customer credit',
  2040: 'Unmatched',
  3000: 'Opening balances',
  4000: 'Sales',
  5010: 'M-Pesa charges',
};

/** @param {{ debit: string, credit: string, amount: string }[]} postings */
function journal(postings) {
  return el(
    'span',
    { class: 'journal' },
    ...postings.flatMap((posting) => [
      entry('Dr', posting.debit, posting.amount),
      entry('Cr', posting.credit, posting.amount),
    ]),
  );
}

/**
 * @param {string} side
 * @param {string} code
 * @param {string} amount
 */
function entry(side, code, amount) {
  return el(
    'span',
    { class: 'entry' },
    el('i', {}, side),
    el('code', {}, code),
    el('span', { class: 'account' }, accounts[code.slice(0, 4)] ?? ''),
    el('span', { class: 'sum' }, shortMoney(amount).replace('KES ', '')),
  );
}
