import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readOrder } from '../../src/invoices/read-order.ts';

const read = (text: string) => {
  const order = readOrder(text);
  return order && [order.who, order.amount_cents, order.what];
};

test.each([
  ['0712345678 1500 school shoes', '0712345678', 150_000n, 'school shoes'],
  ['0712 345 678 1500 school shoes', '0712 345 678', 150_000n, 'school shoes'],
  ['+254 712 345678 1,500 shoes', '+254 712 345678', 150_000n, 'shoes'],
  ['0712345678 KES 1,500 for school shoes', '0712345678', 150_000n, 'school shoes'],
  ['0712345678 1500 bob 2 pairs of shoes', '0712345678', 150_000n, '2 pairs of shoes'],
  ['CUST-001 1500', 'CUST-001', 150_000n, undefined],
  ['cust 1 1500 viatu', 'cust 1', 150_000n, 'viatu'],
  ['Mary 1500 school shoes', 'Mary', 150_000n, 'school shoes'],
  ['Mary Wanjiku 1.5k', 'Mary Wanjiku', 150_000n, undefined],
  ['Mary ksh 1500 shoes', 'Mary', 150_000n, 'shoes'],
  ['Mary', 'Mary', undefined, undefined],
  ['0712345678', '0712345678', undefined, undefined],
  ['0712345678 school shoes', '0712345678', undefined, 'school shoes'],
  ['Mary 0 shoes', 'Mary', undefined, '0 shoes'],
  ['Mary Njeri 0712345678 2.5k shoes', '0712345678', 250_000n, 'shoes'],
  ['1500 0712345678 school shoes', '0712345678', 150_000n, 'school shoes'],
  ['2,500/= kwa CUST-001', 'CUST-001', 250_000n, undefined],
  ['0712345678 Mary 1500 shoes', '0712345678', 150_000n, 'shoes'],
  ['shoes 1500 CUST-001', 'CUST-001', 150_000n, 'shoes'],
  ['CUST-001 1500 2 pairs', 'CUST-001', 150_000n, '2 pairs'],
  ['CUST-001 2 pairs ksh 1500', 'CUST-001', 150_000n, '2 pairs'],
  ['Mary elfu mbili na mia tano viatu', 'Mary', 250_000n, 'viatu'],
  ['Mary elfu kumi na tano', 'Mary', 1_500_000n, undefined],
  ['Mia 1500 shoes', 'Mia', 150_000n, 'shoes'],
])('%s', (text, who, amount_cents, what) => {
  expect(read(text)).toEqual([who, amount_cents, what]);
});

test('who is not named is not guessed', () => {
  expect(readOrder('1500 Mary shoes')).toMatchObject({
    who: '',
    ways: [{ who: 'Mary shoes' }, { who: 'Mary', what: 'shoes' }],
  });
  expect(read('  ')).toBeUndefined();
});

test('a name stands beside a phone, and nothing is owed below nothing', () => {
  expect(readOrder('Mary Njeri 0712345678 1500 shoes')?.name).toBe('Mary Njeri');
  expect(readOrder('0712345678 Mary 1500 shoes')?.name).toBe('Mary');
  for (const text of ['Mary -500', '0712345678 KES-500 shoes', 'Mary \u2212500'])
    expect(readOrder(text)?.minus).toBe(true);
  expect(readOrder('Mary - 500 shoes')?.minus).toBe(false);
});

test('whatever somebody writes is read or is not, and no amount is below nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const order = readOrder(text);
      expect(order?.amount_cents ?? 1n).toBeGreaterThan(0n);
    }),
  );
});
