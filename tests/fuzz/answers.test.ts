import fc from 'fast-check';
import { expect, test } from 'vitest';
import { centsFromDecimal } from '../../src/base/money.ts';
import { understand } from '../../src/flow/answer.ts';
import type { AskStep, AskType, Flow, Flows, Limit } from '../../src/flow/definition.ts';
import { toGsm7 } from '../../src/flow/gsm7.ts';
import { commandIn, isGreeting } from '../../src/flow/navigation.ts';
import { newSession } from '../../src/flow/session.ts';
import { actions } from '../flow/chat.ts';
import { oddText, runs } from './arbitraries.ts';

// One question that takes typing, as the engine holds it.
function asked(type: AskType, min?: string, max?: string) {
  const limit = (literal?: string): Limit | undefined =>
    literal === undefined ? undefined : { literal };
  const step: AskStep = {
    kind: 'ask',
    ...{ name: 'q', follows: undefined, next: undefined, on: undefined, when: undefined },
    ask: { en: ['?'], sw: ['?'] },
    answers: { of: 'typed', type, min: limit(min), max: limit(max) },
    ...{ tries: 3, tries_over: '$tries_over', error: undefined, optional: false, free: false },
  };
  const flow: Flow = {
    ...{ name: 'f', content: '', hash: 'h', start_words: { en: [], sw: [] }, title: undefined },
    ...{ needs: undefined, folders: [], renamed: undefined, sure: new Map() },
    idle: { after_ms: { whatsapp: 0, ussd: 0, sms: 0 }, redial: false, way: 'end' },
    ...{ first: 'q', steps: new Map([['q', step]]) },
  };
  const flows: Flows = {
    flows: new Map([['f', flow]]),
    earlier: new Map(),
    guess: flow,
    shared: new Map(),
    starts: new Map(),
    actions,
  };
  const ctx = {
    actor: { id: 1n, name: null, language: 'en' as const, roles: [], stopped: false },
    channel: 'whatsapp' as const,
    now: new Date('2026-11-21T09:00:00Z'),
  };
  return (text: string) => {
    const read = understand({ flows, flow, ctx }, newSession(flow, 's', ctx.now), step, text);
    return read.kind === 'value' ? (read.value as string | number) : undefined;
  };
}

const typed = fc.oneof(
  oddText,
  fc.stringMatching(/^([Kk]sh )?\d{1,15}([.,]\d{1,3}){0,3} ?([kK]|bob|\/=)?$/),
  fc.stringMatching(/^\d{1,4}[/. -](\d{1,2}|feb|mac|okt)([/. -]\d{2,5})?$/),
  fc.stringMatching(/^[+0-9 ()-]{3,18}$/),
);

const check = (times: number, holds: (text: string) => void) =>
  fc.assert(fc.property(typed, holds), runs(times));

test('an amount that is taken can be read again, and is within its limits', () => {
  const amount = asked('money', '10', '250000');
  const unlimited = asked('money');
  check(600, (text) => {
    const cents = centsFromDecimal(String(amount(text) ?? '10'))!;
    expect(cents >= 1_000n && cents <= 25_000_000n).toBe(true);
    const any = unlimited(text);
    if (any !== undefined) expect(centsFromDecimal(String(any))).toBeGreaterThan(0n);
  });
  expect(amount('100000000000k')).toBeUndefined();
  expect(amount('250k')).toBe('250000.00');
});

test('a number, a PIN, a code, a phone and a text are what they are called', () => {
  const [number, pin, code] = [asked('number', '-5', '100'), asked('pin'), asked('code')];
  const [phone, words] = [asked('phone'), asked('text', '2', '20')];
  check(600, (text) => {
    const n = number(text) ?? 0;
    expect(typeof n === 'number' && n >= -5 && n <= 100).toBe(true);
    expect(String(pin(text) ?? '0000')).toMatch(/^[0-9]{4,12}$/);
    expect(String(code(text) ?? '0000')).toMatch(/^[0-9]{4,8}$/);
    expect(String(phone(text) ?? '254700000000')).toMatch(/^254[17][0-9]{8}$/);
    const said = String(words(text) ?? 'none');
    expect(Array.from(said).length).toBeGreaterThanOrEqual(2);
    expect(Array.from(said).length).toBeLessThanOrEqual(20);
    expect(said).not.toMatch(/\p{Cc}|^\s|\s$/u);
  });
});

test('a day that is taken is one of the calendar, in years that people mean', () => {
  const date = asked('date');
  check(800, (text) => {
    const day = date(text);
    if (day === undefined) return;
    expect(day).toMatch(/^[12]\d{3}-\d\d-\d\d$/);
    expect(new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10)).toBe(day);
  });
  expect(date('0000-01-01')).toBeUndefined();
  expect(date('1/1/0001')).toBeUndefined();
});

test('any text is a command of the engine’s own or none, and fits a phone once folded', () => {
  check(400, (text) => {
    expect(['back', 'home', 'more', 'help', 'stop', undefined]).toContain(
      commandIn(text, 'ussd', undefined),
    );
    expect([true, false]).toContain(isGreeting(text));
    expect(toGsm7(toGsm7(text))).toBe(toGsm7(text));
  });
});
