import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { gsm7Length, outsideGsm7, toGsm7 } from '../../src/flow/gsm7.ts';
import { loadFlows } from '../../src/flow/load.ts';
import { pagesOf } from '../../src/flow/render.ts';
import { actions, Chat, flows_folder, loadFiles } from './chat.ts';
import { approve, menu, refund } from './own-flows.ts';

const flows = await loadFlows(flows_folder, actions);
const own = await loadFiles({ refund, approve, menu });
const secret_only = await loadFiles({
  approve,
  menu: menu.replace('[refund, approve]', '[approve]'),
});

const samples =
  'back,rudi,menu,help,acha,skip,zaidi,balance,leo,statement,mhudumu,balance INV-1,1500,orodha,lugha,pay,refund,approve,,English,500,' +
  'yes,3/2/2026,0722000000,739164,__proto__,constructor,toString,{shop},$down';

const said = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1', '2', '3', '4', '5', '9', '12', '0', '00', '98') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(...samples.split(',')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 200 }) },
);

// Taps of menus and of questions long gone, and things that are sent.
const tapped = fc.oneof(
  fc.record({
    type: fc.constant('tap' as const),
    at: fc.constantFrom('menu', '0123456789ab'),
    id: fc.constantFrom('balance', 'language', 'menu', '_guess', '__proto__', '1', 'yes'),
  }),
  fc.constant({ type: 'image' as const, value: { id: 'm1', mime: 'image/png' } }),
);
const heard = fc.oneof({ weight: 9, arbitrary: said }, { weight: 1, arbitrary: tapped });

const amount = fc.nat({ max: 99_999_999 }).map((cents) => (cents / 100).toFixed(2));
const name = fc.string({ unit: 'grapheme', maxLength: 60 });
const number = fc.nat({ max: 9999 });
const ref = number.map((n) => `INV-20260203-${String(n).padStart(4, '0')}`);
const waiting = fc.record(
  {
    id: name,
    ref: number.map((n) => `UM${n}`),
    receipt: fc.constant('NLJ7RT61SV'),
    left: amount,
    payer: name,
    account: name,
    at: fc.constant('2026-02-03T11:30:00Z'),
    over_limit: fc.boolean(),
    shortcode: fc.constant('700700'),
  },
  { requiredKeys: ['id', 'ref', 'receipt', 'left', 'payer', 'account', 'at', 'over_limit'] },
);
const decided = (...refusals: string[]) =>
  fc.oneof(
    fc.constantFrom(...refusals).map((refusal) => ({ refusal })),
    fc.record({ paid: ref, left: amount }),
  );
const maybe = <T>(it: fc.Arbitrary<T>) => fc.option(it, { nil: undefined });
const phone = maybe(fc.constant('254712345678'));
const customers = fc.array(fc.record({ number: name, name }), { maxLength: 10 });
const invoice = fc.record({
  number: ref,
  name,
  left: amount,
  total: amount,
  due: fc.constant('2026-02-03'),
  state: fc.constantFrom('UNPAID', 'PARTIALLY_PAID', 'PAID', 'VOID'),
  what: name,
});
const invoices = fc.array(invoice, { maxLength: 20 });
const payable = fc.record({ ref, name, of: name, left: amount });
const movements = {
  owed: amount,
  ahead: amount,
  last: fc.array(
    fc.record({
      id: name,
      at: fc.constant('2026-02-03T11:30:00Z'),
      ref: name,
      amount,
      after: amount,
    }),
    { maxLength: 5 },
  ),
  lines: fc.string({ maxLength: 300 }),
};
// What the answers of actions about people are made of.
const staff_role = fc.constantFrom('admin', 'officer', 'cashier');
const of_person = fc.record({
  id: fc.constant('4'),
  who: name,
  phone: fc.constantFrom('254712345678', '-'),
  customers: name,
  owed: amount,
  credit: amount,
});
const request = fc.record({
  id: fc.constant('7'),
  ref,
  who: name,
  kind: fc.constantFrom('grant', 'revoke', 'merge', 'number'),
  role: fc.oneof(staff_role, fc.constant('none')),
  asker: name,
  phone: fc.constantFrom('254712345678', '-'),
  new_phone: fc.constantFrom('254722345678', '-'),
  two: maybe(fc.record({ keep: of_person, other: of_person })),
});
const sent_to_admins = fc.oneof(
  fc.constantFrom('nobody', 'other_open', 'not_allowed').map((refusal) => ({ refusal })),
  fc.record({ ref, asked: fc.nat(9) }),
);
const people_answers = {
  'people.read_staff': fc.oneof(
    fc.constant({ refusal: 'unreadable' }),
    fc.record({
      role: staff_role,
      phone: fc.constant('254712345678'),
      name: maybe(name),
      nameless: fc.boolean(),
    }),
  ),
  'people.name_staff': fc.record({ who: name }),
  'people.ask_grant': sent_to_admins,
  'people.ask_revoke': sent_to_admins,
  'people.read_merge': fc.oneof(
    fc.constantFrom('unreadable', 'unknown', 'same').map((refusal) => ({ refusal })),
    fc.record({ keep: of_person, other: of_person }),
  ),
  'people.ask_merge': sent_to_admins,
  'people.read_number': fc.oneof(
    fc.constantFrom('unreadable', 'unknown', 'own_account').map((refusal) => ({ refusal })),
    fc.constant({ id: '4', who: 'Kamau', from: '254700000004', to: '254722345678' }),
  ),
  'people.ask_number': sent_to_admins,
  'people.requests': fc.oneof(
    fc.constant({ refusal: 'none' }),
    fc.record({ count: fc.nat(3), requests: fc.array(request, { maxLength: 20 }) }),
  ),
  'people.request': fc.oneof(fc.constant({ refusal: 'decided' }), request),
  'people.approve': fc.oneof(
    fc.constantFrom('decided', 'own_request', 'last_admin').map((refusal) => ({ refusal })),
    fc.record({
      result: fc.constantFrom('right', 'wrong', 'used', 'locked', 'none'),
      left: fc.nat(5),
      minutes: fc.nat(15),
    }),
  ),
  'people.refuse': fc.constantFrom({}, { refusal: 'decided' }),
  'people.my_number': fc.record({ known: fc.boolean(), in_use: fc.boolean() }),
  'people.send_old_code': fc.constantFrom({}, { refusal: 'not_understood' }, { refusal: 'yours' }),
  'people.prove_old_number': fc.record({
    result: fc.constantFrom('changed', 'wrong', 'over', 'own_account'),
    name,
  }),
};
const answers = fc.record({
  ...people_answers,
  'reports.home': fc.record({
    role: fc.constantFrom('admin', 'customer', 'other', 'none'),
    name,
    total: amount,
    n: number,
    left: amount,
    claimed: fc.boolean(),
  }),
  'reports.today': fc.record({
    received: amount,
    count: number,
    matched: number,
    unmatched: number,
    unmatched_total: amount,
  }),
  'reports.movements': fc.oneof(
    fc.constantFrom({ refusal: 'none' }, { refusal: 'no_customer' }),
    fc.record(movements),
  ),
  'reports.customer_movements': fc.oneof(
    fc.constant({ refusal: 'none' }),
    fc.record({ ...movements, name, number: name }),
  ),
  'customers.who': fc.oneof(
    fc.constantFrom({ refusal: 'none' }, { refusal: 'not_allowed' }),
    fc.record({ count: fc.nat(3), customers, only: maybe(name) }),
  ),
  'invoices.standing': fc.oneof(
    fc.constant({ refusal: 'no_customer' }),
    fc.record({
      owed: amount,
      credit: amount,
      invoices: fc.array(
        fc.record({ number: name, left: amount, total: amount, due: fc.constant('2026-02-03') }),
        { maxLength: 120 },
      ),
    }),
  ),
  'invoices.customer_standing': fc.oneof(
    fc.constant({ refusal: 'unknown' }),
    fc.record({ number: name, name, owed: amount, credit: amount, open: fc.nat(999) }),
  ),
  'payments.recent': fc.oneof(
    fc.constant({ refusal: 'none' }),
    fc.array(
      fc.record({
        id: name,
        receipt: name,
        amount,
        at: fc.constant('2026-02-03T11:30:00Z'),
        payer: name,
        account: name,
        state: fc.constantFrom('matched', 'unmatched'),
        paid_for: name,
      }),
      { maxLength: 30 },
    ),
  ),
  'payments.unmatched': fc.oneof(
    fc.constantFrom({ refusal: 'none' }, { refusal: 'not_allowed' }),
    fc.record({ count: fc.nat(99), payments: fc.array(waiting, { maxLength: 30 }) }),
  ),
  'payments.unmatched_one': fc.oneof(
    fc.constant({ refusal: 'over' }),
    fc
      .tuple(waiting, fc.array(payable, { maxLength: 3 }))
      .map(([it, likely]) => ({ ...it, likely })),
  ),
  'payments.name_due': fc.oneof(
    fc.constant({ refusal: 'no_such_due' }),
    fc.record({ count: fc.nat(3), found: fc.array(payable, { maxLength: 10 }), only: maybe(ref) }),
  ),
  'payments.named_due': fc.oneof(fc.constant({ refusal: 'no_such_due' }), payable),
  'payments.assign': decided('over', 'no_such_due', 'too_much'),
  'payments.keep_credit': decided('over', 'no_such_due', 'too_much'),
  'payments.split': decided('not_understood', 'several', 'over', 'no_such_due', 'too_much'),
  'payments.mark_refund': fc.constantFrom({ refusal: 'over' }, {}),
  'payments.by_receipt': fc.oneof(
    fc.constantFrom({ refusal: 'unknown' }, { refusal: 'reversed' }),
    fc.record({
      id: name,
      receipt: fc.constant('NLJ7RT61SV'),
      amount,
      at: fc.constant('2026-02-03T11:30:00Z'),
      payer: name,
      account: name,
      state: fc.constantFrom('matched', 'unmatched'),
      paid_for: ref,
    }),
  ),
  'payments.reallocate': decided('unknown', 'over', 'spent', 'no_such_due', 'too_much'),
  'payments.payable': fc.oneof(
    fc.constantFrom({ refusal: 'nothing' }, { refusal: 'no_prompts' }),
    fc.record({
      count: fc.nat(99),
      dues: fc.array(fc.record({ ref, left: amount, due: fc.constant('2026-02-03') }), {
        maxLength: 30,
      }),
    }),
  ),
  'payments.due': fc.oneof(
    fc.constant({ refusal: 'unknown' }),
    fc.record({ ref, left: amount, due: fc.constant('2026-02-03'), most: amount }),
  ),
  'payments.ask': fc.oneof(
    fc
      .constantFrom('unknown', 'too_little', 'too_much', 'over_limit', 'same_again', 'no_prompts')
      .map((refusal) => ({ refusal })),
    fc.record({ ref, amount, how: fc.constantFrom('asked', 'already', 'checking') }),
  ),
  'reports.send_paper': fc.oneof(
    fc.constantFrom('none', 'wrong_way', 'too_long').map((refusal) => ({ refusal })),
    fc.record({ from: fc.constant('2026-02-03'), to: fc.constant('2026-02-04') }),
  ),
  'customers.find': fc.oneof(
    fc.constant({ refusal: 'not_allowed' }),
    fc.record({ count: fc.nat(3), customers, only: maybe(name), name: maybe(name), phone }),
  ),
  'customers.show': fc.oneof(
    fc.constant({ refusal: 'unknown' }),
    fc.record({ number: name, name, phone: name, owed: amount, credit: amount }),
  ),
  'customers.add': fc.oneof(
    fc.constantFrom('exists', 'no_name').map((refusal) => ({ refusal })),
    fc.record({ number: name, name }),
  ),
  'invoices.draft': fc.oneof(
    fc.constant({ refusal: 'unreadable' }),
    fc.record({
      how: fc.constantFrom('one', 'several', 'new'),
      customers,
      only: maybe(name),
      name: maybe(name),
      phone,
      amount: maybe(amount),
      what: maybe(name),
      without: fc.record({ amount: fc.boolean(), what: fc.boolean() }),
    }),
  ),
  'invoices.prepare': fc.record({
    customer: maybe(name),
    name,
    phone,
    amount,
    what: name,
    due: fc.constant('2026-02-03'),
  }),
  'invoices.issue': fc.oneof(
    fc.constantFrom('unknown', 'exists', 'too_early').map((refusal) => ({ refusal })),
    fc.record({ ref, left: amount, credit: amount, told: fc.boolean() }),
  ),
  'invoices.list': fc.oneof(
    fc.constant({ refusal: 'none' }),
    fc.record({ count: fc.nat(999), total: amount, invoices }),
  ),
  'invoices.find': fc.oneof(
    fc.constant({ refusal: 'unknown' }),
    fc.record({
      count: fc.nat(3),
      invoices,
      only: maybe(ref),
      rest: maybe(name),
      without_rest: fc.boolean(),
    }),
  ),
  'invoices.paid': fc.oneof(
    fc.constant({ refusal: 'unknown' }),
    invoice.chain((it) =>
      fc
        .record({ paid: amount, payments: fc.nat(3), last: amount, credit: amount })
        .map((more) => ({
          ...it,
          ...more,
          receipt: 'NLJ7RT61SV',
          at: '2026-02-03T11:30:00Z',
          overdue: false,
        })),
    ),
  ),
  'invoices.void': fc.oneof(
    fc.constantFrom('paid', 'partly_paid', 'void', 'unknown').map((refusal) => ({ refusal })),
    fc.record({ credit: amount }),
  ),
});

test('whatever people say, every turn waits or ends, and every page of USSD fits', () => {
  fc.assert(
    fc.property(
      fc.array(heard, { minLength: 1, maxLength: 15 }),
      answers,
      fc.record({
        channel: fc.constantFrom('whatsapp' as const, 'ussd' as const, 'sms' as const),
        language: fc.constantFrom('en' as const, 'sw' as const),
        roles: fc.subarray(['admin', 'customer', 'owner'] as const),
      }),
      (texts, given, at) => {
        const chat = new Chat(flows, { ...at, answers: given });
        for (const text of texts) {
          const words = chat.say(text);
          expect(words).not.toBe('');
          if (at.channel === 'whatsapp') continue;
          expect(outsideGsm7(words)).toBeUndefined();
          if (at.channel === 'ussd') expect(gsm7Length(words)).toBeLessThanOrEqual(160);
        }
      },
    ),
    { numRuns: 400 },
  );
});

const refusable = (value: unknown, code: string) =>
  fc.constantFrom(value, { refusal: code }, { refusal: 'down' });

test('flows that ask, refuse and lead back do not lose anybody either', () => {
  fc.assert(
    fc.property(
      fc.array(said, { minLength: 1, maxLength: 25 }),
      fc.record(
        {
          'orders.list': fc.constantFrom([], { refusal: 'none' }),
          'orders.refund': refusable({ ref: 'RF-9' }, 'over_limit'),
          'orders.approve': refusable({ ref: 'RF-9' }, 'wrong_code'),
        },
        { requiredKeys: [] },
      ),
      fc.constantFrom('whatsapp' as const, 'ussd' as const),
      (texts, given, channel) => {
        const chat = new Chat(own, { channel, answers: given });
        for (const text of texts) {
          const shown = chat.say(text);
          expect(shown).not.toBe('');
          if (channel === 'ussd') expect(gsm7Length(shown)).toBeLessThanOrEqual(160);
        }
        const keys = chat.ran.map((ran) => ran.key);
        expect(new Set(keys).size).toBe(keys.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('a secret that is typed anywhere is in no session, no words and no key', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('739164'), said), { minLength: 1, maxLength: 15 }),
      refusable({ ref: 'RF-9' }, 'wrong_code'),
      (texts, answer) => {
        const chat = new Chat(secret_only, { answers: { 'orders.approve': answer } });
        for (const text of ['approve', ...texts]) chat.say(text);
        expect(chat.traces.join('\n')).not.toContain('739164');
      },
    ),
    { numRuns: 200 },
  );
});

test('paging shows every option once, whole, in order', () => {
  const label = fc.stringMatching(/^[A-Za-z ]{1,60}$/);
  fc.assert(
    fc.property(fc.array(label, { maxLength: 60 }), fc.boolean(), (labels, can_go_back) => {
      const options = labels.map((text) => () => text);
      const screen = {
        body: 'Choose one',
        options,
        back: () => 'Back',
        more: () => 'More',
        can_go_back,
      };
      const pages = pagesOf('ussd', screen);
      const lines = pages.flatMap((page) => page.split('\n'));
      const shown = lines.filter((line) => !['0 Back', '98 More', 'Choose one'].includes(line));
      expect(shown).toEqual(labels.map((text, index) => `${index + 1} ${text}`));
      for (const page of pages) expect(gsm7Length(page)).toBeLessThanOrEqual(160);
    }),
    { numRuns: 200 },
  );
});

test('any text comes inside the alphabet, and stays what it is when it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const inside = toGsm7(text);
      expect(outsideGsm7(inside)).toBeUndefined();
      expect(toGsm7(inside)).toBe(inside);
    }),
  );
  expect(toGsm7('Wanjikũ “Shop” – it’s 5 € … 😀')).toBe('Wanjiku "Shop" - it\'s 5 € ... ');
});
