import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

/** Phones that dial while everything goes wrong: each comes to the end of its conversation. */

// Nobody's number until it dials: menu, language, English.
const keys = ['3', '1'];
const screens = [/^CON Welcome to /, /^CON Which language\?/, /^END All right, we speak English/];
// What we may say when the database is away or slow; then one dials again.
const try_again = /^END (?:Sorry, we have a problem|This takes a little longer)/;

const most_dials = 40;
const longest_answer_ms = 12_000;
const pause_ms = 250;

/** How the phones fared. */
export interface Handsets {
  /** Came to the end. */
  done: number;
  /** Were told to dial again. */
  again: number;
  findings: string[];
}

export function noHandsets(): Handsets {
  return { done: 0, again: 0, findings: [] };
}

/** Dials with the nth phone until it has come to the end. */
export async function useHandset(world: World, n: number, out: Handsets): Promise<void> {
  const phone = `254744${String(n).padStart(6, '0')}`;
  for (let dial = 0; dial < most_dials; dial += 1) {
    const how = await oneSession(world, phone, `ATUid_${n}_${dial}`);
    if (how === 'done') {
      out.done += 1;
      return;
    }
    if (how !== 'again') {
      out.findings.push(`${phone} was shown ${JSON.stringify(how.slice(0, 200))}`);
      return;
    }
    out.again += 1;
    await sleep(pause_ms);
  }
  out.findings.push(`${phone} never came to the end`);
}

async function oneSession(world: World, phone: string, session: string): Promise<string> {
  for (const [index, screen] of screens.entries()) {
    const shown = await press(world, phone, session, keys.slice(0, index).join('*'));
    if (shown === undefined || try_again.test(shown)) return 'again';
    if (!screen.test(shown)) return shown;
  }
  return 'done';
}

/**
 * One request, at the one web process or the other. Who is killed before the answer is asked again
 * the same; undefined when nobody answers.
 */
async function press(
  { fleet, hook_secret }: World,
  phone: string,
  session: string,
  text: string,
): Promise<string | undefined> {
  const webs = fleet.members.filter((member) => member.role === 'web');
  const form = { serviceCode: '*384*123456#', networkCode: '63902', phoneNumber: `+${phone}` };
  const body = new URLSearchParams({ ...form, sessionId: session, text }).toString();
  for (let attempt = 0; attempt < most_dials; attempt += 1) {
    const { port } = webs[(attempt + text.length) % webs.length]!;
    try {
      const response = await fetch(`http://127.0.0.1:${port}/hooks/${hook_secret}/ussd`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
        signal: AbortSignal.timeout(longest_answer_ms),
      });
      const shown = await response.text();
      return response.status === 200 ? shown : `${response.status} ${shown}`;
    } catch {
      await sleep(pause_ms);
    }
  }
  return undefined;
}
