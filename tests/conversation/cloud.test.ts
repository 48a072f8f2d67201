import { expect, onTestFinished, test } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { contentOf } from '../../src/channels/whatsapp-cloud/content.ts';
import { cloudError } from '../../src/channels/whatsapp-cloud/errors.ts';
import { sendMessage } from '../../src/channels/whatsapp-cloud/send.ts';
import { loadMessages, messageTemplate, templateText } from '../../src/flow/messages.ts';
import { flows_folder } from '../../src/serve.ts';
import { openWorld } from '../simulator/world.ts';

// What leaves for WhatsApp's Cloud API: buttons and lists where they fit, templates where only they may go.

const kamau = '254700000004';

async function cloud() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  const number = {
    base_url: world.url(),
    graph_version: 'v25.0',
    phone_number_id: '100000000600000',
    access_token: 'token',
  };
  const shown = async () => (await world.get(`/sim/whatsapp?phone=${kamau}`)).json as Shown[];
  return { world, number, shown };
}

interface Shown {
  text: string;
  choices?: unknown[];
}

const messages = await loadMessages(flows_folder);
const thanks = messageTemplate(messages, 'paid_full', {
  values: { name: 'Kamau', amount: '500.00', ref: 'INV-1', receipt: 'TKL4A1B2C3' },
  language: 'en',
  house: {},
});

test('a template has the values of its message, in the order in which Meta approved its text', () => {
  expect(templateText(messages, 'paid_full', 'en')).toBe(
    'Thank you {{1}}. We received {{2}} and {{3}} is fully paid. Receipt {{4}}.',
  );
  expect(thanks).toEqual({
    name: 'paid_full',
    language: 'en',
    parameters: ['Kamau', 'KES 500.00', 'INV-1', 'TKL4A1B2C3'],
  });
});

test('who has not written for a day gets the template, and so does who turns out not to have', async () => {
  const { world, number, shown } = await cloud();
  const message = { text: 'Thank you', template: thanks };
  await sendMessage(number, { to: kamau, message });
  await sendMessage(number, { to: kamau, message: { ...message, cold: true } });
  await world.post('/sim/whatsapp/window', { phone: kamau, open: false });
  await sendMessage(number, { to: kamau, message });
  expect((await shown()).map((it) => it.text)).toEqual([
    'Thank you',
    'paid_full | Kamau | KES 500.00 | INV-1 | TKL4A1B2C3',
    'paid_full | Kamau | KES 500.00 | INV-1 | TKL4A1B2C3',
  ]);
  // An answer has no template: it is given up, with WhatsApp's own number.
  const answer = sendMessage(number, { to: kamau, message: { text: 'Menu' } });
  await expect(answer).rejects.toMatchObject({ outcome: 'refused', code: '131047' });
});

const question = (...labels: string[]) => ({
  text: 'all of it',
  choices: {
    body: 'Which?',
    open: 'Choose',
    at: 'q1',
    options: labels.map((label, index) => ({ id: `o${index}`, label })),
  },
});

test('choices are buttons, a list, or text, whatever all of them fit', async () => {
  const { number, shown } = await cloud();
  const kind = (...labels: string[]) => {
    const content = contentOf(question(...labels));
    return (content['interactive'] as { type?: string } | undefined)?.type ?? content['type'];
  };
  expect(kind('Yes', 'No')).toBe('button');
  expect(kind('Yes', 'No', 'Later', 'Never')).toBe('list');
  expect(kind('A label that is too long for a button', 'No')).toBe('list');
  expect(kind('Same', 'Same')).toBe('text');
  expect(kind('x'.repeat(73))).toBe('text');
  expect(kind(...Array.from({ length: 11 }, (_, n) => `Choice ${n}`))).toBe('text');

  await sendMessage(number, {
    to: kamau,
    message: question('INV-20260203-0001 KES 5,000', 'Other'),
  });
  expect(await shown()).toEqual([
    expect.objectContaining({
      text: 'Which?\n1 INV-20260203-0001 KES 5,000\n2 Other',
      choices: [
        {
          id: 'q1:o0',
          title: 'INV-20260203-0001 KES…',
          description: 'INV-20260203-0001 KES 5,000',
        },
        { id: 'q1:o1', title: 'Other' },
      ],
    }),
  ]);
});

test.each([
  [190, 401, 'retryable'],
  [131042, 400, 'retryable'],
  [131056, 400, 'retryable'],
  [200, 403, 'retryable'],
  [131026, 400, 'refused'],
  [132001, 404, 'refused'],
  [131000, 400, 'unknown'],
  [131026, 500, 'unknown'],
])('WhatsApp says %i with HTTP %i: %s', (code, status, outcome) => {
  const error = cloudError(code, status, 'why');
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({ outcome, message: `${code} why` });
});
