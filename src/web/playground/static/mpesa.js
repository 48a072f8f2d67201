// @ts-check
import { post, Refused } from './api.js';
import { byId, el } from './dom.js';
import { showConfirmation, showSms } from './mpesa-sms.js';
import { localPhone, shortMoney } from './words.js';

/** @typedef {{ number: string, left: string, due_on: string }} Invoice */
/** @typedef {{ name: string | null, phone: string, roles: string[], language: string, invoices: Invoice[] }} Person */

/**
 * The M-Pesa menu of the person's phone.
 * @param {{ onPaid: (receipt: string, phone: string) => void }} it
 */
export function openMpesa({ onPaid }) {
  const form = byId('pay');
  const account = byId('pay-account');
  const amount = byId('pay-amount');
  const submit = byId('pay-submit');

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
    showSms('empty', 'The confirmation SMS appears here.');
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
      if (payer.phone === person.phone) showConfirmation(receipt, order);
      onPaid(receipt, payer.phone);
    } catch (error) {
      const words = error instanceof Error ? error.message : 'That did not go through.';
      // After silence nobody knows, so it is not promised then.
      const refused = error instanceof Refused;
      showSms(
        'failed',
        refused ? `${words} Nothing was taken.` : `${words} Please do not pay again.`,
      );
    }
    paying = false;
    submit.disabled = false;
    label();
  }

  form.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    void pay();
  });
  form.addEventListener('input', label);
  form.addEventListener('change', drawTarget);
  drawTarget();
  label();

  return {
    show,
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
