import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf, SetupError } from './base/errors.ts';
import { msisdnFrom } from './base/phone.ts';
import type { ExitCode } from './exit.ts';
import { type Channel, channels } from './flow/action.ts';

/** A phone in the terminal, with which one talks to the demo as any of its people. */

const look_every_ms = 150;
// When nothing is said for so long, nothing will be.
const longest_silence_ms = 4_000;

const People = z.array(z.object({ name: z.string().nullable(), phone: z.string() }));
const Bubbles = z.array(
  z.object({ id: z.string(), direction: z.enum(['in', 'out']), text: z.string() }),
);
const Screen = z.object({ text: z.string(), end: z.boolean() });

/** Talks line by line until the input ends. `as` is a name or a number, `on` a channel. */
export async function chatWithDemo(
  url: string,
  { as, on }: { as: string; on: string },
): Promise<ExitCode> {
  const channel = channels.find((name) => name === on);
  if (!channel)
    throw new SetupError(`There is no channel ${on}. There are ${channels.join(', ')}.`);
  const phone = await phoneOf(url, as);
  const talk = channel === 'ussd' ? handset(url, phone) : chat(url, phone, channel);
  const say = async (line?: string) => process.stdout.write(`${await talk(line)}\n${prompt}`);
  await say();
  // Only now, since lines that come before somebody listens are lost.
  for await (const line of createInterface({ input: process.stdin })) await say(line);
  process.stdout.write('\n');
  return 0;
}

const prompt = process.stdin.isTTY ? '> ' : '';

async function phoneOf(url: string, as: string): Promise<string> {
  const number = msisdnFrom(as);
  if (number !== undefined) return number;
  const people = await ask(url, '/playground/people', People);
  const person = people.find((it) => it.name?.toLowerCase() === as.toLowerCase());
  if (person) return person.phone;
  const names = people.flatMap((it) => it.name ?? []).join(', ');
  throw new SetupError(`There is no ${as} in the demo. There are ${names}; or give a number.`);
}

/** Without words it dials; after the last screen the next line dials again. */
function handset(url: string, phone: string) {
  let over = true;
  return async (line?: string): Promise<string> => {
    const dials = line === undefined || over;
    const screen = await ask(url, '/sim/ussd', Screen, dials ? { phone } : { phone, input: line });
    over = screen.end;
    return over ? `${screen.text}\n(The session is over; Enter dials again.)` : screen.text;
  };
}

function chat(url: string, phone: string, channel: Exclude<Channel, 'ussd'>) {
  let seen: string | undefined;
  const news = async () => {
    const after = seen === undefined ? '' : `&after=${encodeURIComponent(seen)}`;
    const bubbles = await ask(url, `/sim/${channel}?phone=${phone}${after}`, Bubbles);
    seen = bubbles.at(-1)?.id ?? seen;
    return bubbles.filter((bubble) => bubble.direction === 'out');
  };
  return async (line?: string): Promise<string> => {
    if (line === undefined) {
      await news();
      return `Write as ${phone}. Ctrl-D ends.`;
    }
    if (line.trim() === '') return '';
    await ask(url, `/sim/${channel}`, z.unknown(), { from: phone, text: line });
    for (let waited_ms = 0; waited_ms < longest_silence_ms; waited_ms += look_every_ms) {
      await sleep(look_every_ms);
      const heard = await news();
      if (heard.length > 0) return heard.map((bubble) => bubble.text).join('\n\n');
    }
    return '(Nothing is said.)';
  };
}

async function ask<T>(url: string, path: string, shape: z.ZodType<T>, body?: object): Promise<T> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const response = await fetch(
    `${url}${path}`,
    body === undefined ? {} : { ...post, body: JSON.stringify(body) },
  ).catch((error: unknown) => {
    throw new SetupError(`No demo answers at ${url} (${messageOf(error)}). Start it: npm start`);
  });
  const text = await response.text();
  if (!response.ok) throw new SetupError(`The demo answers ${response.status}: ${text}`);
  return shape.parse(JSON.parse(text));
}
