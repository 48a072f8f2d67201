// @ts-check
import { el } from './dom.js';
import { exactMoney, exactTime, plain } from './words.js';

/**
 * What a happening shows when it is opened.
 * @param {any} it
 * @returns {Node[]}
 */
export function detailsOf(it) {
  switch (it.kind) {
    case 'prompt':
      return [
        facts({
          Amount: exactMoney(it.amount),
          'To pay': it.pays,
          'Shown as': it.reference,
          'Result code': it.result_code,
          Asked: exactTime(it.at),
        }),
      ];
    case 'callback':
      return [
        facts({
          Source: plain(it.source),
          Received: exactTime(it.at),
          State: it.state,
          Error: it.error,
        }),
        el('pre', { tabindex: '0', 'aria-label': 'Body as it came' }, pretty(it.body)),
      ];
    case 'payment':
      return [
        facts({
          Amount: exactMoney(it.amount),
          'Paid by': it.payer,
          'Paid to': it.shortcode,
          'Account typed': it.account_typed || 'none',
          'Matched by': rules[it.rule] ?? plain(it.rule),
          'Look at it': it.flag ? plain(it.flag) : null,
          Recorded: exactTime(it.at),
        }),
      ];
    case 'ledger':
      return [facts({ Key: it.key, Recorded: exactTime(it.at) })];
    default:
      return [
        facts({
          Template: it.template ? plain(it.template) : null,
          Queued: exactTime(it.at),
          Sent: it.sent_at ? exactTime(it.sent_at) : null,
          Attempts: String(it.attempts),
          Error: it.error,
          ...it.values,
        }),
        ...(it.words ? [el('pre', { tabindex: '0', 'aria-label': 'Words' }, it.words)] : []),
      ];
  }
}

/** @type {Record<string, string>} */
const rules = {
  prompt: 'the prompt that asked for it',
  reference: 'the account typed',
  customer: 'the customer named',
  single: "the payer's only open invoice",
  amount: 'the amount that fits',
  oldest: 'the earliest due date',
  person: 'a person',
  unmatched: 'nothing: a person decides',
};

/** @param {Record<string, string | null>} it */
function facts(it) {
  return el(
    'dl',
    { class: 'facts' },
    ...Object.entries(it).flatMap(([name, value]) =>
      value === null || value === '' ? [] : [el('dt', {}, name), el('dd', {}, value)],
    ),
  );
}

/** @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
