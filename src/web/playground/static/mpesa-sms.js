// @ts-check
import { byId, el } from './dom.js';
import { tagOf } from './tags.js';
import { exactMoney } from './words.js';

/**
 * What M-Pesa last wrote to the phone.
 * @param {'empty' | 'done' | 'failed'} state
 * @param {...(Node | string)} words
 */
export function showSms(state, ...words) {
  byId('sms').dataset.state = state;
  byId('sms-words').replaceChildren(...words);
}

/**
 * The SMS of a payment that M-Pesa has taken.
 * @param {string} receipt
 * @param {{ amount: string, account: string, shortcode: string }} paid
 */
export function showConfirmation(receipt, paid) {
  const code = el(
    'span',
    { class: 'tag', 'data-tag': tagOf(receipt), 'data-testid': 'mpesa-receipt' },
    receipt,
  );
  const to = paid.account ? `for ${paid.account}` : `till ${paid.shortcode}`;
  const at = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'numeric',
    year: '2-digit',
    hour: 'numeric',
    minute: '2-digit',
    timeZone: 'Africa/Nairobi',
  }).format(new Date());
  showSms(
    'done',
    code,
    ` Confirmed. ${exactMoney(paid.amount)} paid to DUKA LA WANJIRU ${to} on ${at.replace(',', ' at')}.`,
  );
}
