import { expect, test } from 'vitest';
import { loadFlows } from '../../src/flow/load.ts';
import { awaitsSecret, hear } from '../../src/flow/step.ts';
import {
  actions,
  answers,
  Chat,
  everywhere,
  flows_folder,
  house,
  invoices,
  loadFiles,
} from './chat.ts';
import { approve, menu, refund } from './own-flows.ts';

const flows = await loadFlows(flows_folder, actions);

const own = await loadFiles({ refund, approve, menu });

test('a fresh dial shows the menu of what this person may do', () => {
  const chat = new Chat(flows, { channel: 'ussd' });
  expect(chat.say('')).toBe(
    'Hello Kamau. To pay: KES 6,500\nWhat would you like to do?\n1 Check balance\n2 Statement\n3 Pay\n4 Talk to a person\n5 Language / Lugha',
  );
});

test('an admin sees the day, a stranger is welcomed, on each channel in its own words', () => {
  const admin = new Chat(flows, {
    roles: ['admin'],
    language: 'sw',
    answers: {
      'reports.home': {
        role: 'admin',
        name: 'W',
        total: '12500.00',
        n: 2,
        left: '0.00',
        claimed: false,
      },
    },
  });
  expect(admin.say('habari')).toBe(
    'Leo KES 12,500. Yanakusubiri: 2\nUngependa kufanya nini?\n1 Malipo ya leo\n2 Malipo ya karibuni\n3 Malipo yasiyotambulika\n4 Invoice mpya\n5 Invoice zilizo wazi\n6 Angalia salio\n7 Taarifa ya akaunti\n8 Lipa\n9 Wafanyakazi na watu\n10 Lugha / Language',
  );
  const stranger = {
    roles: [],
    answers: {
      'reports.home': { role: 'none', name: '', total: '0.00', n: 0, left: '0.00', claimed: false },
    },
  };
  expect(new Chat(flows, stranger).say('hi')).toMatch(/^Welcome! This is Duka\. Here/);
  expect(new Chat(flows, { ...stranger, channel: 'ussd' }).say('')).toMatch(
    /^Welcome to Duka\. We do not know this number yet\.\nWhat/,
  );
});

test.each(everywhere)(
  'a balance is asked for and an invoice looked at ($channel, $language)',
  (at) => {
    const chat = new Chat(flows, {
      ...at,
      answers: { 'invoices.standing': { owed: '5000.00', credit: '0.00', invoices: invoices(1) } },
    });
    const swahili = at.language === 'sw';
    const back = at.channel !== 'ussd' ? '' : swahili ? '\n0 Rudi' : '\n0 Back';
    expect(chat.say(swahili ? 'Salio' : 'BALANCE')).toBe(
      swahili
        ? `Kiasi cha kulipa: KES 5,000. Ziada: KES 0.\nInvoice gani?\n1 INV-20260203-0001 KES 5,000${back}`
        : `To pay: KES 5,000. Paid ahead: KES 0.\nWhich invoice?\n1 INV-20260203-0001 KES 5,000${back}`,
    );
    expect(chat.say('1')).toBe(
      swahili
        ? 'INV-20260203-0001: imebaki KES 5,000 kati ya KES 5,000, ya kulipwa 3 Feb. Paybill 600000, akaunti INV-20260203-0001.'
        : 'INV-20260203-0001: KES 5,000 left of KES 5,000, due 3 Feb. Paybill 600000, account INV-20260203-0001.',
    );
    expect(chat.over).toBe(true);
  },
);

test('who owes nothing is told so', () => {
  const standing = { owed: '0.00', credit: '200.00', invoices: [] };
  const chat = new Chat(flows, { answers: { 'invoices.standing': standing } });
  expect(chat.say('balance')).toBe('Nothing is left to pay. Paid ahead: KES 200. Thank you.');
});

test('numbers go on counting across the pages and stay valid on every page', () => {
  const chat = new Chat(flows, { channel: 'ussd' });
  expect(chat.say('balance')).toMatch(/\n3 INV-20260203-0003 KES 5,000\n0 Back\n98 More$/);
  expect(chat.say('98')).toMatch(/^4 INV-20260203-0004 [^]*\n0 Back\n98 More$/);
  expect(chat.say('more')).toMatch(/^8 INV-20260203-0008 [^]*\n0 Back$/);
  expect(chat.say('98')).toMatch(/^8 INV/);
  expect(chat.say('0')).toMatch(/^4 INV/);
  expect(chat.say('0')).toMatch(/^To pay: [^]*\n0 Back\n98 More$/);
  expect(chat.say('9')).toMatch(/^INV-20260203-0009:/);
});

test('a choice is made by number, label in either language, or id, however it is written', () => {
  for (const said of ['2', '02', '2.', 'other', ' OTHER ', 'sababu  nyingine', '2 Other']) {
    const chat = new Chat(own);
    chat.say('refund');
    chat.say('ord-1 kes 500');
    expect(chat.say(said), said).toBe('Say it in a few words.');
  }
});

test('yes and no are understood as people write them', () => {
  for (const [said, heard] of [
    ['ndio', 'Ref RF-9.'],
    ['eeh', 'Ref RF-9.'],
    ['la', 'Not sent.'],
  ] as const) {
    const chat = new Chat(own);
    for (const text of ['refund', '1', '1', '100']) chat.say(text);
    expect(chat.say(said)).toBe(heard);
  }
});

test.each(everywhere)(
  'a whole request, with what was answered given to the action ($channel, $language)',
  (at) => {
    const chat = new Chat(own, at);
    chat.say(at.language === 'sw' ? 'rudisha' : 'refund');
    for (const said of ['2', '2', 'cold   food', 'Ksh 1,500.50']) chat.say(said);
    const last = chat.say('1');
    expect(last).toBe(at.language === 'sw' ? 'Nambari RF-9.' : 'Ref RF-9.');
    expect(chat.ran.map(({ action, input }) => [action, input])).toEqual([
      ['orders.list', {}],
      ['orders.refund', { order: 'o2', amount: '1500.50', reason: 'cold food' }],
    ]);
  },
);

test('a question may be skipped where the flow says so, and nowhere else', () => {
  const chat = new Chat(own);
  for (const said of ['refund', '1', '2']) chat.say(said);
  expect(chat.say('endelea')).toBe('How much? Up to KES 500');
  expect(chat.say('skip')).toBe('Enter KES 10 to KES 500.');
  chat.say('100');
  chat.say('yes');
  expect(chat.ran.at(-1)?.input).toEqual({ order: 'o1', amount: '100.00' });
});

test('a step for WhatsApp is skipped on USSD', () => {
  for (const channel of ['whatsapp', 'ussd'] as const) {
    const chat = new Chat(own, { channel });
    for (const said of ['refund', '1', '1']) chat.say(said);
    expect(chat.say('100').includes('Almost done.')).toBe(channel === 'whatsapp');
  }
});

test('back leads to the question before, with what was answered since kept away', () => {
  const chat = new Chat(own, { channel: 'ussd' });
  expect(chat.say('menu')).not.toContain('0 Back');
  expect(chat.say('refund')).toContain('\n0 Back');
  expect(chat.say('1')).toContain('\n0 Back');
  chat.say('1');
  expect(chat.say('0')).toMatch(/^What went wrong\?/);
  expect(chat.say('rudi')).toMatch(/^Which order\?/);
  expect(chat.say('2')).toMatch(/^What went wrong\?/);
  expect(chat.say('1')).toBe('How much? Up to KES 1,500.50\n0 Back');
});

test('back from the first question, 00 and menu lead to the menu', () => {
  for (const said of ['0', '00', 'menu', 'MENYU', 'mwanzo']) {
    const chat = new Chat(own, { channel: 'ussd' });
    chat.say('refund');
    expect(chat.say(said), said).toBe('Menu?\n1 Request refund\n2 Approve');
  }
});

test('0 is an answer where WhatsApp asks for a number, and a way back on USSD', () => {
  const whatsapp = new Chat(own);
  const ussd = new Chat(own, { channel: 'ussd' });
  for (const chat of [whatsapp, ussd]) for (const said of ['refund', '1', '1']) chat.say(said);
  expect(whatsapp.say('0')).toBe('Enter KES 10 to KES 500.');
  expect(ussd.say('0')).toMatch(/^What went wrong\?/);
});

test('a wrong answer asks again and the third ends it', () => {
  const chat = new Chat(own);
  for (const said of ['refund', '1', '1']) chat.say(said);
  expect(chat.say('900')).toBe('Enter KES 10 to KES 500.');
  expect(chat.say('lots')).toBe('Enter KES 10 to KES 500.');
  expect(chat.say('5')).toMatch(/^Let us stop here for now\. Reply MENU/);
  expect(chat.over).toBe(true);
});

test('a wrong choice says so above the question, and an empty answer costs nothing', () => {
  const chat = new Chat(own, { language: 'sw' });
  chat.say('refund');
  expect(chat.say('9')).toMatch(/^Samahani, hatujaelewa\.[^]*\nOda gani\?\n1 ORD-1 KES 500/);
  for (const said of ['', ' ', '']) expect(chat.say(said)).toContain('Oda gani?');
  expect(chat.say('7')).toContain('Oda gani?');
  expect(chat.say('8')).toMatch(/^Tuishie hapa/);
});

test('a refusal that leads back to its question counts as a wrong answer to it', () => {
  const chat = new Chat(own, { answers: { 'orders.refund': { refusal: 'over_limit' } } });
  for (const said of ['refund', '1', '1', '100']) chat.say(said);
  expect(chat.say('yes')).toBe('Enter KES 10 to KES 500.');
  chat.say('200');
  expect(chat.say('yes')).toBe('Enter KES 10 to KES 500.');
  chat.say('300');
  expect(chat.say('yes')).toMatch(/^Let us stop here/);
});

test('our own fault, and a refusal nobody declared, say that it is our side', () => {
  for (const refusal of ['down', 'surprise']) {
    const chat = new Chat(own, { answers: { 'orders.list': { refusal } } });
    expect(chat.say('refund')).toMatch(/^Sorry, we have a problem on our side\./);
    expect(chat.over).toBe(true);
  }
});

test('every visit of an action has a key of its own, and a repeated turn the same', () => {
  const keys = () => {
    const chat = new Chat(own, { answers: { 'orders.refund': { refusal: 'over_limit' } } });
    for (const said of ['refund', '1', '1', '100', 'yes', '200', 'yes']) chat.say(said);
    return chat.ran.map((ran) => ran.key);
  };
  expect(keys()).toEqual(['turn-1:refund:find:1', 'turn-1:refund:send:2', 'turn-1:refund:send:3']);
  expect(keys()).toEqual(keys());
});

test('a start word begins its flow while a question waits, but where any words will do', () => {
  const chat = new Chat(own);
  chat.say('refund');
  expect(chat.say('Idhinisha')).toBe('Enter the code.');
  const typing = new Chat(own);
  for (const said of ['refund', '1', '2']) typing.say(said);
  expect(typing.say('approve')).toMatch(/^How much\?/);
  expect(typing.say('approve')).toBe('Enter the code.');
});

test('what was half done when another flow began is asked again when that one is over', () => {
  const chat = new Chat(own);
  for (const said of ['refund', '1', '1']) chat.say(said);
  expect(chat.say('approve')).toBe('Enter the code.');
  expect(chat.say('refund')).toMatch(/^Which order\?/);
  // Back from the first question of what was begun beside it is to it.
  chat.say('approve');
  expect(chat.say('back')).toMatch(/^How much\?/);
  chat.say('approve');
  expect(chat.say('123456')).toMatch(
    /^Approved.*\nYou were here\. For the menu reply MENU\.\nHow much\? Up to KES 500$/s,
  );
  for (const said of ['100', 'yes']) chat.say(said);
  expect(chat.ran.at(-1)).toMatchObject({ action: 'orders.refund', input: { amount: '100.00' } });
  // Who leaves it twice does not want it.
  const leaving = new Chat(own);
  for (const said of ['refund', '1', '1', 'approve', '123456', 'approve']) leaving.say(said);
  expect(leaving.say('123456')).not.toMatch(/How much/);
  // On USSD there is no room for both.
  const dialled = new Chat(own, { channel: 'ussd' });
  for (const said of ['refund', '1', '1', 'approve']) dialled.say(said);
  expect(dialled.say('123456')).not.toMatch(/How much/);
});

test('a flow that is not open for somebody says so, wherever they ask', () => {
  const chat = new Chat(flows, { roles: ['tenant'] });
  expect(chat.say('balance')).toBe('This is not open for your number. Questions? Call 0700000001.');
  chat.say('menu');
  expect(chat.say('balance')).toBe('This is not open for your number. Questions? Call 0700000001.');
  const actor = { id: 1n, name: null, language: 'en', roles: [], stopped: false } as const;
  const turn = hear(flows, undefined, 'today', 'id', {
    actor,
    channel: 'ussd',
    now: new Date(0),
    values: house,
  });
  expect(turn.next).toBe('over');
});

test('the first words are forgiven: a greeting gets the menu, nonsense the menu with a word', () => {
  expect(new Chat(own).say('Habari!')).toBe('Menu?\n1 Request refund\n2 Approve');
  expect(new Chat(own).say('xyz')).toMatch(/^Sorry, we did not understand\. [^]*\nMenu\?/);
});

test('a word that is nearly right is asked about, never guessed', () => {
  const chat = new Chat(flows, { channel: 'ussd' });
  expect(chat.say('balnce')).toBe(
    'We do not know "balnce". Did you mean BALANCE?\n1 Yes\n2 No, menu\n0 Back',
  );
  expect(chat.say('1')).toMatch(/^To pay: KES 6,500\./);
  const other = new Chat(flows);
  other.say('balanze');
  expect(other.say('no')).toMatch(/^Hello Kamau\./);
  const swahili = new Chat(flows, { language: 'sw' });
  expect(swahili.say('slaio')).toMatch(/^Hatujui "slaio"\. Ulimaanisha SALIO\?/);
  expect(swahili.say('balance')).toMatch(/^Kiasi cha kulipa:/);
  // What is not open for somebody is not offered, and short words are too near to others.
  expect(new Chat(flows).say('todya')).toMatch(/^Sorry, we did not understand\./);
  expect(new Chat(flows).say('bla')).toMatch(/^Sorry, we did not understand\./);
});

test('help keeps the question open, and stop says what was stopped and how to begin again', () => {
  const chat = new Chat(own);
  chat.say('refund');
  expect(chat.say('msaada')).toMatch(
    /^Need a person\? Reply PERSON or call 0700000001\.[^]*\nWhich order\?/,
  );
  expect(chat.say('acha')).toBe(
    'Stopped: Request refund. To begin again, reply REFUND. For everything else, reply MENU. No more reminders: STOP again.',
  );
  expect(chat.over).toBe(true);
  expect(chat.last).not.toHaveProperty('reminders');
  expect(chat.say('acha')).toMatch(/^You will get no more reminders or news from Duka\./);
  expect(chat.last).toMatchObject({ reminders: 'off' });
  const ussd = new Chat(own, { channel: 'ussd', language: 'sw' });
  ussd.say('rudisha');
  expect(ussd.say('stop')).toBe('Umeacha: Omba refund. Kuanza tena, piga *384*123456#.');
});

test('start begins reminders again for who had stopped them, and is the menu for everybody else', () => {
  const chat = new Chat(own, { language: 'sw' });
  expect(chat.say('anza')).toMatch(/^Menyu\?/);
  chat.stopped = true;
  expect(chat.say('ANZA')).toMatch(/^Utapata tena ujumbe wa kukumbusha kutoka Duka\./);
  expect(chat.last).toMatchObject({ next: 'over', reminders: 'on' });
});

test('the language changes in the middle of a turn, and its last words are in the new one', () => {
  const chat = new Chat(flows);
  expect(chat.say('language')).toBe('Which language?\n1 English\n2 Kiswahili');
  expect(chat.say('2')).toBe('Sawa, kuanzia sasa tutatumia Kiswahili.');
  expect(chat.say('menu')).toMatch(/^Habari Kamau\./);
});

test('a flow that was changed is not gone on with', async () => {
  const chat = new Chat(own);
  chat.say('refund');
  chat.flows = await loadFiles({ refund: `# another day\n${refund}`, approve, menu });
  expect(chat.say('1')).toBe(
    'This menu was changed while you were in it. No request was sent. Please begin again.\nMenu?\n1 Request refund\n2 Approve',
  );
});

test('a code goes to its action and nowhere else', () => {
  for (const at of everywhere.filter(({ channel }) => channel !== 'sms')) {
    const wrong = (input: { code: string }) =>
      input.code === '739164' ? { ref: 'RF-9' } : { refusal: 'wrong_code' };
    const chat = new Chat(own, { ...at, answers: { 'orders.approve': wrong } });
    chat.say('approve');
    const session = chat.session;
    expect(session && awaitsSecret(own, session)).toBe(true);
    chat.say('111111');
    chat.say('739164');
    expect(chat.ran.map((ran) => ran.input)).toEqual([{ code: '111111' }, { code: '739164' }]);
    expect(chat.traces.join()).not.toMatch(/739164|111111/);
    expect(chat.over).toBe(true);
  }
});

test('words that cross with a code question cost no try; wrong codes do', () => {
  const chat = new Chat(own, { answers: { 'orders.approve': { refusal: 'wrong_code' } } });
  chat.say('approve');
  for (let count = 0; count < 5; count += 1) expect(chat.say('wait a bit')).toBe('Enter the code.');
  expect(chat.say('123456')).toBe('That did not go through. Please try again.\nEnter the code.');
  expect(chat.say('12')).toBe('Locked.');
  expect(chat.ran).toHaveLength(1);
});

test('a list that came back empty ends kindly', () => {
  const chat = new Chat(own, { answers: { 'orders.list': [] } });
  expect(chat.say('refund')).toBe('There is nothing to choose here now.');
});

test('ways on stand behind a list, choose nothing of it, and may stand alone', () => {
  const one = { ...(answers['payments.unmatched_one'] as object), likely: [] };
  const admin = new Chat(flows, {
    roles: ['admin'],
    answers: {
      'payments.unmatched': { count: 1, payments: [] },
      'payments.unmatched_one': one,
    },
  });
  expect(admin.say('unmatched')).toMatch(/Whose is it\?\n1 Other\n2 Split\n3 Refund\n4 Later$/);
  expect(admin.say('other')).toMatch(/^What does it pay\?/);
  expect(admin.kept).not.toContain('"whose":"other"');
  expect(admin.say('rudi')).toMatch(/1 Other/);
  expect(admin.say('5')).toMatch(/^Sorry, we did not understand/);
  expect(admin.say('4')).toMatch(/^It is kept safe/);
});

test('what an action never declared stays out of the session', () => {
  const orders = [{ id: 'o1', ref: 'ORD-1', total: '500.00', pin: '739164' }];
  const chat = new Chat(own, { answers: { 'orders.list': orders } });
  chat.say('refund');
  expect(chat.kept).not.toContain('739164');
});

test("where a last screen has no room, people's text is cut and what is paid to is not", () => {
  const payment = {
    id: '1',
    receipt: 'NLJ7RT61SV',
    amount: '500.00',
    at: '2026-02-03T11:30:00Z',
    payer: 'Wanjiku wa Kamau wa Njoroge wa Mwangi wa Karanja',
    account: 'shop in the corner behind the church, the blue one',
    state: 'matched',
    paid_for: 'INV-20260203-0001, INV-20260203-0002, INV-20260203-0003',
  };
  const chat = new Chat(flows, {
    roles: ['admin'],
    channel: 'ussd',
    answers: { 'payments.recent': [payment] },
  });
  chat.say('list');
  expect(chat.say('1')).toBe(
    'NLJ7RT61SV, 3 Feb 14:30\nKES 500.00 from Wanjiku wa Kamau wa N...\nAccount: shop in the corner be...\nPaid for: INV-20260203-0001, IN...',
  );
});
