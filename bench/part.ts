import type { BenchServer } from './server.ts';

/** Figures as people read them, and the one sentence that says what was compared with what. */
export interface Table {
  title: string;
  compares: string;
  columns: string[];
  rows: string[][];
  notes: string[];
}

/** What every part is given. */
export interface Bench {
  /** The length of one round. */
  seconds: number;
  /** Where pgbench is, if the machine has it. */
  pgbench: string | undefined;
  server: BenchServer;
  /** Says on the terminal what is being done. */
  say: (line: string) => void;
}

/** One part of the benchmarks, in a file of its own. */
export interface Part {
  letter: string;
  title: string;
  /** Left out unless it is named. */
  apart?: boolean;
  run: (bench: Bench) => Promise<Table[]>;
}

/** Ours against the reference, "1.43". */
export function ratio(ours: number, reference: number | undefined): string {
  return reference ? (ours / reference).toFixed(2) : '-';
}

/** So many, scaled with the length of the rounds: 1 at three seconds a round. */
export function scaled(count: number, { seconds }: Bench): number {
  return Math.max(200, Math.round((count * seconds) / 3));
}

export const no_pgbench =
  'Without pgbench (Debian: postgresql-contrib) there is nothing to compare with: no verdict.';
