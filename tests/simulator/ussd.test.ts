import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../helpers/process.ts';
import { hook_secret, openWorld, type Received } from './world.ts';

async function newWorld(answer: (it: Received) => { status: number; text?: string }) {
  const world = await openWorld(answer);
  onTestFinished(() => world.close());
  return world;
}

const formOf = (it: Received | undefined) =>
  Object.fromEntries(new URLSearchParams(it?.body ?? ''));
const phone = '0700000004';
type World = Awaited<ReturnType<typeof openWorld>>;
const turnsOf = (world: World) => world.app.received.filter((it) => it.path.endsWith('/ussd'));
const eventsOf = (world: World) =>
  world.app.received.filter((it) => it.path.endsWith('/ussd/events')).map(formOf);

test('every answer is added to the text of its session', async () => {
  const world = await newWorld((it) =>
    formOf(it)['text'] === '1*4'
      ? { status: 200, text: 'END Asante' }
      : { status: 200, text: 'CON Menu\n1 Pay' },
  );
  expect((await world.post('/sim/ussd', { phone })).json).toEqual({
    text: 'Menu\n1 Pay',
    end: false,
  });
  expect((await world.post('/sim/ussd', { phone, input: 1 })).json.end).toBe(false);
  expect((await world.post('/sim/ussd', { phone, input: '4' })).json).toEqual({
    text: 'Asante',
    end: true,
  });
  const [first, ...others] = turnsOf(world);
  expect(first?.path).toBe(`/hooks/${hook_secret}/ussd`);
  expect(first?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  expect(first?.body).toContain('phoneNumber=%2B254700000004');
  expect(formOf(first)).toMatchObject({ text: '', networkCode: '63902' });
  expect(others.map((it) => formOf(it)['text'])).toEqual(['1', '1*4']);
  expect(new Set(world.app.received.map((it) => formOf(it)['sessionId'])).size).toBe(1);
  expect((await world.post('/sim/ussd', { phone, input: '1' })).status).toBe(400);
});

test('dialling again begins a new session', async () => {
  const world = await newWorld(() => ({ status: 200, text: 'CON Menu' }));
  await world.post('/sim/ussd', { phone });
  await world.post('/sim/ussd', { phone, input: '1' });
  await world.post('/sim/ussd', { phone });
  const forms = turnsOf(world).map(formOf);
  expect(forms[2]?.['text']).toBe('');
  expect(forms[2]?.['sessionId']).not.toBe(forms[0]?.['sessionId']);
});

test('how a session ended is told, with all that was keyed and shown last, as the gateway does', async () => {
  const world = await newWorld(() => ({ status: 200, text: 'CON Menu' }));
  await world.post('/sim/ussd', { phone });
  await world.post('/sim/ussd', { phone, input: '739164' });
  world.app.answer = () => ({ status: 200, text: 'END Asante' });
  await world.post('/sim/ussd', { phone });
  await eventually(
    async () => eventsOf(world),
    (all) => all.length === 2,
    10_000,
  );
  expect(
    eventsOf(world)
      .map((it) => it['status'])
      .sort(),
  ).toEqual(['Incomplete', 'Success']);
  expect(eventsOf(world).find((it) => it['status'] === 'Incomplete')).toMatchObject({
    input: '739164',
    lastAppResponse: 'Menu',
    hopsCount: '2',
  });
});

test('what is dialled along with the code is the first text', async () => {
  const world = await newWorld(() => ({ status: 200, text: 'CON Menu' }));
  await world.post('/sim/ussd', { phone, with: '1*2' });
  await world.post('/sim/ussd', { phone, input: '3' });
  expect(turnsOf(world).map((it) => formOf(it)['text'])).toEqual(['1*2', '1*2*3']);
});

test('a reply that is neither CON nor END ends the session', async () => {
  for (const reply of [
    { status: 200, text: ' CON Menu' },
    { status: 200, text: '{}' },
    { status: 500, text: 'CON Menu' },
  ]) {
    const world = await newWorld(() => reply);
    expect((await world.post('/sim/ussd', { phone })).json).toEqual({
      text: 'Connection problem or invalid MMI code.',
      end: true,
    });
    expect((await world.post('/sim/ussd', { phone, input: '1' })).status).toBe(400);
  }
});
