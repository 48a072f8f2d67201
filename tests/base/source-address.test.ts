import { expect, test } from 'vitest';
import { networkList } from '../../src/base/config.ts';
import { isAmong, sourceAddress } from '../../src/base/source-address.ts';

const nobody = networkList([]);
const proxies = networkList(['10.0.0.0/8', '::1']);

test('without a declared proxy the connection is the source, whatever the header says', () => {
  expect(sourceAddress('203.0.113.9', '196.201.214.200', nobody)).toBe('203.0.113.9');
  expect(sourceAddress('::ffff:203.0.113.9', undefined, nobody)).toBe('203.0.113.9');
});

test('behind declared proxies the nearest other address is the source', () => {
  expect(sourceAddress('10.0.0.1', '196.201.214.200', proxies)).toBe('196.201.214.200');
  expect(sourceAddress('10.0.0.1', '1.2.3.4, 196.201.214.200, 10.0.0.7', proxies)).toBe(
    '196.201.214.200',
  );
  expect(sourceAddress('10.0.0.1', 'nonsense', proxies)).toBe('10.0.0.1');
  expect(sourceAddress(undefined, '1.2.3.4', proxies)).toBeNull();
});

test('a network holds its addresses', () => {
  const list = networkList(['196.201.214.0/24']);
  expect(isAmong('196.201.214.200', list)).toBe(true);
  expect(isAmong('196.201.215.1', list)).toBe(false);
  expect(isAmong('not an address', list)).toBe(false);
});
