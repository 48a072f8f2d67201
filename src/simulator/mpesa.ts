import { clock } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { shortMoney } from '../base/money.ts';
import { confirmationBody } from './confirmation.ts';
import { names, shortcodes } from './parties.ts';
import { receiptFor } from './receipts.ts';
import type { Callbacks } from './callbacks.ts';
import type { Post } from './sender.ts';
import {
  accountOf,
  balanceOf,
  type MpesaReversal,
  type MpesaTransaction,
  type MsisdnForm,
  type Truth,
} from './truth.ts';

/** What a customer does on the phone: pays so much to a shortcode, for an account. */
export interface CustomerPayment {
  phone: string;
  amount_cents: bigint;
  account: string;
  shortcode: string;
  name?: string | undefined;
  msisdn_form?: MsisdnForm | undefined;
  /** The prompt that this answers; it ends with it. */
  prompt_id?: string | undefined;
}

export interface Mpesa {
  /** Moves the money and resolves once that is on file; the confirmation follows. */
  pay(payment: CustomerPayment): Promise<MpesaTransaction>;
  /** Gives a payment back to its payer, of which nobody is told. Throws Refusal. */
  reverse(receipt: string): Promise<MpesaReversal>;
  /** Sends again what was not answered 200, without faults; all of it or one receipt. */
  redeliver(receipt?: string): Promise<{ sent: number; delivered: number }>;
}

export const least_cents = 100n;
export const most_cents = 25_000_000n;

export function openMpesa(truth: Truth, callbacks: Callbacks): Mpesa {
  // Confirmations under way, so that one which is about to be answered is not sent again.
  const under_way = new Map<string, Promise<boolean>>();

  const deliver = (
    transaction: MpesaTransaction,
    send: (it: Post) => Promise<boolean>,
  ): Promise<boolean> => {
    const { receipt } = transaction;
    const delivery = confirm(truth, send, transaction).finally(() => {
      under_way.delete(receipt);
    });
    under_way.set(receipt, delivery);
    return delivery;
  };

  return {
    pay: async (payment) => {
      const transaction = transactionOf(truth, payment);
      const roll = { kind: 'payment', n: truth.state.rolled.payment } as const;
      await truth.record({ kind: 'paid', transaction, prompt_id: payment.prompt_id });
      void deliver(transaction, (it) => callbacks.send(it, roll));
      return transaction;
    },

    reverse: async (receipt) => {
      const paid = truth.state.transactions.get(receipt);
      if (!paid) throw new Refusal('not_found', `There is no payment with the receipt ${receipt}.`);
      if (paid.reversal) throw new Refusal('over', `It was given back: ${paid.reversal.receipt}.`);
      const held_cents = balanceOf(truth.state, accountOf(paid.to));
      if (held_cents < paid.amount_cents)
        throw new Refusal('insufficient', `${paid.to} has only ${shortMoney(held_cents)}.`);
      const at = clock.now();
      const number = truth.nextNumber();
      const balance_cents = held_cents - paid.amount_cents;
      const reversal = {
        receipt: receiptFor(number, at),
        number,
        balance_cents,
        at: at.toISOString(),
      };
      await truth.record({ kind: 'reversed', receipt, reversal });
      return reversal;
    },

    redeliver: async (receipt) => {
      const { transactions } = truth.state;
      const one = receipt === undefined ? undefined : transactions.get(receipt);
      if (receipt !== undefined && !one)
        throw new Refusal('not_found', `There is no payment with the receipt ${receipt}.`);
      const chosen = one ? [one] : [...transactions.values()];
      const results = await Promise.all(
        chosen
          .filter((transaction) => !transaction.delivered)
          .map(async (transaction) => {
            const earlier = under_way.get(transaction.receipt);
            if (earlier && (await earlier)) return 'not sent';
            if (!truth.state.registrations.has(transaction.to)) return 'not sent';
            return (await deliver(transaction, (it) => callbacks.sendAgain(it)))
              ? 'delivered'
              : 'sent';
          }),
      );
      await truth.settled();
      return {
        sent: results.filter((result) => result !== 'not sent').length,
        delivered: results.filter((result) => result === 'delivered').length,
      };
    },
  };
}

/** What the payment would be; refuses what M-Pesa would. */
function transactionOf(truth: Truth, payment: CustomerPayment): MpesaTransaction {
  const { phone, amount_cents } = payment;
  const kind = shortcodes.get(payment.shortcode)?.kind;
  if (kind === undefined)
    throw new Refusal('unknown_shortcode', `Nobody has the shortcode ${payment.shortcode}.`);
  if (kind === 'b2c')
    throw new Refusal(
      'takes_no_payments',
      `${payment.shortcode} pays people and takes no payments.`,
    );
  if (amount_cents < least_cents || amount_cents > most_cents || amount_cents % 100n !== 0n)
    throw new Refusal('wrong_amount', 'An amount is whole shillings, from 1 to 250000.');
  const balance_cents = balanceOf(truth.state, phone);
  if (balance_cents < amount_cents)
    throw new Refusal('insufficient', `${phone} has only ${shortMoney(balance_cents)} on M-Pesa.`);

  const at = clock.now();
  const number = truth.nextNumber();
  return {
    receipt: receiptFor(number, at),
    number,
    kind,
    amount_cents,
    from: phone,
    to: payment.shortcode,
    account: kind === 'till' ? '' : payment.account,
    name: payment.name ?? names.get(phone) ?? null,
    balance_cents: balanceOf(truth.state, accountOf(payment.shortcode)) + amount_cents,
    at: at.toISOString(),
    state: 'completed',
    delivered: false,
    msisdn_form: payment.msisdn_form,
  };
}

/** Posts the confirmation to the registered address; without one the payment completes silently. */
async function confirm(
  truth: Truth,
  send: (it: Post) => Promise<boolean>,
  transaction: MpesaTransaction,
): Promise<boolean> {
  const registration = truth.state.registrations.get(transaction.to);
  if (!registration) return false;
  const delivered = await send({
    url: registration.confirmation_url,
    body: confirmationBody(transaction, registration.version),
    headers: { 'content-type': 'application/json' },
  });
  if (delivered) truth.note({ kind: 'delivered', receipt: transaction.receipt });
  return delivered;
}
