import type { Guard } from '../guard.ts';

/** What customers are asked to pay: each once, and never beside credit that could pay it. */
export const invoices: Guard[] = [
  {
    guard: 'whoever adds customers at once gets another number',
    file: 'src/base/counters.ts',
    remove: 'do update set last = counters.last + 1',
    put: 'do update set last = counters.last',
    test: 'tests/invoices/invoices.test.ts',
    name: 'customers who are added at once get numbers of their own, one after the other',
  },
  {
    guard: 'a number that was given elsewhere is counted',
    file: 'src/customers/add.ts',
    remove: "await countFrom(tx, 'customer', BigInt(customer.number.slice('CUST-'.length)));",
    put: 'void countFrom;',
    test: 'tests/invoices/invoices.test.ts',
    name: 'a number that was given elsewhere is not given again',
  },
  {
    guard: 'a phone is one customer',
    file: 'src/customers/add.ts',
    remove: "throw new Refusal('exists')",
    put: 'void Refusal',
    test: 'tests/invoices/invoices.test.ts',
    name: 'a phone is one customer',
  },
  {
    guard: 'an invoice is issued once for a key',
    file: 'src/invoices/invoice-customer.ts',
    remove: 'if (before) {',
    put: 'if (before && tx === undefined) {',
    also: [
      {
        file: 'migrations/0016_invoicing.sql',
        remove: 'issued_key text unique check',
        put: 'issued_key text check',
      },
    ],
    test: 'tests/invoices/invoices.test.ts',
    name: 'an invoice is issued once for a key, however often and in how many places at once',
  },
  {
    guard: 'credit pays the next invoice',
    file: 'src/invoices/issue.ts',
    remove: 'await spendCredit(tx, customer);',
    put: 'void spendCredit;',
    test: 'tests/invoices/invoices.test.ts',
    name: 'what was paid ahead pays the next invoice by itself, and the customer hears of it',
  },
  {
    guard: 'a payment sees the invoice that is being issued',
    file: 'src/invoices/dues.ts',
    remove: 'await lockCustomers(tx, customerIds(parties));',
    put: 'void lockCustomers;',
    test: 'tests/invoices/invoices.test.ts',
    name: 'a payment that comes while an invoice is being issued pays it',
  },
  {
    guard: 'an invoice that a payment has paid is not made void',
    file: 'src/invoices/void.ts',
    remove: 'invoice.outstanding_cents + credit_cents < invoice.total_cents',
    put: 'invoice.total_cents < 0n',
    test: 'tests/invoices/invoices.test.ts',
    name: 'an invoice that a payment has paid is not made void',
  },
  {
    guard: 'credit of a void invoice pays what else is open',
    file: 'src/invoices/void.ts',
    remove: 'await spendCredit(tx, { id: found.customer_id, number: found.customer });',
    put: 'void spendCredit;',
    test: 'tests/invoices/invoices.test.ts',
    name: 'what credit has paid of a void invoice pays what else is open',
  },
];
