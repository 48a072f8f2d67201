import { onTestFinished, vi } from 'vitest';
import { log, makeLog } from '../../src/base/log.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** The lines that are logged from now on until the test ends, of every level, as they are written. */
export function logLines(): string[] {
  const lines: string[] = [];
  const written = makeLog('trace', { write: (line) => void lines.push(line) });
  const spies = levels.map((level) =>
    vi.spyOn(log, level).mockImplementation(written[level].bind(written)),
  );
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });
  return lines;
}
