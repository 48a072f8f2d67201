import { toDarajaTime } from '../base/clock.ts';
import { decimalFromCents } from '../base/money.ts';
import { msisdnHash } from '../base/phone.ts';
import type { MpesaTransaction, MsisdnForm, Registration } from './truth.ts';

/**
 * The body of a C2B confirmation, the same bytes each time. What a registration under v1 and under
 * v2 receives differs in how the number is shown and in what stands for nothing: "", null or no
 * field at all.
 */
export function confirmationBody(
  transaction: MpesaTransaction,
  version: Registration['version'],
): string {
  const v1 = version === 'v1';
  const nothing = v1 ? '' : null;
  return JSON.stringify({
    TransactionType: transaction.kind === 'till' ? 'Customer Merchant Payment' : 'Pay Bill',
    TransID: transaction.receipt,
    TransTime: toDarajaTime(new Date(transaction.at)),
    TransAmount: decimalFromCents(transaction.amount_cents),
    BusinessShortCode: transaction.to,
    BillRefNumber: transaction.account,
    InvoiceNumber: nothing,
    OrgAccountBalance: decimalFromCents(transaction.balance_cents),
    ThirdPartyTransID: nothing,
    MSISDN: shownAs(transaction.msisdn_form ?? (v1 ? 'hashed' : 'masked'), transaction.from),
    ...namesOf(transaction.name, v1),
  });
}

function shownAs(form: MsisdnForm, msisdn: string): string {
  if (form === 'clear') return msisdn;
  if (form === 'hashed') return msisdnHash(msisdn);
  return `${msisdn.slice(0, 4)} ***** ${msisdn.slice(-3)}`;
}

function namesOf(name: string | null, v1: boolean): Record<string, string> {
  const [first = '', ...others] = (name ?? '').split(' ').filter((word) => word !== '');
  const last = others.pop() ?? '';
  const all = { FirstName: first, MiddleName: others.join(' '), LastName: last };
  return v1 ? all : Object.fromEntries(Object.entries(all).filter(([, word]) => word !== ''));
}
