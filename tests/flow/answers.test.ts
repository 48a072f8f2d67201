import { expect, test } from 'vitest';
import { Chat, loadFiles } from './chat.ts';

// One question of a type, and what was understood.
async function asked(type: string, rest = '', format = '') {
  const text = `flow: q
start: { words: { en: [go], sw: [nenda] } }
steps:
  it: { ask: { en: A?, sw: B? }, type: ${type}${rest} }
  done: { end: { en: "Got {it${format}}.", sw: "Nimepata {it${format}}." } }
`;
  const flows = await loadFiles({ q: text });
  return (said: string, language: 'en' | 'sw' = 'en') => {
    const chat = new Chat(flows, { language });
    chat.say('go');
    return chat.say(said);
  };
}

test('an amount is taken as people write it', async () => {
  const say = await asked('money', ', min: 10, max: "1500.50"', '|exact');
  for (const said of ['1500', '1,500', 'Ksh 1500/=', '1.5K', 'shilingi 1500'])
    expect(say(said)).toBe('Got KES 1,500.00.');
  expect(say('1500.50')).toBe('Got KES 1,500.50.');
  for (const said of ['9', '1500.51', '0', '-20', 'ten', '1.2.3'])
    expect(say(said)).toMatch(/^Please write an amount we can take[^]*\nA\?$/);
});

test('a number has its bounds, and a comma for its thousands', async () => {
  const say = await asked('number', ', min: 2, max: 1200', '|number');
  expect(say('1,200')).toBe('Got 1,200.');
  expect(say('2')).toBe('Got 2.');
  for (const said of ['1', '1201', '1e3', 'two', '٣'])
    expect(say(said)).toMatch(/^Please write a number/);
});

test('a date is the day before the month, and only one that exists', async () => {
  const say = await asked('date', '', '|date');
  for (const said of ['3/2/2026', '03-02-2026', '3.2', '3 Feb', '3 february 2026', '2026-02-03'])
    expect(say(said)).toBe('Got 3 Feb.');
  expect(say('leo')).toBe('Got 10 Feb.');
  expect(say('kesho', 'sw')).toBe('Nimepata 11 Feb.');
  expect(say('5 Mei', 'sw')).toBe('Nimepata 5 Mei.');
  expect(say('3/12/2027')).toBe('Got 3 Dec 2027.');
  for (const said of ['25 Feb', 'Feb 25', '25th February', 'feb 25th, 2026', '25/2/26'])
    expect(say(said)).toBe('Got 25 Feb.');
  // Without a year the nearest is meant: it is 10 February 2026.
  expect([say('20 Dec'), say('5/8')]).toEqual(['Got 20 Dec 2025.', 'Got 5 Aug.']);
  for (const said of ['31/2/2026', '2/13/2026', 'soon', '2026-2-30', 'constructor'])
    expect(say(said)).toMatch(/^Please write a date/);
});

test('a date can be bounded by today', async () => {
  const say = await asked('date', ', min: today', '|date');
  expect(say('9 Feb')).toMatch(/^Please write a date/);
  expect(say('leo')).toBe('Got 10 Feb.');
  // In November 5 Feb is nearest next year, and a day that must be over is this year's.
  const over = await asked('date', ', max: today', '|date');
  expect(over('9 Mar')).toBe('Got 9 Mar 2025.');
});

test('a phone number is Kenyan and mobile, however it is written', async () => {
  const plain = await asked('phone', '', '|phone');
  const masked = await asked('phone', '', '|mask');
  expect(plain('+254 722 000 000')).toBe('Got 0722000000.');
  expect(masked('0722000004')).toBe('Got 0722xxx004.');
  for (const said of ['0722', '+1 202 555 0100', 'mine'])
    expect(plain(said)).toMatch(/^Please write a Kenyan mobile number/);
});

test('a text has its length, on one line', async () => {
  const say = await asked('text', ', min: 2, max: 5');
  expect(say('a\n b')).toBe('Got a b.');
  for (const said of ['a', 'abcdef']) expect(say(said)).toMatch(/A\?$/);
});
