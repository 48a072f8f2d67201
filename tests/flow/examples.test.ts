import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { type Actions, Attachment, Money } from '../../src/flow/action.ts';
import { Chat, declared, everywhere, flows_folder, loadFiles } from './chat.ts';

const names = ['balance', 'refund', 'approve', 'bet'];
const nothing = z.object({});

// Stand-ins for what the trades will bring.
const actions: Actions = {
  'people.standing': declared({
    input: nothing,
    output: z.object({ owed: Money, credit: Money, wallet: Money }),
  }),
  'refunds.refundable': declared({
    input: nothing,
    output: z.array(z.object({ id: z.string(), ref: z.string(), total: Money })),
    refusals: ['none'],
  }),
  'refunds.request': declared({
    input: z.object({
      order: z.string(),
      reason: z.enum(['late', 'wrong', 'other']),
      explanation: z.string().optional(),
      amount: Money,
      photo: Attachment.optional(),
    }),
    output: z.object({ ref: z.string() }),
    refusals: ['duplicate', 'over_limit'],
  }),
  'payouts.waiting': declared({
    input: nothing,
    output: z.array(
      z.object({
        id: z.string(),
        amount: Money,
        to: z.string(),
        why: z.string(),
        asked_by: z.string(),
      }),
    ),
    refusals: ['none'],
  }),
  'payouts.approve': declared({
    input: z.object({ payout: z.string(), code: z.string() }),
    output: nothing,
    refusals: ['wrong_code', 'locked', 'own_request', 'decided'],
  }),
  'payouts.reject': declared({
    input: z.object({ payout: z.string(), reason: z.string() }),
    output: nothing,
    refusals: ['decided'],
  }),
  'markets.open': declared({
    input: nothing,
    output: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        min: Money,
        max: Money,
        outcomes: z.array(z.object({ id: z.string(), name: z.string(), price: z.number() })),
      }),
    ),
    refusals: ['none', 'not_allowed'],
  }),
  'markets.quote': declared({
    input: z.object({ market: z.string(), outcome: z.string(), stake: Money }),
    output: z.object({ payout: Money }),
    refusals: ['closed'],
  }),
  'markets.bet': declared({
    input: z.object({ market: z.string(), outcome: z.string(), stake: Money }),
    output: z.object({ ref: z.string() }),
    refusals: ['short', 'closed', 'over_limit'],
  }),
};

const answers = {
  'people.standing': { owed: '500.00', credit: '0.00', wallet: '1200.50' },
  'refunds.refundable': [{ id: 'o1', ref: 'ORD-12', total: '500.00' }],
  'refunds.request': { ref: 'RF-9' },
  'payouts.waiting': [
    { id: 'p1', amount: '500.00', to: 'Kamau', why: 'ORD-12 came late', asked_by: 'Zawadi' },
  ],
  'payouts.approve': {},
  'payouts.reject': {},
  'markets.open': [
    {
      id: 'm1',
      title: 'Will Gor Mahia win the league this year?',
      min: '10.00',
      max: '5000.00',
      outcomes: [
        { id: 'yes', name: 'Yes', price: 1.8 },
        { id: 'no', name: 'No', price: 2.25 },
      ],
    },
  ],
  'markets.quote': { payout: '360.00' },
  'markets.bet': { ref: 'BT-7' },
};

const files = Object.fromEntries(
  await Promise.all(
    names.map(async (name) => {
      const file = join(import.meta.dirname, `../fixtures/flows/${name}.yaml`);
      return [name, await readFile(file, 'utf8')] as const;
    }),
  ),
);
const shared = await readFile(join(flows_folder, '_shared.yaml'), 'utf8');
const locked = 'locked: { en: Approval is locked for now., sw: Idhini imefungwa kwa sasa. }';
const flows = await loadFiles({ ...files, _shared: `${shared}\n${locked}\n` }, actions);

const chat = (setting: ConstructorParameters<typeof Chat>[1] = {}) =>
  new Chat(flows, { roles: ['customer', 'admin', 'bettor'], answers, ...setting });

test('the four examples of the format are right for every channel and language', () => {
  expect([...flows.flows.keys()].sort()).toEqual([...names].sort());
});

test.each(everywhere)('a balance is told ($channel, $language)', (at) => {
  expect(chat(at).say(at.language === 'sw' ? 'salio' : 'balance')).toBe(
    at.language === 'sw'
      ? 'Kiasi cha kulipa: KES 500. Ziada: KES 0. Wallet: KES 1,200.50.'
      : 'To pay: KES 500. Paid ahead: KES 0. Wallet: KES 1,200.50.',
  );
});

test('a refund is asked for on WhatsApp, with a photo', () => {
  const it = chat();
  for (const said of ['refund', '1', 'Came late', '900']) it.say(said);
  expect(it.say('400')).toBe('Send a photo, or reply SKIP.');
  expect(it.say('here it comes')).toMatch(/^Please send a photo\./);
  const photo = { id: 'media-1', mime: 'image/jpeg' };
  expect(it.say({ type: 'image', value: photo })).toMatch(/^Refund KES 400 for ORD-12\?/);
  expect(it.say('yes')).toBe('We have your request. Ref RF-9.');
  expect(it.ran.at(-1)?.input).toEqual({ order: 'o1', reason: 'late', amount: '400.00', photo });
  expect(it.last).not.toHaveProperty('copy');
});

test('a refund is asked for on USSD: no photo, and a copy by SMS of what the screen said', () => {
  const it = chat({ channel: 'ussd', language: 'sw' });
  for (const said of ['', 'rudisha', '1', '3', 'Chai ilimwagika', '400']) it.say(said);
  expect(it.say('1')).toBe('Tumepokea ombi lako. Nambari RF-9.');
  expect(it.last).toMatchObject({ copy: 'Tumepokea ombi lako. Nambari RF-9.' });
  expect(it.ran.at(-1)?.input).toMatchObject({ explanation: 'Chai ilimwagika' });
});

test('a USSD session that died is gone on with where it was', () => {
  const it = chat({ channel: 'ussd' });
  for (const said of ['', 'refund', '1', '1', '400']) it.say(said);
  it.wait(3);
  expect(it.dial()).toBe(
    'You were here. Menu is 00.\nRefund KES 400 for ORD-12?\n1 Yes\n2 No\n0 Back',
  );
  expect(it.say('1')).toBe('We have your request. Ref RF-9.');
  expect(it.ran.at(-1)?.input).toMatchObject({ amount: '400.00' });
});

test('what comes late on WhatsApp is no answer; the question is asked again, for a day', () => {
  const it = chat();
  for (const said of ['refund', '1', '1', '400', 'skip']) it.say(said);
  it.wait(30 * 60);
  expect(it.say('1')).toMatch(/^You were here\. For the menu reply MENU\.\nRefund KES 400/);
  expect(it.say('1')).toBe('We have your request. Ref RF-9.');
  for (const said of ['refund', '1', '1', '400', 'skip']) it.say(said);
  it.wait(49 * 60);
  expect(it.say('1')).toMatch(/^This was open for too long and is now closed\. No request was/);
  expect(it.over).toBe(true);
});

test('what somebody wants late they get, whatever they left open', () => {
  const it = chat();
  for (const said of ['refund', '1']) it.say(said);
  it.wait(30 * 60);
  expect(it.say('balance')).toMatch(/^To pay: KES 500\./);
});

test('an approval that was left open ends, a bet begins anew', () => {
  const approving = chat();
  for (const said of ['approve', '1', '1']) approving.say(said);
  approving.wait(11);
  expect(approving.say('739164')).toMatch(/^This was open for too long/);
  expect(approving.ran.map((ran) => ran.action)).toEqual(['payouts.waiting']);

  const betting = chat();
  for (const said of ['bet', '1', '2']) betting.say(said);
  betting.wait(16);
  expect(betting.say('200')).toBe('Choose a market\n1 Will Gor Mahia wi...');
});

test('a bet is placed at the odds that are shown', () => {
  const it = chat();
  it.say('bet');
  expect(it.say('1')).toBe('Will Gor Mahia win the league this year?\n1 Yes 1.80\n2 No 2.25');
  it.say('2');
  expect(it.say('200')).toMatch(/^Bet KES 200\. If you win you get about KES 360\./);
  expect(it.say('1')).toBe('Your bet is placed. Slip BT-7.');
});

test('what needs a code cannot be done by SMS', () => {
  const it = chat({ channel: 'sms' });
  expect(it.say('approve')).toMatch(/^This cannot be done by SMS\. Please write to us on WhatsApp/);
  expect(it.over).toBe(true);
});
