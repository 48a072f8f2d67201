import { existsSync, readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { type Document, LineCounter, parseDocument, visit } from 'yaml';
import { z } from 'zod';
import { messageOf, SetupError } from './errors.ts';
import { allowedInAddress } from './ids.ts';
import { msisdnFrom } from './phone.ts';
import { shownLine } from './text.ts';

const Msisdn = z.coerce
  .string()
  .transform((text) => msisdnFrom(text) ?? '')
  .refine((number) => number !== '', 'expected a Kenyan mobile number, such as 0722000000');

const Secret = z
  .string()
  .min(16, 'expected at least 16 characters')
  .regex(
    /^[A-Za-z0-9._~-]+$/,
    'expected letters, digits and . _ ~ - only, since it is part of an address',
  )
  .refine(
    allowedInAddress,
    'Daraja refuses addresses with mpesa, safaricom, exe, cmd, sql or query in them',
  );

const Secrets = z.array(Secret).min(1, 'expected at least one secret');

const Network = z
  .string()
  .refine(
    (text) => networkOf(text) !== undefined,
    'expected an address or a network such as 196.201.214.0/24',
  );

/** By which ways people can be reached, or reach us. */
export const ways = ['whatsapp_cloud', 'whatsapp_linked', 'ussd', 'sms'] as const;
export type Way = (typeof ways)[number];

/** By way, what is kept off it: trades, by which flows are known, and kinds of dues. */
export type KeptOff = Readonly<Record<Way, readonly string[]>>;

const Way = z.enum(['whatsapp', ...ways]);

const Shortcode = z.strictObject({
  number: z.coerce.string().regex(/^\d{5,7}$/, 'expected 5 to 7 digits'),
  kind: z.enum(['paybill', 'till']),
  /** A till's head office number, under which its addresses are registered. */
  store: z.coerce
    .string()
    .regex(/^\d{5,7}$/)
    .optional(),
  /** Which register URL to use: v1 sends the payer's number hashed, v2 masked. */
  c2b_version: z.enum(['v1', 'v2']).default('v2'),
  consumer_key: z.string().min(1),
  consumer_secret: z.string().min(1),
  /** For asking phones for payments (STK push); without it none is asked. */
  passkey: z.string().min(1).optional(),
  /**
   * Its payments are asked for too (Pull Transactions): with the number that M-Pesa has as the
   * shortcode's own, it can be registered for that; `true` where it is already.
   */
  pull: z.union([z.literal(true), z.strictObject({ nominated_number: Msisdn })]).optional(),
  /** Who asks about its payments (Transaction Status); without it nobody does. */
  initiator: z
    .strictObject({
      name: z.string().min(1),
      /** The SecurityCredential: base64, as M-Pesa's portal gives it. */
      credential: z.string().min(1),
    })
    .optional(),
});

const Config = z
  .strictObject({
    environment: z.enum(['sandbox', 'production']),
    business: z.strictObject({
      name: z.string().min(1).max(16),
      help_number: Msisdn,
    }),
    admin_numbers: z.array(Msisdn).min(1, 'expected at least one number'),
    shortcodes: z.array(Shortcode).min(1, 'expected at least one shortcode'),
    hooks: z.strictObject({
      daraja: Secrets,
      ussd: Secrets,
      sms: Secrets.default([]),
      whatsapp: Secrets.default([]),
    }),
    /** A number on WhatsApp's Cloud API. */
    whatsapp: z
      .strictObject({
        phone_number_id: z.coerce.string().regex(/^\d+$/, 'expected digits'),
        access_token: z.string().min(1),
        app_secrets: z.array(z.string().min(1)).min(1),
        verify_token: z.string().min(1),
        graph_version: z
          .string()
          .regex(/^v\d+\.\d+$/, 'expected a version such as v25.0')
          .default('v25.0'),
      })
      .optional(),
    /** A number that is linked as a device, as WhatsApp on a computer is. */
    whatsapp_linked: z.strictObject({ number: Msisdn }).optional(),
    ussd: z.strictObject({
      code: z.string().regex(/^\*[\d*]+#$/, 'expected a code such as *384*123456#'),
    }),
    /** Africa's Talking's account for SMS; without it none is sent. */
    sms: z
      .strictObject({
        username: z.string().min(1),
        api_key: z.string().min(1),
        /** The name or short number that SMS come from, where one was registered. */
        sender: z.string().min(1).max(11).optional(),
      })
      .optional(),
    /** By trade, the ways on which it may be used; a trade that is not named may be on all. */
    channels: z.record(z.string(), z.array(Way).min(1, 'expected at least one')).default({}),
    alerts: z
      .strictObject({ digest_above_per_minute: z.int().min(0).max(1000).default(10) })
      .default({ digest_above_per_minute: 10 }),
    /** What one payment and one payer a day may bring, in shillings. */
    limits: z
      .strictObject({
        payment: z.int().min(1).max(250_000).default(250_000),
        payer_day: z.int().min(1).max(500_000).default(500_000),
      })
      .default({ payment: 250_000, payer_day: 500_000 }),
    /** What M-Pesa is told, where it asks before a payment, of an account that names nothing. */
    unknown_accounts: z.enum(['accept', 'refuse']).default('accept'),
    trusted_proxies: z.array(Network).default([]),
    allowed_sources: z
      .strictObject({ daraja: z.array(Network).default([]) })
      .default({ daraja: [] }),
  })
  .refine((config) => !config.sms || config.hooks.sms.length > 0, {
    path: ['hooks', 'sms'],
    error: 'expected at least one secret, since sms is set',
  })
  .refine((config) => !config.whatsapp || config.hooks.whatsapp.length > 0, {
    path: ['hooks', 'whatsapp'],
    error: 'expected at least one secret, since whatsapp is set',
  })
  .refine((config) => config.whatsapp ?? config.whatsapp_linked, {
    path: ['whatsapp'],
    error: 'expected whatsapp, whatsapp_linked or both',
  });

export type Config = z.output<typeof Config>;

/** Where the services are; the environment points them at a simulator. */
export interface Hosts {
  daraja: string;
  whatsapp: string;
  /** Africa's Talking. */
  at: string;
}

const real_hosts = {
  sandbox: 'https://sandbox.safaricom.co.ke',
  production: 'https://api.safaricom.co.ke',
} as const;

/**
 * The services' hosts: DARAJA_BASE_URL, WHATSAPP_BASE_URL and AT_BASE_URL where they are set, else
 * the real ones. Africa's Talking's sandbox knows the one account of that name.
 */
export function hostsFor({ environment, sms }: Config, env: NodeJS.ProcessEnv): Hosts {
  const at = sms?.username === 'sandbox' ? 'api.sandbox' : 'api';
  return {
    daraja: env['DARAJA_BASE_URL'] ?? real_hosts[environment],
    whatsapp: env['WHATSAPP_BASE_URL'] ?? 'https://graph.facebook.com',
    at: env['AT_BASE_URL'] ?? `https://${at}.africastalking.com`,
  };
}

/**
 * Reads the configuration file, `${NAME}` taken from the environment. Undefined when there is none,
 * which means the demo. Throws SetupError with file, line and what was expected; every fault at
 * once.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config | undefined {
  const named = env['KARANI_CONFIG'];
  const path = named ?? './config.yaml';
  if (!existsSync(path)) {
    if (named === undefined) return undefined;
    throw new SetupError(`There is no configuration file ${path}. Check KARANI_CONFIG.`);
  }
  return parseConfig(readFileSync(path, 'utf8'), path, env);
}

/**
 * Checks the text of a configuration file. Throws SetupError naming `path`, each line, and what it
 * expects.
 */
export function parseConfig(text: string, path: string, env: NodeJS.ProcessEnv): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error' });
  const broken = document.errors.map(
    (e) => `${path}:${lines.linePos(e.pos[0]).line} ${e.message.split('\n')[0]}`,
  );
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document)) return;
      const { line } = lines.linePos(alias.range?.[0] ?? 0);
      broken.push(`${path}:${line} *${alias.source}: what begins with a star goes in quotes`);
    },
  });
  if (broken.length > 0) throw new SetupError(broken.join('\n'));

  const lineOf = (keys: readonly PropertyKey[]): number => {
    for (let length = keys.length; length >= 0; length -= 1) {
      const node = document.getIn(keys.slice(0, length), true);
      const range = node && typeof node === 'object' && 'range' in node ? node.range : undefined;
      if (Array.isArray(range)) return lines.linePos(Number(range[0])).line;
    }
    return 1;
  };
  const at = (keys: readonly PropertyKey[]) =>
    `${path}:${lineOf(keys)} ${shownLine(keys.join('.'), 100) || 'file'}`;
  const missing: string[] = [];
  const checked = Config.safeParse(
    fillIn(valuesOf(document, path), env, {
      missing: (name, keys) => missing.push(`${at(keys)}: the environment has no ${name}`),
      tooDeep: ([top = '']) => {
        throw new SetupError(`${at([top])}: nothing is that deep`);
      },
    }),
  );
  if (missing.length > 0) throw new SetupError(missing.join('\n'));
  if (checked.success) return checked.data;
  const faults = checked.error.issues.flatMap((issue) => {
    const keys =
      issue.code === 'unrecognized_keys' ? issue.keys.map((k) => [...issue.path, k]) : [issue.path];
    return keys.map((key) => {
      const what = issue.code === 'unrecognized_keys' ? 'there is no such setting' : issue.message;
      return `${at(key)}: ${what}`;
    });
  });
  throw new SetupError(faults.join('\n'));
}

// What the file says, where its own references do not make it endless.
function valuesOf(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new SetupError(`${path}:1 ${messageOf(error)}`);
  }
}

// Deeper than any setting: a value that holds itself has no end.
const deepest = 8;

interface Faults {
  missing: (name: string, keys: PropertyKey[]) => void;
  tooDeep: (keys: PropertyKey[]) => never;
}

function fillIn(
  value: unknown,
  env: NodeJS.ProcessEnv,
  faults: Faults,
  keys: PropertyKey[] = [],
): unknown {
  if (keys.length > deepest) return faults.tooDeep(keys);
  if (typeof value === 'string') {
    return value.replace(/\$\{(\w+)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined) faults.missing(name, keys);
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((item, i) => fillIn(item, env, faults, [...keys, i]));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillIn(item, env, faults, [...keys, key])]),
  );
}

function networkOf(
  text: string,
): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  // Digits alone: to Number an end in a slash is 0, which would be everybody.
  const [, address = '', bits] = /^([\d.:a-f]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const most = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : Number(bits);
  if (prefix > most) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** A list of addresses and networks to check others against. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = networkOf(text);
    if (network) list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}
