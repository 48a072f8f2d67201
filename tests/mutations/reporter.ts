import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase } from 'vitest/node';

/** How one test ended, as a trial needs to know it. */
export interface Ended {
  file: string;
  name: string;
  /** `not_begun`: what comes before its body failed, so it says nothing about what it tests. */
  state: 'passed' | 'failed' | 'not_begun';
  /** What failed first, in one line. */
  why: string;
}

/** Writes down how each test ended that was not left out, in the file that REPORT_TO names. */
export default class Endings implements Reporter {
  #endings: Ended[] = [];
  #preparing = new Set<string>();

  onHookStart({ name, entity }: { name: string; entity: { id: string } }): void {
    if (name === 'beforeEach') this.#preparing.add(entity.id);
  }

  onHookEnd({ name, entity }: { name: string; entity: { id: string } }): void {
    if (name === 'beforeEach') this.#preparing.delete(entity.id);
  }

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === 'skipped' || state === 'pending') return;
    this.#endings.push({
      file: relative(process.cwd(), test.module.moduleId),
      name: test.name,
      state: this.#preparing.has(test.id) ? 'not_begun' : state,
      why: (errors?.[0]?.message ?? '').split('\n')[0] ?? '',
    });
  }

  onTestRunEnd(): void {
    const file = process.env['REPORT_TO'];
    if (file) writeFileSync(file, JSON.stringify(this.#endings));
  }
}
