import { messageOf, SetupError } from './base/errors.ts';
import { log } from './base/log.ts';

/** How a command ended: 0 well, 1 a finding or a failure, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

/** Runs a command to its end and exits by it; what went wrong is one clear line on stderr. */
export async function exitOn(command: () => Promise<ExitCode | void>): Promise<never> {
  try {
    process.exit((await command()) ?? 0);
  } catch (error) {
    if (!(error instanceof SetupError)) log.debug({ stack: error instanceof Error && error.stack });
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(1);
  }
}
