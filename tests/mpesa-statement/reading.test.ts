import fc from 'fast-check';
import { expect, test } from 'vitest';
import { followBalance } from '../../src/mpesa-statement/balance.ts';
import { centsFrom, timeFrom } from '../../src/mpesa-statement/cells.ts';
import type { Preamble } from '../../src/mpesa-statement/layouts.ts';
import type { StatementLine } from '../../src/mpesa-statement/lines.ts';
import { progressBar } from '../../src/progress-bar.ts';

test.each([
  ['12-05-2025 22:40:01', '2025-05-12T19:40:01.000Z'],
  ['12/05/2025 22:40:01', '2025-05-12T19:40:01.000Z'],
  ['2025-05-12 22:40:01', '2025-05-12T19:40:01.000Z'],
  ['1/2/2025 9:05:00', '2025-02-01T06:05:00.000Z'],
  [' 12-05-2025  22:40:01 ', '2025-05-12T19:40:01.000Z'],
  [new Date('2025-05-12T22:40:01Z'), '2025-05-12T19:40:01.000Z'],
  [45789.94445601852, '2025-05-12T19:40:01.000Z'],
])('%s is a time of Nairobi, the day first', (cell, at) => {
  expect(timeFrom(cell)?.toISOString()).toBe(at);
});

test.each([
  ...['', '31-02-2025 10:00:00', '12-13-2025 10:00:00', '12-05-2025', '12-05-25 10:00:00'],
  ...['2025-05-12 25:00:00', 'yesterday', -1, 1e12, Number.NaN, true, null],
])('%s is no time', (cell) => {
  expect(timeFrom(cell)).toBeUndefined();
});

test.each([
  ['60,840.00', 60_840_00n],
  ['-5.00', -5_00n],
  ['0.5', 50n],
  ['', 0n],
  [null, 0n],
  [1234.56, 1_234_56n],
  [-10, -10_00n],
  ['1,234,567', 1_234_567_00n],
])('%s is an amount', (cell, cents) => {
  expect(centsFrom(cell)).toBe(cents);
});

test.each(['1,23.00', '1.005', 'five', '5 00', '1e3', 0.001, Number.POSITIVE_INFINITY, '--5'])(
  '%s is no amount',
  (cell) => {
    expect(centsFrom(cell)).toBeUndefined();
  },
);

interface Moved {
  amount: number;
  /** Whether it is of the same second as the one before. */
  together: boolean;
}

const moved = fc.array(
  fc.record({
    amount: fc.integer({ min: -3, max: 3 }).filter((n) => n !== 0),
    together: fc.boolean(),
  }),
  { minLength: 2, maxLength: 40 },
);

function linesOf(all: Moved[], opening: bigint): StatementLine[] {
  let balance = opening;
  let second = 0;
  return all.map(({ amount, together }, index) => {
    balance += BigInt(amount);
    if (!together) second += 1;
    return {
      number: index + 1,
      amount_cents: BigInt(amount),
      balance_cents: balance,
      completed_at: new Date(1_000_000_000_000 + second * 1_000),
    } as StatementLine;
  });
}

function follow(lines: StatementLine[], preamble: Preamble = {}) {
  const balance = followBalance(preamble);
  for (const [index, line] of lines.entries()) balance.add({ ...line, number: index + 1 });
  return balance.end();
}

test('a whole statement has no gap, whichever way it runs and however a second is sorted', () => {
  fc.assert(
    fc.property(moved, fc.boolean(), fc.integer(), (all, newest_first, seed) => {
      const lines = linesOf(all, 1_000n);
      const ends = { opening_cents: 1_000n, closing_cents: lines.at(-1)!.balance_cents! };
      const shuffled = lines
        .map((line, n) => ({ line, by: (n * 7919 + seed) % 101 }))
        .sort(
          (a, b) => a.line.completed_at.getTime() - b.line.completed_at.getTime() || a.by - b.by,
        )
        .map(({ line }) => line);
      for (const file of [lines, shuffled]) {
        const run = newest_first ? file.toReversed() : file;
        expect(follow(run, ends).gap_count).toBe(0);
      }
      expect(follow(newest_first ? lines.toReversed() : lines).gap_count).toBe(0);
    }),
  );
});

test('what is taken out of a statement is what is missing there', () => {
  fc.assert(
    fc.property(moved, fc.nat(), fc.boolean(), (all, pick, newest_first) => {
      const lines = linesOf(
        all.map((it) => ({ ...it, together: false })),
        0n,
      );
      const ends = { opening_cents: 0n, closing_cents: lines.at(-1)!.balance_cents! };
      const [out] = lines.splice(pick % lines.length, 1);
      if (lines.length === 1) return;
      const { gaps } = follow(newest_first ? lines.toReversed() : lines, ends);
      expect(gaps.map((gap) => gap.missing_cents)).toEqual([out!.amount_cents]);
    }),
  );
});

test('gaps at the ends are seen by the balances above the lines', () => {
  const lines = linesOf(
    [
      { amount: 5, together: false },
      { amount: 7, together: false },
    ],
    100n,
  );
  expect(follow(lines, { opening_cents: 90n, closing_cents: 115n }).gaps).toEqual([
    { from_line: null, to_line: 1, missing_cents: 10n },
    { from_line: 2, to_line: null, missing_cents: 3n },
  ]);
  expect(follow(lines, { paid_in_cents: 20n, withdrawn_cents: 0n }).totals).toEqual([
    { name: 'paid in', said_cents: 20n, lines_cents: 12n },
  ]);
});

test('a bar is shown on a terminal alone', () => {
  const written: string[] = [];
  const screen = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
  const none = progressBar(screen(false));
  none.show('Reading', 1, 2);
  none.clear();
  expect(written).toEqual([]);
  const bar = progressBar(screen(true));
  bar.show('Reading', 1, 2);
  bar.clear();
  expect(written).toEqual([
    `\rReading ${'█'.repeat(15)}${'░'.repeat(15)} 50 %\u001B[K`,
    '\r\u001B[K',
  ]);
});
