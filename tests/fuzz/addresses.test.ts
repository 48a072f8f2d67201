import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { networkList } from '../../src/base/config.ts';
import { allowedInAddress, newAddressSecret } from '../../src/base/ids.ts';
import { isOneOf, isSigned, keyedHash } from '../../src/base/secrets.ts';
import { sourceAddress } from '../../src/base/source-address.ts';
import { oddText, runs } from './arbitraries.ts';

test('an address secret is one that Daraja takes, in any case and anywhere in the address', () => {
  for (let n = 0; n < 200; n += 1) {
    const secret = newAddressSecret();
    expect(secret).toMatch(/^[A-Za-z0-9]{27}$/);
    expect(allowedInAddress(secret)).toBe(true);
  }
  const word = fc.constantFrom('mpesa', 'M-Pesa', 'SAFARICOM', 'eXe', 'cmd', 'Sql', 'query');
  fc.assert(
    fc.property(oddText, word, oddText, (before, forbidden, after) => {
      expect(allowedInAddress(`${before}${forbidden}${after}`)).toBe(false);
    }),
    runs(100),
  );
});

test('a secret is itself and nothing near it, and a hash for one use is none for another', () => {
  const secrets = fc.array(oddText, { maxLength: 4 });
  fc.assert(
    fc.property(secrets, oddText, oddText, (all, candidate, body) => {
      // Lone surrogates are all one replacement character to UTF-8, and to a hash.
      const bytes = (text: string) => Buffer.from(text).toString('hex');
      expect(isOneOf(all, candidate)).toBe(all.map(bytes).includes(bytes(candidate)));
      expect(isSigned(all, body, candidate)).toBe(false);
      const [first] = all;
      if (first === undefined) return;
      const right = `sha256=${createHmac('sha256', first).update(body).digest('hex')}`;
      expect(isSigned(all, body, right)).toBe(true);
      expect(isSigned(all, `${body}.`, right)).toBe(false);
      expect(isSigned(all, body, right.toUpperCase())).toBe(false);
      expect(keyedHash(first, 'ussd', body)).not.toBe(keyedHash(first, 'other', body));
    }),
    runs(200),
  );
});

const proxies = networkList(['10.0.0.0/8', '::1', 'fd00::/8']);
const proxy = fc.constantFrom('10.0.0.1', '10.255.0.9', '::1', 'fd00::7', '::ffff:10.1.2.3');
const stranger = fc.oneof(
  fc.ipV4().filter((ip) => !ip.startsWith('10.')),
  fc.ipV6().filter((ip) => isIP(ip) === 6 && !/^(::|fd|0*:)/i.test(ip)),
);
const junk = fc.oneof(
  oddText,
  fc.constantFrom('unknown', '10.0.0.1:80', '[::1]', '1.2.3', '_hidden', '::ffff:'),
);

test('behind declared proxies the last stranger is the source, whatever was forged before', () => {
  const forged = fc.array(fc.oneof(junk, stranger, proxy), { maxLength: 5 });
  fc.assert(
    fc.property(
      forged,
      stranger,
      fc.array(proxy, { maxLength: 3 }),
      proxy,
      (before, from, hops, last) => {
        const header = [...before, from, ...hops].join(', ');
        expect(sourceAddress(last, header, proxies)).toBe(from);
        // The same header from somebody who is no proxy is a stranger's talk.
        expect(sourceAddress(from, header, proxies)).toBe(from);
        expect(sourceAddress(from, header, networkList([]))).toBe(from);
      },
    ),
    runs(300),
  );
});

test('garbage for an address is no address, and never an error', () => {
  fc.assert(
    fc.property(
      fc.option(fc.oneof(junk, proxy, stranger)),
      fc.option(junk),
      (connection, header) => {
        const read = sourceAddress(connection ?? undefined, header ?? undefined, proxies);
        expect(read === null || isIP(read) > 0).toBe(true);
      },
    ),
    runs(400),
  );
});
