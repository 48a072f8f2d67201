import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eatDate, eatTime, fromDarajaTime, toDarajaTime } from '../../src/base/clock.ts';
import {
  centsFromDecimal,
  centsFromTyped,
  decimalFromCents,
  moneyWords,
  shortMoney,
} from '../../src/base/money.ts';
import { localPhone, maskedPhone, msisdnFrom } from '../../src/base/phone.ts';
import { shownLine, shownText } from '../../src/base/text.ts';
import { oddText, runs } from './arbitraries.ts';

// 13 digits of shillings: the most that is ever read.
const cents = fc.bigInt({ min: 0n, max: 10n ** 15n - 1n });

test('an amount is what its digits say, whatever sign and zeros it is written with', () => {
  const amount = fc.record({ cents, minus: fc.boolean(), zeros: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(amount, (it) => {
      const [whole = '', part = ''] = decimalFromCents(it.cents).split('.');
      const padded = `${'0'.repeat(Math.min(it.zeros, 13 - whole.length))}${whole}`;
      const sign = it.minus ? '-' : '';
      const value = it.minus ? -it.cents : it.cents;
      expect(centsFromDecimal(`${sign}${padded}.${part}`)).toBe(value);
      if (part.endsWith('0')) {
        expect(centsFromDecimal(`${sign}${padded}.${part[0]}`)).toBe(value);
      }
      if (part === '00') expect(centsFromDecimal(`${sign}${padded}`)).toBe(value);
      expect(moneyWords(decimalFromCents(value), false)).toMatch(/^KES -?\d{1,3}(,\d{3})*\.\d\d$/);
      expect(shortMoney(value)).toMatch(/^KES -?\d{1,3}(,\d{3})*(\.\d\d)?$/);
    }),
    runs(300),
  );
});

test('what is not an amount is never one, and never a float', () => {
  const texts = fc.oneof(oddText, fc.double().map(String), fc.stringMatching(/^-?[\d.,e ]{1,18}$/));
  fc.assert(
    fc.property(texts, (text) => {
      const read = centsFromDecimal(text);
      if (read === undefined) return;
      expect(typeof read).toBe('bigint');
      expect(text).toMatch(/^-?[0-9]{1,13}(\.[0-9]{1,2})?$/);
      expect(centsFromDecimal(decimalFromCents(read))).toBe(read);
    }),
    runs(600),
  );
});

test('what somebody typed is an amount that can be written down again, or none', () => {
  const typed = fc
    .tuple(
      fc.constantFrom('', 'ksh ', 'KES', 'Kshs.', 'shilingi ', 'bob'),
      fc.oneof(
        fc.stringMatching(/^\d{1,16}(\.\d{1,3})?$/),
        fc.stringMatching(/^\d{1,3}(,\d{3}){1,5}$/),
      ),
      fc.constantFrom('', 'k', 'K', '/=', '/-', ' bob', 'kk', '%'),
    )
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(typed, oddText), (text) => {
      const read = centsFromTyped(text);
      if (read === undefined) return;
      expect(read).toBeGreaterThanOrEqual(0n);
      expect(centsFromDecimal(decimalFromCents(read))).toBe(read);
    }),
    runs(600),
  );
});

const subscriber = fc
  .tuple(fc.constantFrom('7', '1'), fc.stringMatching(/^\d{8}$/))
  .map((parts) => parts.join(''));

test('every way of writing a Kenyan number gives the one number', () => {
  const begins = fc.constantFrom('254', '+254', '0', '', '00254', '000254', '+254 (0)', '254 0');
  const between = fc.constantFrom('', ' ', '-', '.', ') ');
  fc.assert(
    fc.property(
      subscriber,
      begins,
      between,
      fc.constantFrom('', ' ', '\n'),
      (nine, first, gap, end) => {
        const parts = [nine.slice(0, 3), nine.slice(3, 6), nine.slice(6)].join(gap);
        const number = msisdnFrom(`${end}${first}${parts}${end}`);
        expect(number).toBe(`254${nine}`);
        expect(msisdnFrom(number!)).toBe(number);
        expect(msisdnFrom(localPhone(number!))).toBe(number);
        expect(maskedPhone(number!)).not.toContain(nine);
      },
    ),
    runs(400),
  );
});

test('nothing else is a Kenyan number', () => {
  const abroad = fc
    .tuple(
      fc.constantFrom('1', '7', '20', '27', '44', '91', '251', '255', '256', '2540'),
      fc.stringMatching(/^\d{8,11}$/),
    )
    .map(([code, rest]) => `+${code}${rest}`)
    // Nine digits after a plus are no number of any country, and read as one without its zero.
    .filter((text) => text.length > 10 && !/^\+?2540[17]\d{8}$/.test(text));
  const others = fc.oneof(
    oddText,
    fc.stringMatching(/^[\d +().*-]{5,24}$/),
    fc.stringMatching(/^[0-9a-f]{64}$/),
  );
  fc.assert(
    fc.property(abroad, (text) => {
      expect(msisdnFrom(text)).toBeUndefined();
    }),
    runs(300),
  );
  fc.assert(
    fc.property(others, (text) => {
      const read = msisdnFrom(text);
      if (read === undefined) return;
      expect(read).toMatch(/^254[17][0-9]{8}$/);
      expect(text.replace(/\D/g, '')).toMatch(new RegExp(`^(0{0,3}2540?|0)?${read.slice(3)}$`));
    }),
    runs(600),
  );
});

test("a moment survives Daraja's way of writing it, and no other text is a moment", () => {
  const at = fc.date({
    min: new Date('1000-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(at, (moment) => {
      const text = toDarajaTime(moment);
      expect(text).toMatch(/^\d{14}$/);
      const whole = Math.floor(moment.getTime() / 1000) * 1000;
      expect(fromDarajaTime(text)?.getTime()).toBe(whole);
      expect(eatDate(moment).replaceAll('-', '')).toBe(text.slice(0, 8));
      expect(eatTime(moment).replace(':', '')).toBe(text.slice(8, 12));
    }),
    runs(300),
  );
  fc.assert(
    fc.property(fc.oneof(oddText, fc.stringMatching(/^(19|20)\d{12}$/)), (text) => {
      const read = fromDarajaTime(text);
      if (read !== undefined) expect(toDarajaTime(read)).toBe(text);
    }),
    runs(600),
  );
});

test("a stranger's text is stored and shown as it is cleaned the first time", () => {
  fc.assert(
    fc.property(oddText, fc.nat({ max: 120 }), (text, most) => {
      for (const shown of [shownText, shownLine]) {
        const clean = shown(text, most);
        expect(clean.length).toBeLessThanOrEqual(most);
        expect(clean.isWellFormed()).toBe(true);
        expect(clean).not.toMatch(/(?!\n)\p{Cc}|[\u202A-\u202E\u2066-\u2069\uFEFF]/u);
        expect(clean).toBe(clean.trim());
        expect(shown(clean, most)).toBe(clean);
      }
      expect(shownLine(text, most)).not.toMatch(/[^\S ]| {2}/);
    }),
    runs(800),
  );
});

test('what is cut is cut between characters, and no two words are run together', () => {
  expect(shownText('pesa 💰', 6)).toBe('pesa');
  expect(shownText('1\t500\r\n20\r30', 20)).toBe('1 500\n20\n30');
  expect(shownLine('a \u200B b', 9)).toBe('a b');
});
