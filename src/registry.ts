import type { Check } from './base/check.ts';
import { conversationChecks } from './conversation/checks.ts';
import { customerActions } from './customers/actions.ts';
import { customerBelongings, handOverCustomers } from './customers/belongings.ts';
import { creditDues } from './customers/dues.ts';
import type { Actions } from './flow/action.ts';
import { invoiceActions } from './invoices/actions.ts';
import { invoiceChecks } from './invoices/checks.ts';
import { inboxChecks } from './inbox/checks.ts';
import { draftActions } from './invoices/draft-actions.ts';
import { invoiceDues } from './invoices/dues.ts';
import { ownerActions } from './invoices/owner-actions.ts';
import { ledgerChecks } from './ledger/verify.ts';
import { statementChecks } from './mpesa-statement/checks.ts';
import { outboxChecks } from './outbox/checks.ts';
import { paymentActions } from './payments/actions.ts';
import { alertChecks, paymentChecks } from './payments/checks.ts';
import type { Dues } from './payments/due.ts';
import { handOverPrompts } from './payments/belongings.ts';
import type { Trade } from './trades.ts';
import { peopleActions } from './people/actions.ts';
import type { Belongings } from './people/belongings.ts';
import { requestActions } from './people/request-actions.ts';
import { staffActions } from './people/staff-actions.ts';
import { reportActions } from './reports/actions.ts';
import { paperActions } from './reports/paper-actions.ts';
import { statementActions } from './reports/statement.ts';

// The one list of what plugs in. A new trade is a folder and its lines here.

/** What money can pay. Customer credit is the last: it takes what no other does. */
export const dues: readonly Dues[] = [invoiceDues, creditDues];

/** The trades by the names of their folders, as the configuration calls them. */
export const trades: readonly Trade[] = [{ name: 'invoices', dues: invoiceDues }];

/** What hangs on persons, where two are found to be one. */
export const belongings: Belongings = {
  ...customerBelongings,
  handOver: async (tx, both) => {
    await handOverCustomers(tx, both);
    await handOverPrompts(tx, both);
  },
};

/** What flows can do. */
export const actions: Actions = {
  ...customerActions(dues),
  ...invoiceActions,
  ...draftActions(dues),
  ...ownerActions,
  ...paymentActions(dues),
  ...peopleActions,
  ...staffActions(belongings),
  ...requestActions(belongings),
  ...reportActions,
  ...statementActions,
  ...paperActions,
};

/** What `karani ledger verify` proves. */
export const checks: readonly Check[] = [
  ...ledgerChecks,
  ...paymentChecks,
  ...statementChecks,
  ...invoiceChecks,
];

/** What `karani check` proves besides: that nothing is stuck and nobody was left untold. */
export const running_checks: readonly Check[] = [
  ...inboxChecks,
  ...outboxChecks,
  ...alertChecks,
  ...conversationChecks,
];
