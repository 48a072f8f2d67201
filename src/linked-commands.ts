import { setTimeout as sleep } from 'node:timers/promises';
import { renderUnicodeCompact } from 'uqr';
import type { Db } from './base/db.ts';
import { SetupError } from './base/errors.ts';
import { localPhone } from './base/phone.ts';
import {
  type DeviceStanding,
  deviceStanding,
  linkedSeal,
  type Offer,
  wantLink,
} from './conversation/linked-device.ts';
import type { ExitCode } from './exit.ts';
import type { Settings } from './settings.ts';
import { linkedPagePath } from './web/linked/routes.ts';

/** The number that is linked as a device, from a terminal. */

const look_every_ms = 500;
const nobody_after_ms = 15_000;

/** Says how it stands; 1 when it is not connected. */
export async function linkedStatus(
  db: Db,
  settings: Settings,
  as_json: boolean,
): Promise<ExitCode> {
  const number = linkedNumber(settings);
  const {
    offer: _offer,
    wanted: _wanted,
    ...standing
  } = await deviceStanding(db, linkedSeal(settings.secret));
  if (as_json) print(JSON.stringify({ number, ...standing }));
  else {
    const since = standing.changed_at.toISOString();
    const why = standing.why === null ? '' : ` (${reasons[standing.why] ?? standing.why})`;
    print(`WhatsApp ${localPhone(number)}: ${states[standing.state]}${why}, since ${since}.`);
    if (!standing.held) print(nobody);
  }
  return standing.state === 'open' && standing.held ? 0 : 1;
}

/** Has it linked, or begun again; shows what is to be scanned or typed until it is connected. */
export async function linkFromTerminal(
  db: Db,
  settings: Settings,
  by_code: boolean,
): Promise<ExitCode> {
  const phone = localPhone(linkedNumber(settings));
  const seal = linkedSeal(settings.secret);
  const before = await deviceStanding(db, seal);
  if (before.state === 'open' && before.held) {
    print(`WhatsApp ${phone} is linked and connected already.`);
    return 0;
  }
  await wantLink(db, by_code);
  const base = settings.public_url ?? `http://127.0.0.1:${settings.port}`;
  print(`On a page, for an hour: ${base}${linkedPagePath(settings.secret)}`);
  let shown = '';
  let told = false;
  for (const began = performance.now(); ; await sleep(look_every_ms)) {
    const { offer, state, why, held, wanted } = await deviceStanding(db, seal);
    if (held && state === 'open') {
      print(`WhatsApp ${phone} is linked.`);
      return 0;
    }
    if (!held && !told && performance.now() - began > nobody_after_ms) {
      print(nobody);
      told = true;
    }
    if (!wanted && (state === 'unlinked' || state === 'stopped')) {
      print(endOf(phone, why));
      return 1;
    }
    if (offer && JSON.stringify(offer) !== shown) {
      shown = JSON.stringify(offer);
      print(asShown(offer, phone));
    }
  }
}

const nobody =
  'No process holds the number yet: is a server running with the role whatsapp? This waits for it.';

const states: Record<DeviceStanding['state'], string> = {
  unlinked: 'not linked; karani whatsapp link',
  linking: 'waiting for its phone',
  connecting: 'connecting',
  open: 'linked and connected',
  resting: 'trying again',
  stopped: 'stopped until karani whatsapp link',
};

const reasons: Record<string, string> = {
  logged_out: 'unlinked on its phone',
  blocked: 'blocked by WhatsApp',
  replaced: 'used by another program',
  outdated: 'WhatsApp does not let this version in',
  failing: 'the connection keeps failing',
  another: 'that was another number',
};

function endOf(phone: string, why: string | null): string {
  if (why === null) return `Nobody linked ${phone}. The same command begins again.`;
  return `WhatsApp ${phone}: ${reasons[why] ?? why}.`;
}

function asShown(offer: Offer, phone: string): string {
  const open = `On the phone with ${phone}: WhatsApp, Linked devices, Link a device`;
  if ('code' in offer) return `\n${open}, Link with phone number: ${offer.code}\n`;
  return `\n${renderUnicodeCompact(offer.qr)}\n${open}.\n`;
}

function linkedNumber(settings: Settings): string {
  if (!settings.whatsapp_linked) {
    throw new SetupError('No number is to be linked: set whatsapp_linked in the configuration.');
  }
  return settings.whatsapp_linked.number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
