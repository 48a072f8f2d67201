import { expect, test } from 'vitest';
import {
  eatDate,
  eatTime,
  fromDarajaTime,
  startOfEatDay,
  toDarajaTime,
} from '../../src/base/clock.ts';

test('a day in Nairobi begins three hours before one in London', () => {
  expect(eatDate(new Date('2026-02-03T20:59:59Z'))).toBe('2026-02-03');
  expect(eatDate(new Date('2026-02-03T21:00:00Z'))).toBe('2026-02-04');
  expect(startOfEatDay('2026-02-04').toISOString()).toBe('2026-02-03T21:00:00.000Z');
  expect(eatTime(new Date('2026-02-03T11:30:00Z'))).toBe('14:30');
});

test("Daraja's times are Nairobi's, and impossible ones are none", () => {
  expect(fromDarajaTime('20261006095233')?.toISOString()).toBe('2026-10-06T06:52:33.000Z');
  expect(toDarajaTime(new Date('2026-10-06T06:52:33Z'))).toBe('20261006095233');
  for (const wrong of [
    '',
    '2026100609523',
    '20260231000000',
    '20261306095233',
    '20261006250000',
    'x',
  ]) {
    expect(fromDarajaTime(wrong)).toBeUndefined();
  }
});
