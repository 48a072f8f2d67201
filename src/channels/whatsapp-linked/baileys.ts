import type * as baileys from '@whiskeysockets/baileys';
import { log } from '../../base/log.ts';

/** Baileys, which is loaded when a number is linked, and by nobody else: it takes long. */
export type Baileys = typeof baileys;

/**
 * Loads Baileys. From then on this process prints nothing by `console`: the library that does its
 * encryption prints whole sessions there, keys included.
 */
export async function loadBaileys(): Promise<Baileys> {
  const silent = () => undefined;
  const { console } = globalThis;
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir'] as const) {
    console[name] = silent;
  }
  return import('@whiskeysockets/baileys');
}

/** What Baileys logs, without the fields: they may hold keys and what people wrote. */
export const quiet_log = {
  level: 'error',
  child: () => quiet_log,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (_fields: unknown, words?: string) => {
    if (words !== undefined) log.warn({ says: words }, 'from the linked number');
  },
};
