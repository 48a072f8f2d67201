import { createServer } from 'node:http';
import { beforeEach, expect, test } from 'vitest';
import { sendMessage } from '../../src/channels/whatsapp-cloud/send.ts';
import { type Sending, sendOutbox } from '../../src/conversation/send.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { type DrawnPaper, paperOf } from '../../src/reports/papers.ts';
import { flows_folder } from '../../src/serve.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';
import { openWorld } from '../simulator/world.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const messages = await loadMessages(flows_folder);
const kamau = '254700000004';

/** Sends what waits: to a number on WhatsApp at this address, or by SMS alone. */
async function send(url: string | undefined) {
  const by_sms: string[] = [];
  const drawn: DrawnPaper[] = [];
  const number = { base_url: url ?? '', graph_version: 'v25.0', phone_number_id: '1' };
  const it: Sending = {
    db: house.db,
    messages,
    house: {
      ...house.conversations,
      numbers: { ...house.conversations.numbers, cloud: url !== undefined },
    },
    sender: 'others',
    whatsapp: (to, message) =>
      sendMessage({ ...number, access_token: 'x' }, { to, message: { ...message, cold: false } }),
    sms: async (_, { text }) => {
      by_sms.push(text);
      return 'ATXid_1';
    },
    draw: async (paper, language) => {
      const one = await paperOf(house.db, paper, { language, house: house.conversations.values });
      drawn.push(one);
      return one;
    },
  };
  await sendOutbox(it, () => true, new AbortController().signal);
  return { by_sms, drawn };
}

test('an invoice goes to WhatsApp with its PDF, and a tap to pay below', async () => {
  const world = await openWorld();
  const { number } = await trading(house).issue(1n, 1500, { description: 'Mũgo wa Wangarĩ 中文' });
  await send(world.url());
  const chat = (await world.get(`/sim/whatsapp?phone=${kamau}`)).json as Record<string, unknown>[];
  expect(chat).toHaveLength(1);
  expect(chat[0]).toMatchObject({ file: `${number}.pdf`, choices: [{ title: 'Pay' }] });
  expect(chat[0]!['text']).toMatch(/^Duka: new invoice, KES 1,500.00/);
  await world.close();
});

test('what is given to Meta is a PDF, whole', async () => {
  await trading(house).issue(1n, 1500);
  const world = await openWorld();
  const { drawn } = await send(world.url());
  await world.close();
  expect(drawn).toHaveLength(1);
  expect(drawn[0]!.bytes.subarray(0, 5).toString()).toBe('%PDF-');
  expect(drawn[0]!.bytes.subarray(-6).toString()).toContain('%%EOF');
});

test('by SMS the words go alone, and nothing is drawn', async () => {
  await trading(house).issue(1n, 1500);
  const { by_sms, drawn } = await send(undefined);
  expect(by_sms).toEqual([expect.stringMatching(/^Duka: new invoice, KES 1,500.00/)]);
  expect(drawn).toEqual([]);
});

test('a file that Meta does not take for now waits with its words', async () => {
  const busy = createServer((_, response) => response.writeHead(503).end('{}'));
  await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done));
  const { port } = busy.address() as { port: number };
  await trading(house).issue(1n, 1500);
  await send(`http://127.0.0.1:${port}`);
  const row = await house.db.selectFrom('outbox').selectAll().executeTakeFirstOrThrow();
  // Nobody can have read anything: it is no doubt, and is tried for a day.
  expect(row).toMatchObject({ state: 'waiting', doubts: 0 });
  busy.close();
});

test('a customer asks for a statement of any time, and gets it as a PDF', async () => {
  await trading(house).pay('INV-20260203-0001', 500);
  await house.writes(kamau, 'pdf');
  await house.writes(kamau, '4');
  await house.writes(kamau, '1/2/2026');
  const said = await house.writes(kamau, '30/11/2026');
  expect(said).toContain('We are sending you the statement of 1 Feb to 30 Nov.');
  const row = await house.db
    .selectFrom('outbox')
    .selectAll()
    .where('template', '=', 'statement_paper')
    .executeTakeFirstOrThrow();
  expect(row.values).toEqual({
    from: '2026-02-01',
    to: '2026-11-30',
    opening: '0.00',
    closing: '6000.00',
  });
  const paper = { kind: 'statement', customer: 'CUST-001', from: '2026-02-01', to: '2026-11-30' };
  expect(row.paper).toEqual(paper);
  for (const language of ['en', 'sw'] as const) {
    const drawn = await paperOf(house.db, paper as never, {
      language,
      house: house.conversations.values,
    });
    expect(drawn.name).toBe('CUST-001 2026-02-01 2026-11-30.pdf');
    expect(drawn.bytes.length).toBeGreaterThan(5_000);
  }
});
