/** What a token may be given, and what it opens. */
export const scopes = {
  'payments:read': 'Payments, prompts, and what each payment has paid',
  'payments:write': 'Asking phones for payments, and saying what payments pay',
  'customers:read': 'Customers, their balances and statements',
  'customers:write': 'Adding customers',
  'invoices:read': 'Invoices',
  'invoices:write': 'Issuing invoices, and making them void',
  'ledger:read': 'Accounts with their balances, and ledger transactions',
  'reports:read': 'Figures by day, the balance of the books, and the last check of them',
  'inbox:read': 'What came, when and from which address, without its contents',
  'inbox:bodies': 'What came, exactly as it came: names, numbers and private messages among it',
} as const;

export type Scope = keyof typeof scopes;

export const scope_names = Object.keys(scopes) as Scope[];

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text);
}
