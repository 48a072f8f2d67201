import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Config, type Hosts, hostsFor, readConfig } from './base/config.ts';
import { messageOf, SetupError } from './base/errors.ts';
import { allowedInAddress, newAddressSecret, newKey } from './base/ids.ts';
import type { Environment } from './base/migrate.ts';
import { demoConfig } from './demo.ts';

/** Everything that a process of Karani is told from outside. */
export interface Settings extends Omit<Config, 'environment'> {
  environment: Environment;
  host: string;
  port: number;
  public_url: string | undefined;
  database_url: string | undefined;
  data_dir: string;
  /** The master key of keyed hashes and encryption. */
  secret: string;
  /** Undefined in a demo that runs its own simulator, whose address is known once it listens. */
  hosts: Hosts | undefined;
  /** Where the linked number finds WhatsApp, when it is a server of tests. */
  linked_url: string | undefined;
}

/** What the house takes, in cents. */
export function limitsOf({ limits }: Settings) {
  return {
    payment_cents: BigInt(limits.payment) * 100n,
    payer_day_cents: BigInt(limits.payer_day) * 100n,
  };
}

/** Where the data is kept unless KARANI_DATA says otherwise. */
export const data_folder = './data';

/**
 * Reads the environment and the configuration file. Throws SetupError in lines that say what to do.
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const config = readConfig(env);
  const data_dir = resolve(env['KARANI_DATA'] ?? data_folder);
  const outside = {
    host: env['HOST'] ?? '127.0.0.1',
    port: portFrom(env['PORT']),
    public_url: urlFrom('PUBLIC_URL', env['PUBLIC_URL']),
    database_url: env['DATABASE_URL'] || undefined,
    linked_url: env['WHATSAPP_LINKED_URL'] || undefined,
    data_dir,
  };
  if (config) {
    const secret = env['KARANI_SECRET'];
    if (!secret || secret.length < 32) {
      throw new SetupError(
        'KARANI_SECRET is needed: at least 32 characters, kept safe, the same at every start. ' +
          'Make one with: openssl rand -hex 32',
      );
    }
    if (config.environment === 'production' && !outside.public_url?.startsWith('https://')) {
      throw new SetupError(
        'In production PUBLIC_URL must be an https:// address: Daraja calls no other.',
      );
    }
    if (config.environment === 'production' && outside.linked_url) {
      throw new SetupError(
        'WHATSAPP_LINKED_URL is for tests: production speaks with WhatsApp alone.',
      );
    }
    return { ...config, ...outside, secret, hosts: hostsFor(config, env) };
  }
  makeFolder(data_dir);
  const hook_secret =
    env['KARANI_HOOK_SECRET'] ?? keptIn(data_dir, 'hook-secret', newAddressSecret);
  if (!/^[A-Za-z0-9._~-]{8,}$/.test(hook_secret) || !allowedInAddress(hook_secret)) {
    throw new SetupError(
      'KARANI_HOOK_SECRET must be 8 or more letters and digits without mpesa, safaricom, exe, cmd, ' +
        'sql or query in it: it is part of the addresses that Daraja calls.',
    );
  }
  return {
    ...demoConfig(hook_secret),
    ...outside,
    environment: 'demo',
    secret: env['KARANI_SECRET'] ?? keptIn(data_dir, 'secret', newKey),
    hosts: simulatorNamedIn(env),
  };
}

function simulatorNamedIn(env: NodeJS.ProcessEnv): Hosts | undefined {
  const daraja = urlFrom('DARAJA_BASE_URL', env['DARAJA_BASE_URL']);
  const whatsapp = urlFrom('WHATSAPP_BASE_URL', env['WHATSAPP_BASE_URL']);
  const at = urlFrom('AT_BASE_URL', env['AT_BASE_URL']);
  const one = daraja ?? whatsapp ?? at;
  if (one === undefined) return undefined;
  return { daraja: daraja ?? one, whatsapp: whatsapp ?? one, at: at ?? one };
}

function portFrom(text: string | undefined): number {
  const port = Number(text ?? '3000');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SetupError(`PORT is ${text}, and must be a number from 0 to 65535.`);
  }
  return port;
}

function urlFrom(name: string, text: string | undefined): string | undefined {
  if (!text) return undefined;
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new SetupError(
      `${name} is ${text}, and must be an address such as https://karani.example.`,
    );
  }
  return text.replace(/\/+$/, '');
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SetupError(
      `Karani cannot write to ${path} (${messageOf(error)}). Set KARANI_DATA to a folder it may write to.`,
    );
  }
}

// Made once and kept, so that addresses and hashes stay the same at the next start.
function keptIn(data_dir: string, name: string, make: () => string): string {
  const path = join(data_dir, name);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    const made = make();
    try {
      writeFileSync(path, `${made}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      throw new SetupError(
        `Karani cannot write to ${data_dir} (${messageOf(error)}). Set KARANI_DATA to a folder it may write to.`,
      );
    }
    return made;
  }
}
