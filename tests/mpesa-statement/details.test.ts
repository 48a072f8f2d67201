import fc from 'fast-check';
import { expect, test } from 'vitest';
import { meaningOf, type Said } from '../../src/mpesa-statement/details.ts';

const said = (details: string, amount_cents: bigint, change: Partial<Said> = {}): Said => ({
  receipt: 'TKK0000001',
  completed: true,
  account: 'utility',
  details,
  amount_cents,
  ...change,
});
const came = (details: string, change?: Partial<Said>) => meaningOf(said(details, 500_00n, change));
const went = (details: string, change?: Partial<Said>) =>
  meaningOf(said(details, -500_00n, change));

// How a payment begins, and by which word its payer follows.
const heads = fc.constantFrom(
  ...['Pay Bill from', 'Pay Bill Online from', 'Small Business Pay Bill from'],
  ...['Merchant Pay Utility Received from', 'Business Pay Bill via API by', 'FSI to Pay Bill by'],
  ...['Pay Utility with OD via STK from', 'Standing Order Pay Bill from', 'Merchant Payment from'],
  ...['Customer Merchant Payment from', 'Merchant Payment Online from', 'Business Pay Bill from'],
);
const digit = fc.integer({ min: 0, max: 9 }).map(String);
const digits = (length: number) =>
  fc.array(digit, { minLength: length, maxLength: length }).map((all) => all.join(''));
const payers = fc.oneof(
  fc.tuple(digits(3), digits(3)).map(([a, b]) => `254${a}***${b}`),
  digits(3).map((end) => `25470****${end}`),
  digits(3).map((end) => `010****${end}`),
  digits(8).map((rest) => `2547${rest}`),
  digits(6),
);
const word = fc.constantFrom('ALICE', 'Njoroge', "O'BRIEN", 'WA', 'M', 'kamau', 'LTD', 'ACC');
const words = fc.array(word, { minLength: 1, maxLength: 3 });
// What payers type is theirs: Safaricom's own words among it mean nothing.
const typed = fc.oneof(
  fc.constantFrom('', 'INV-20260203-0001', '850060', '0712345678', 'a b c'),
  fc.constantFrom(
    ...['Reversal of TKK0000009', 'Pay Bill Charge', 'Utility Account to Working Account'],
    ...['x Acc. y', 'by 600000 - me', 'from 254700000001 - X Acc. Z', 'to Bank', 'a - b'],
  ),
  fc
    .string({ maxLength: 30 })
    .map((text) => text.replace(/\s+/g, ' ').trim())
    .filter((text) => !/ via [A-Z]{3,10} by /.test(text)),
);

test('who paid, and what they typed, is read out of every form of Details', () => {
  fc.assert(
    fc.property(heads, payers, words, typed, (head, payer, name, account) => {
      const details = `${head} ${payer} - ${name.join(' **** ')} Acc. ${account}`.trim();
      const bank = head.startsWith('FSI') ? ' via WEB by operator' : '';
      expect(came(details + bank)).toMatchObject({
        kind: 'payment',
        payer_given: payer,
        payer_name: name.join(' '),
        // What cannot be shown is not kept.
        ...(/^[\x20-\x7E]*$/.test(account) ? { account_typed: account } : {}),
      });
    }),
    { numRuns: 500 },
  );
});

test('a till has no account, and a payer may have no name', () => {
  expect(came('Merchant Payment from 254727***578 - NAME')).toEqual({
    kind: 'payment',
    payer_given: '254727***578',
    payer_name: 'NAME',
    account_typed: '',
  });
  expect(came('Pay Bill from 25470****111 Acc. 12')).toMatchObject({
    payer_given: '25470****111',
    payer_name: null,
    account_typed: '12',
  });
});

test('where Details says little the other columns are read', () => {
  const columns = {
    reason: 'Pay Utility with OD via STK',
    other_party: '25470****111 - ALICE **** NAME',
    account_no: '850060',
  };
  const all = { payer_given: '25470****111', payer_name: 'ALICE NAME', account_typed: '850060' };
  expect(came('Pay Bill', columns)).toEqual({ kind: 'payment', ...all });
  expect(came('Payment', columns)).toEqual({ kind: 'payment', ...all });
  expect(came('Payment')).toEqual({ kind: 'other' });
});

test('nothing that anybody types makes money that left a payment', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), typed, heads), payers, typed, (head, payer, account) => {
      expect(went(`${head} ${payer} - NAME Acc. ${account}`).kind).not.toBe('payment');
      came(`${head} ${payer} - NAME Acc. ${account}`);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['Pay Bill Charge', { kind: 'charge' }],
  ['Pay merchant Charge', { kind: 'charge' }],
  ['Salary Payment Charge', { kind: 'payout' }],
  ['Business Payment to Customer via API to 254700000001 - NAME', { kind: 'payout' }],
  ['Business Pay Bill via API by 600000 - US Acc. 12', { kind: 'payout' }],
  [
    'Utility Account to Organization Settlement',
    { kind: 'move', from: 'utility', to: 'settlement' },
  ],
  ['Utility Account to Working Account', { kind: 'move', from: 'utility', to: 'working' }],
  ['Agency Withdrawal of funds to Bank', { kind: 'move', from: 'utility', to: 'bank' }],
  [
    'Organization Settlement Account to Organization MMF Account',
    { kind: 'move', from: 'settlement', to: 'working' },
  ],
  ['Working Account to Utility Account', { kind: 'other' }],
  [
    'Pay Bill from 25470****111 - NAME Acc. 12',
    { kind: 'reversal', reversed_receipt: 'TKK0000001' },
  ],
  ['Reversal of TKL4A1B2C3', { kind: 'reversal', reversed_receipt: 'TKL4A1B2C3' }],
  ['Reversal of TKL4A1B2C3 and TKL4A1B2C4', { kind: 'reversal', reversed_receipt: null }],
])('of what left, "%s" is named', (details, meaning) => {
  expect(went(details)).toEqual(meaning);
});

test('a receipt that a payer typed is not the one that was reversed', () => {
  const typed_another = 'Pay Bill Reversal to 25470****111 - NAME Acc. TKL4A1B2C3';
  expect(went(typed_another)).toEqual({ kind: 'reversal', reversed_receipt: null });
  expect(went(typed_another, { linked: 'TKM0000001' })).toEqual({
    kind: 'reversal',
    reversed_receipt: 'TKM0000001',
  });
});

test('a charge that is given back is a charge, and what comes back of a payout is a payout', () => {
  expect(came('Pay Bill Charge')).toEqual({ kind: 'charge' });
  expect(came('Business Payment Reversal from 600000 - US')).toEqual({ kind: 'payout' });
});
