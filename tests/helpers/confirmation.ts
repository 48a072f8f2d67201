import { moneyAccount } from '../../src/ledger/chart.ts';

/** Where the demo's shortcodes keep their money. */
export const money_accounts = new Map([
  ['600000', moneyAccount('600000', 'paybill')],
  ['600001', moneyAccount('600001', 'till')],
]);

let receipts = 0;

/** A C2B confirmation as Daraja sends it; what is given replaces its fields. */
export function confirmation(change: Record<string, unknown> = {}): Record<string, unknown> {
  receipts += 1;
  return {
    TransactionType: 'Pay Bill',
    TransID: `TKL${String(receipts).padStart(7, '0')}`,
    TransTime: '20261120143000',
    TransAmount: '500.00',
    BusinessShortCode: '600000',
    BillRefNumber: 'INV-20260203-0001',
    InvoiceNumber: '',
    OrgAccountBalance: '49197.00',
    ThirdPartyTransID: '',
    MSISDN: '254700000004',
    FirstName: 'KAMAU',
    MiddleName: '',
    LastName: '',
    ...change,
  };
}
