import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/base/config.ts';
import { sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { copyUndelivered } from '../../src/outbox/delivery.ts';
import { trades } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { keptOff } from '../../src/trades.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse } from '../helpers/house.ts';

// Where a trade may be used, as the configuration says.

const kamau = '254700000004';
const messages = await loadMessages(flows_folder);

let house: House;
beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

/** The house with its invoices kept to some ways. */
function only(ways: Config['channels'][string]): void {
  const kept_off = keptOff({ invoices: ways }, trades);
  house.conversations.numbers = { ...house.conversations.numbers, kept_off };
}

/** Who was told of a payment of Kamau's, by which way, when all has been sent. */
async function told(): Promise<string[]> {
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '100.00' }));
  await house.drain();
  const left: string[] = [];
  const by = (way: string) => async (to: string) => {
    if (to === kamau) left.push(way);
    return `${way}:${to}:${left.length}:${Math.random()}`;
  };
  const it = { db: house.db, messages, house: house.conversations, sender: 'others' as const };
  const quiet = new AbortController().signal;
  await sendOutbox({ ...it, whatsapp: by('whatsapp'), sms: by('sms') }, () => true, quiet);
  return left;
}

test('what is kept off a channel is not in its menu, and begins there with no word', async () => {
  only(['whatsapp', 'sms']);
  expect(await house.keys(kamau, 'ATUid_off', '')).not.toMatch(/balance/i);
  expect(await house.keys(kamau, 'ATUid_off', 'balance')).toMatch(/This is not open here/);
  expect((await house.writes(kamau, 'balance')).join()).toMatch(/Which invoice\?/);
  only(['ussd']);
  expect((await house.writes(kamau, 'menu')).join()).not.toMatch(/balance/i);
  expect((await house.writes(kamau, 'salio')).join()).toMatch(/This is not open here/);
  expect(await house.keys(kamau, 'ATUid_on', '')).toMatch(/Check balance/);
});

test('what a trade has to tell goes by its own channels alone', async () => {
  expect(await told()).toEqual(['whatsapp']);
  only(['whatsapp_linked', 'sms']);
  expect(await told()).toEqual(['sms']);
  only(['ussd']);
  expect(await told()).toEqual([]);
  const { rows } = await sql<{ error: string }>`
    select error from outbox where state = 'failed'
  `.execute(house.db);
  expect(rows).toEqual([{ error: 'invoice is kept off SMS' }]);
});

test('what WhatsApp does not deliver does not go by SMS where the trade is kept off it', async () => {
  only(['whatsapp']);
  await told();
  await sql`update outbox set sent_at = sent_at - interval '31 minutes'`.execute(house.db);
  await copyUndelivered(house.db, house.conversations.numbers);
  const { rows } = await sql<{ trade: string | null }>`
    select o.trade from outbox o where o.channel = 'sms' and o.person_id =
      (select person_id from addresses where value = ${kamau} and kind = 'msisdn')
  `.execute(house.db);
  expect(rows).toEqual([]);
});

test('a trade that is none is refused with those that there are', () => {
  expect(() => keptOff({ rents: ['sms'] }, trades)).toThrow(
    'channels: there is no trade rents. There are: invoices.',
  );
});
