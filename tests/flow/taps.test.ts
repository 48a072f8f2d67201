import { expect, test } from 'vitest';
import type { Choices } from '../../src/flow/session.ts';
import { Chat, loadFiles } from './chat.ts';
import { approve, menu, refund } from './own-flows.ts';

// Choices that are tapped, on WhatsApp.

const own = await loadFiles({ refund, approve, menu });

/** What can be tapped below the last words. */
function choices(chat: Chat): Choices {
  const { last } = chat;
  if (last?.next !== 'wait' || !last.choices) throw new Error('there is nothing to tap');
  return last.choices;
}

const tap = (shown: Choices, id: string) => ({ type: 'tap' as const, at: shown.at, id });

test('a question shows what can be tapped, and a tap answers it as its number would', () => {
  const chat = new Chat(own);
  chat.say('refund');
  expect(choices(chat)).toMatchObject({
    body: 'Which order?',
    options: [
      { id: 'o1', label: 'ORD-1 KES 500' },
      { id: 'o2', label: 'ORD-2 KES 1,500.50' },
    ],
  });
  expect(chat.say(tap(choices(chat), 'o2'))).toMatch(/^What went wrong\?/);
});

test('a tap on the same question about another amount answers nothing', () => {
  const chat = new Chat(own);
  for (const said of ['refund', '1', '1']) chat.say(said);
  expect(chat.say('400')).toMatch(/Refund KES 400 for ORD-1\?/);
  const for_400 = choices(chat);
  chat.say('back');
  expect(chat.say('500')).toMatch(/Refund KES 500 for ORD-1\?/);
  expect(chat.say(tap(for_400, 'yes'))).toMatch(
    /^That was an earlier question\. We are here now:\n[^]*Refund KES 500 for ORD-1\?/,
  );
  expect(chat.ran.map((it) => it.action)).not.toContain('orders.refund');
  expect(chat.say(tap(choices(chat), 'yes'))).toBe('Ref RF-9.');
});

test('the choices of a menu are good for ever, for whoever may begin them', () => {
  const chat = new Chat(own);
  chat.say('menu');
  const shown = choices(chat);
  chat.say('refund');
  expect(chat.say(tap(shown, 'approve'))).toMatch(/^Enter the code\./);
  chat.say('stop');
  expect(chat.say(tap(shown, 'refund'))).toMatch(/^Which order\?/);
  const other = new Chat(own, { roles: ['owner'] });
  expect(other.say(tap(shown, 'refund'))).not.toMatch(/Which order/);
  expect(other.say(tap(shown, 'menu'))).not.toBe('');
});

test('a tap when nothing is open any more says so, and shows the menu', () => {
  const chat = new Chat(own);
  chat.say('refund');
  const shown = choices(chat);
  chat.say('stop');
  expect(chat.say(tap(shown, 'o1'))).toMatch(/^That question is closed\. Nothing was done\./);
});

test('a role that is gone ends what it had opened, by a tap, a word and a dial', async () => {
  const idle = 'needs: [customer]\nidle: { ussd: 2m, whatsapp: 24h, then: resume }';
  const resuming = await loadFiles({
    refund: refund.replace('needs: [customer]', idle),
    approve,
    menu,
  });
  for (const channel of ['whatsapp', 'ussd'] as const) {
    const open = () => {
      const chat = new Chat(resuming, { channel });
      expect(chat.say('refund')).toMatch(/^Which order\?/);
      return chat;
    };
    const again = open();
    expect(again.dial()).toMatch(/Which order\?/);
    const ways: ((chat: Chat) => string)[] = [
      (chat) => chat.say('1'),
      (chat) => chat.say('refund'),
      (chat) => chat.dial(),
    ];
    for (const way of ways) {
      const chat = open();
      chat.setting.roles = ['owner'];
      expect(way(chat)).toMatch(/^This is not open for your number/);
      expect([chat.over, chat.ran.length]).toEqual([true, 1]);
    }
    const chat = open();
    chat.setting.roles = ['owner'];
    expect(chat.say('menu')).toMatch(/^Menu\?/);
  }
});
