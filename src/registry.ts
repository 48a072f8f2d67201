import { creditDues } from './customers/dues.ts';
import type { Actions } from './flow/action.ts';
import { invoiceActions } from './invoices/actions.ts';
import { invoiceChecks } from './invoices/checks.ts';
import { invoiceDues } from './invoices/dues.ts';
import { type Check, ledgerChecks } from './ledger/verify.ts';
import { paymentActions } from './payments/actions.ts';
import { paymentChecks } from './payments/checks.ts';
import type { Dues } from './payments/due.ts';
import { peopleActions } from './people/actions.ts';
import { reportActions } from './reports/actions.ts';

// The one list of what plugs in. A new trade is a folder and its lines here.

/** What money can pay. Customer credit is the last: it takes what no other does. */
export const dues: readonly Dues[] = [invoiceDues, creditDues];

/** What flows can do. */
export const actions: Actions = {
  ...invoiceActions,
  ...paymentActions,
  ...peopleActions,
  ...reportActions,
};

/** What `karani ledger verify` proves. */
export const checks: readonly Check[] = [...ledgerChecks, ...paymentChecks, ...invoiceChecks];
