import { sha256 } from '../src/base/secrets.ts';

/** Customers are numbered from 0 here; their phones, numbers and open invoices follow from that. */
export const msisdnOf = (customer: number) => `2547${String(10_100_000 + customer)}`;
export const openInvoiceOf = (customer: number) => `INV-20261101-${100_000 + customer}`;

/** M-Pesa's receipt of the nth payment. */
export const receiptOf = (nth: number) => `B${1_000_000_000 + nth}`;

/** Whom the nth payment is for: one after the other in leaps, as it happens. */
export const customerOf = (nth: number, customers: number) => (nth * 7_919) % customers;

/** A confirmation as Daraja posts it, of the nth payment: KES 500 on a customer's open invoice. */
export function confirmation(nth: number, customers: number): string {
  const customer = customerOf(nth, customers);
  return written(nth, customer, openInvoiceOf(customer));
}

/** The same of one who typed nothing: only the phone says who it is. */
export function byPhone(nth: number, customer: number): string {
  return written(nth, customer, '');
}

function written(nth: number, customer: number, account: string): string {
  return (
    `{"TransactionType":"Pay Bill","TransID":"${receiptOf(nth)}","TransTime":"20261120143000",` +
    `"TransAmount":"500.00","BusinessShortCode":"600000","BillRefNumber":"${account}",` +
    '"InvoiceNumber":"","OrgAccountBalance":"49197.00","ThirdPartyTransID":"",' +
    `"MSISDN":"${sha256(msisdnOf(customer)).toString('hex')}",` +
    '"FirstName":"KAMAU","MiddleName":"NJOROGE","LastName":"MWANGI"}'
  );
}
