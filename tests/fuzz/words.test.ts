import fc from 'fast-check';
import { expect, test } from 'vitest';
import { outsideGsm7 } from '../../src/flow/gsm7.ts';
import { loadMessages, renderMessage } from '../../src/flow/messages.ts';
import { fill, readTemplate, slotsOf } from '../../src/flow/words.ts';
import { flows_folder, house } from '../flow/chat.ts';
import { oddText, runs } from './arbitraries.ts';

const messages = await loadMessages(flows_folder);

const dates = [
  '+275760-09-13T00:00:00Z',
  '-271821-04-20',
  '0000-01-01',
  '2026-02-03',
  '12/31/9999',
];
const value = fc.oneof(oddText, fc.constantFrom(...dates), fc.double(), fc.integer());

test('any value can be said in any format, on one line', () => {
  const formats = [
    '',
    '|money',
    '|exact',
    '|number',
    '|date',
    '|time',
    '|phone',
    '|mask',
    '|short',
  ];
  const how = fc.record({
    format: fc.constantFrom(...formats),
    language: fc.constantFrom('en' as const, 'sw' as const),
    channel: fc.constantFrom('whatsapp' as const, 'ussd' as const, 'sms' as const),
    most: fc.constantFrom(5, 40, Infinity),
  });
  const now = new Date('2026-11-21T09:00:00Z');
  fc.assert(
    fc.property(how, fc.oneof(value, fc.anything()), (it, given) => {
      const read = readTemplate(`{a.b${it.format}}`);
      if ('problem' in read) throw new Error(read.problem);
      const text = { en: read.template, sw: read.template };
      const words = fill(text, { ...it, now, valueOf: () => given });
      expect(words).not.toMatch(/[\n\0]/);
      if (it.channel !== 'whatsapp') expect(outsideGsm7(words)).toBeUndefined();
    }),
    runs(600),
  );
});

test('every message can be said whatever its values are, and USSD and SMS can show it', () => {
  const slots = [...messages.values()].flat().flatMap((line) => slotsOf(line.en));
  const names = [...new Set(slots.map((slot) => slot.path[0]))];
  const values = fc
    .array(value, { minLength: names.length, maxLength: names.length })
    .map((all) => Object.fromEntries(names.map((it, n) => [it, all[n]!])));
  const how = fc.record({
    key: fc.constantFrom(...messages.keys()),
    language: fc.constantFrom('en' as const, 'sw' as const),
    channel: fc.constantFrom('whatsapp' as const, 'ussd' as const, 'sms' as const),
  });
  fc.assert(
    fc.property(how, values, (it, given) => {
      const now = new Date('2026-11-21T09:00:00Z');
      const words = renderMessage(messages, it.key, given, it.language, it.channel, house, now);
      expect(words).not.toBe('');
      if (it.channel !== 'whatsapp') expect(outsideGsm7(words)).toBeUndefined();
    }),
    runs(500),
  );
});
