// @ts-check
import { get, post, Refused } from './api.js';
import { byId, el } from './dom.js';
import { recall, remember } from './memory.js';
import { tagOf } from './tags.js';
import { exactMoney, localPhone, shortMoney } from './words.js';

const remembered = 'karani-faults';

/** @typedef {{ number: string, left: string, due_on: string }} Invoice */
/** @typedef {{ name: string | null, phone: string, roles: string[], language: string, invoices: Invoice[] }} Person */

/**
 * The M-Pesa menu of the person's phone, and what can go wrong with it.
 * @param {{ onPaid: (receipt: string, phone: string) => void }} it
 */
export function openMpesa({ onPaid }) {
  const form = byId('pay');
  const account = byId('pay-account');
  const amount = byId('pay-amount');
  const submit = byId('pay-submit');
  const sms = byId('sms');

  /** @type {Person | undefined} */
  let person;
  let paying = false;

  const shortcode = () => form.elements.namedItem('shortcode').value;
  const isTill = () => shortcode() === '600001';

  function label() {
    const typed = amount.value.trim();
    const words = /^\d{1,9}(\.\d{1,2})?$/.test(typed) ? shortMoney(typed) : '';
    submit.textContent = paying ? 'Paying...' : `Pay ${words}`.trim();
  }

  function drawTarget() {
    byId('pay-account-field').classList.toggle('away', isTill());
    account.disabled = isTill();
  }

  function drawSuggestions() {
    const invoices = person?.invoices ?? [];
    byId('pay-accounts').replaceChildren(
      ...invoices.map((it) => el('option', { value: it.number })),
    );
    byId('pay-suggestions').replaceChildren(
      ...(invoices.length > 0
        ? invoices.slice(0, 3).map((it) => {
            const button = el(
              'button',
              { type: 'button', class: 'chip', 'data-account': it.number },
              el('span', {}, it.number),
              el('b', {}, shortMoney(it.left)),
            );
            button.addEventListener('click', () => {
              account.value = it.number;
              amount.focus();
            });
            return button;
          })
        : [el('p', { class: 'hint' }, 'Nothing to pay. Type any account.')]),
    );
  }

  /** @param {Person} wanted */
  function show(wanted) {
    const other = person?.phone !== wanted.phone;
    person = wanted;
    byId('pay-from').textContent =
      `From ${wanted.name ?? 'a new number'}, ${localPhone(wanted.phone)}`;
    drawSuggestions();
    if (!other) return;
    account.value = wanted.invoices[0]?.number ?? '';
    tell('empty', 'The confirmation SMS appears here.');
  }

  /**
   * @param {'empty' | 'done' | 'failed'} state
   * @param {...(Node | string)} words
   */
  function tell(state, ...words) {
    sms.dataset.state = state;
    byId('sms-words').replaceChildren(...words);
  }

  async function pay() {
    if (paying || !person) return;
    const payer = person;
    const order = {
      phone: payer.phone,
      amount: amount.value.trim().replaceAll(',', ''),
      account: isTill() ? '' : account.value.trim(),
      shortcode: shortcode(),
    };
    paying = true;
    submit.disabled = true;
    label();
    try {
      const { receipt } = await post('/sim/mpesa/pay', order);
      if (payer.phone === person.phone) confirm(receipt, order);
      onPaid(receipt, payer.phone);
    } catch (error) {
      const words = error instanceof Error ? error.message : 'That did not go through.';
      // After silence nobody knows, so it is not promised then.
      const refused = error instanceof Refused;
      tell('failed', refused ? `${words} Nothing was taken.` : `${words} Please do not pay again.`);
    }
    paying = false;
    submit.disabled = false;
    label();
    void countLost();
  }

  /**
   * @param {string} receipt
   * @param {{ amount: string, account: string, shortcode: string }} order
   */
  function confirm(receipt, order) {
    const code = el(
      'span',
      { class: 'tag', 'data-tag': tagOf(receipt), 'data-testid': 'mpesa-receipt' },
      receipt,
    );
    const to = order.account ? `for ${order.account}` : `till ${order.shortcode}`;
    const at = new Intl.DateTimeFormat('en-GB', {
      day: 'numeric',
      month: 'numeric',
      year: '2-digit',
      hour: 'numeric',
      minute: '2-digit',
      timeZone: 'Africa/Nairobi',
    }).format(new Date());
    tell(
      'done',
      code,
      ` Confirmed. ${exactMoney(order.amount)} paid to DUKA LA WANJIRU ${to} on ${at.replace(',', ' at')}.`,
    );
  }

  async function countLost() {
    const words = byId('lost-words');
    try {
      /** @type {{ delivered: boolean, at: string }[]} */
      const all = await get('/sim/mpesa/transactions');
      // What was paid this very moment may be on its way.
      const lost = all.filter(
        (it) => !it.delivered && Date.now() - Date.parse(it.at) > 1_000,
      ).length;
      const dropping = byId('fault-drop').checked;
      words.textContent =
        lost > 0
          ? `Lost so far: ${lost}. M-Pesa does not send them again by itself.`
          : dropping
            ? 'Pay now: the money moves, and Karani hears nothing.'
            : byId('fault-duplicate').checked
              ? 'Pay now: it comes twice, and counts once.'
              : 'M-Pesa does not send a lost callback again by itself.';
      byId('redeliver').disabled = lost === 0;
    } catch {
      // The next look tells.
    }
  }

  async function setFaults() {
    const words = byId('lost-words');
    const faults = {
      drop: byId('fault-drop').checked ? 1 : 0,
      duplicate: byId('fault-duplicate').checked ? 1 : 0,
    };
    try {
      await post('/sim/faults', faults);
      remember(remembered, JSON.stringify(faults));
      await countLost();
    } catch (error) {
      words.textContent = error instanceof Error ? error.message : '';
    }
  }

  async function redeliver() {
    try {
      // Callbacks would only be lost again.
      if (byId('fault-drop').checked) {
        byId('fault-drop').checked = false;
        await setFaults();
      }
      await post('/sim/mpesa/redeliver', {});
      await countLost();
    } catch (error) {
      byId('lost-words').textContent = error instanceof Error ? error.message : '';
    }
  }

  form.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    void pay();
  });
  form.addEventListener('input', label);
  form.addEventListener('change', drawTarget);
  byId('fault-drop').addEventListener('change', () => void setFaults());
  byId('fault-duplicate').addEventListener('change', () => void setFaults());
  byId('redeliver').addEventListener('click', () => void redeliver());
  byId('trouble').addEventListener('toggle', () => {
    void countLost();
    if (byId('trouble').open) byId('redeliver').scrollIntoView({ block: 'nearest' });
  });
  // The simulator goes on as it was told, also after the page was loaded anew.
  const faults = JSON.parse(recall(remembered) ?? '{}');
  byId('fault-drop').checked = faults.drop === 1;
  byId('fault-duplicate').checked = faults.duplicate === 1;
  if (faults.drop || faults.duplicate) byId('trouble').open = true;
  drawTarget();
  label();

  return {
    show,
    countLost,
    /** Pays KES 500 to the first open invoice, as the guide asks. */
    payFirst() {
      form.elements.namedItem('shortcode').value = '600000';
      amount.value = '500';
      account.value = person?.invoices[0]?.number ?? account.value;
      drawTarget();
      return pay();
    },
  };
}
