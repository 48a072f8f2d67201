const rounds = 3;
const largest_drift = 0.15;

/** Milliseconds for a fixed piece of work: how fast the machine is right now. */
function machineSpeed(): number {
  const began = performance.now();
  let sum = 0;
  for (let i = 0; i < 150_000_000; i += 1) sum += i % 7;
  return sum > 0 ? performance.now() - began : 0;
}

export interface Measured<Name extends string> {
  /** The median of each. */
  medians: Record<Name, number>;
  /** A line about it when the machine was not the same before and after. */
  notes: string[];
}

/**
 * Measures several things in alternating rounds and takes the median of each. Again from the start
 * when the machine became faster or slower meanwhile; when it does so to the last, that is noted.
 */
export async function alternate<Name extends string>(
  what: Record<Name, () => Promise<number>>,
  most_tries = 2,
): Promise<Measured<Name>> {
  const names = Object.keys(what) as Name[];
  for (let attempt = 1; ; attempt += 1) {
    const before = machineSpeed();
    const all = new Map(names.map((name) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) all.get(name)?.push(await what[name]());
    }
    const drift = Math.abs(machineSpeed() / before - 1);
    if (drift > largest_drift && attempt < most_tries) continue;
    return {
      medians: Object.fromEntries([...all].map(([name, v]) => [name, median(v)])) as Record<
        Name,
        number
      >,
      notes: drift > largest_drift ? [`machine unsteady: ${(drift * 100).toFixed(0)} %`] : [],
    };
  }
}

/** The value below which this share of an ascending list lies. */
export function percentile(ascending: number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}

export function median(values: number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
