import { expect, test } from 'vitest';
import { makeSeal } from '../../src/base/secrets.ts';
import { afterClose, type Standing } from '../../src/channels/whatsapp-linked/disconnects.ts';
import { makePace } from '../../src/channels/whatsapp-linked/pace.ts';

// What the linked number does by itself: when it comes back, how fast it writes, what it seals.

const standing: Standing = { linked: true, failures: 1, replacements: 0, random: 0.5 };
const after = (status: number | undefined, change: Partial<Standing> = {}) => {
  const next = afterClose(status, { ...standing, ...change });
  const when = 'after_ms' in next ? ` in ${next.after_ms / 1_000} s` : '';
  return `${next.do}${when}${next.trouble ? `, ${next.trouble}` : ''}`;
};

test.each([
  [515, 'again in 0 s'],
  [401, 'unlink, logged_out'],
  [419, 'unlink, logged_out'],
  [403, 'stop, blocked'],
  [411, 'stop, blocked'],
  [440, 'again in 45 s'],
  [400, 'again in 900 s, outdated'],
  [405, 'again in 900 s, outdated'],
  [408, 'again in 0.5 s'],
  [428, 'again in 0.5 s'],
  [500, 'again in 0.5 s'],
  [503, 'again in 0.5 s'],
  [undefined, 'again in 0.5 s'],
  [999, 'again in 0.5 s'],
])('after a close with %s: %s', (status, next) => expect(after(status)).toBe(next));

test('a close waits twice as long each time, a minute at most, and after eight a quarter of an hour', () => {
  const waits = [2, 3, 7, 8].map((failures) => after(503, { failures }));
  expect(waits).toEqual(['again in 1 s', 'again in 2 s', 'again in 30 s', 'again in 30 s']);
  expect(after(503, { failures: 9 })).toBe('again in 900 s, failing');
  expect(after(503, { failures: 4, random: 0 })).toBe('again in 0 s');
});

test('who is replaced twice in a row stops, rather than to take turns', () => {
  expect(after(440, { replacements: 1 })).toBe('again in 45 s');
  expect(after(440, { replacements: 2 })).toBe('stop, replaced');
});

test('what nobody scanned in time is offered no longer; without a network it is tried again', () => {
  expect(after(408, { linked: false })).toBe('unlink');
  expect(after(undefined, { linked: false })).toBe('again in 0.5 s');
});

function paced(random = 0) {
  let now = 1_000_000;
  const pace = makePace(
    () => now,
    () => random,
  );
  return { pace, pass: (ms: number) => (now += ms) };
}

test('answers follow each other at a person’s pace, in one chat slower than in several', () => {
  const { pace, pass } = paced();
  expect([pace.wait('a'), pace.wait('b'), pace.wait('a'), pace.wait('b')]).toEqual([
    0, 300, 1_500, 1_800,
  ]);
  pass(10_000);
  expect(pace.wait('a')).toBe(0);
});

test('what nobody asked for is rationed: five at once, twenty a minute, two hundred an hour', () => {
  const { pace, pass } = paced();
  const taken = (times: number) => Array.from({ length: times }, pace.take).filter(Boolean).length;
  expect(taken(10)).toBe(5);
  pass(30_000);
  expect(taken(20)).toBe(5);
  let in_an_hour = 10;
  for (let minute = 0; minute < 58; minute += 0.25) {
    pass(15_000);
    in_an_hour += taken(20);
  }
  expect(in_an_hour).toBe(200);
});

test('who may begin no conversations begins none until the time is over', () => {
  const { pace, pass } = paced();
  pace.rest(1_000_000 + 60_000);
  expect(pace.take()).toBe(false);
  pass(60_001);
  expect(pace.take()).toBe(true);
});

test('what is sealed opens with its key, in its place, unchanged, and nowhere else', () => {
  const { seal, open } = makeSeal('a key', 'purpose');
  const sealed = seal('the words', 'place');
  expect(open(sealed, 'place')).toBe('the words');
  expect(seal('the words', 'place')).not.toEqual(sealed);
  expect(() => open(sealed, 'elsewhere')).toThrow(/authenticate/);
  expect(() => makeSeal('another key', 'purpose').open(sealed, 'place')).toThrow(/authenticate/);
  expect(() => makeSeal('a key', 'other').open(sealed, 'place')).toThrow(/authenticate/);
  const changed = Buffer.from(sealed);
  changed[changed.length - 1]! ^= 1;
  expect(() => open(changed, 'place')).toThrow(/authenticate/);
});
