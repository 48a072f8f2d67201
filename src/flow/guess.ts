import type { Flow, Step } from './definition.ts';
import type { Text } from './words.ts';

/** "Did you mean …?": for a word that is nearly one that the house knows. */

/** The question as a flow of the engine's own, in the words of the shared texts. */
export function guessFlow(shared: ReadonlyMap<string, Text>): Flow {
  const empty: Text = { en: [''], sw: [''] };
  const text = (name: string) => shared.get(name) ?? empty;
  const question: Step = {
    kind: 'ask',
    name: 'guess',
    follows: undefined,
    next: undefined,
    on: undefined,
    when: undefined,
    ask: text('did_you_mean'),
    answers: {
      of: 'options',
      options: [
        { id: 'yes', label: text('yes'), to: undefined },
        { id: 'no', label: text('no_menu'), to: undefined },
      ],
    },
    tries: 3,
    tries_over: '$tries_over',
    error: undefined,
    optional: false,
    free: false,
  };
  return {
    name: '_guess',
    content: '',
    hash: '_guess',
    start_words: { en: [], sw: [] },
    title: undefined,
    needs: undefined,
    folders: [],
    idle: {
      after_ms: { whatsapp: 600_000, ussd: 600_000, sms: 600_000 },
      redial: false,
      way: 'end',
    },
    renamed: undefined,
    first: 'guess',
    steps: new Map([['guess', question]]),
    sure: new Map([['guess', new Set(['word', 'meant'])]]),
  };
}

/**
 * The one known word that is a slip of the finger away from this: a letter too many, too few,
 * another or two exchanged; in a long word two of these. Undefined when there is none, or several.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const most = word.length < 4 ? 0 : word.length < 7 ? 1 : 2;
  let best: string | undefined;
  let least = most + 1;
  let shared_by_two = false;
  for (const other of known) {
    const far = distance(word, other, most);
    if (far > most || far > least) continue;
    shared_by_two = far === least;
    least = far;
    best = other;
  }
  return shared_by_two ? undefined : best;
}

// Optimal string alignment.
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let far = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        far = Math.min(far, (before[j - 2] ?? 0) + 1);
      row.push(far);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? Infinity;
}
