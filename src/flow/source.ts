import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';

/** YAML with positions, and findings that point at them. */

export class FlowFindings extends Error {
  /** Each as `file:line:column message`. */
  readonly findings: string[];

  constructor(findings: string[]) {
    super(findings.join('\n'));
    this.name = 'FlowFindings';
    this.findings = findings;
  }
}

export type Keys = readonly (string | number)[];

export interface Source {
  data: unknown;
  /**
   * Records what is wrong at this place of the file; where the key is missing, at what should hold
   * it.
   */
  report: (keys: Keys, message: string) => void;
  /** The place as `file:line:column`. */
  placeOf: (keys: Keys) => string;
  /** Everything reported so far, in the order of the file. */
  findings: () => string[];
}

interface Finding {
  line: number;
  column: number;
  message: string;
}

/** Reads YAML; `file` is how findings call it. */
export function readSource(file: string, text: string): Source {
  const lines = new LineCounter();
  const doc = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  });
  const found: Finding[] = [];
  const add = (offset: number, message: string) => {
    const { line, col } = lines.linePos(offset);
    // A key that the message names may be of several lines; a finding is of one.
    const said = message.replace(/\s+/g, ' ');
    found.push({ line: Math.max(1, line), column: Math.max(1, col), message: said });
  };
  let data: unknown;
  // One slip makes many errors, and the first of them is where it is.
  const [slip] = doc.errors;
  if (slip) add(slip.pos[0], `${slip.message} (words with { } : , or # in them go in quotes)`);
  try {
    data = doc.errors.length === 0 ? doc.toJS() : undefined;
  } catch (error) {
    add(0, error instanceof Error ? error.message : String(error));
  }
  return {
    data,
    report: (keys, message) => add(offsetOf(doc.contents, keys), message),
    placeOf: (keys) => {
      const { line, col } = lines.linePos(offsetOf(doc.contents, keys));
      return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
    },
    findings: () => {
      found.sort((a, b) => a.line - b.line || a.column - b.column);
      const all = found.map(({ line, column, message }) => `${file}:${line}:${column} ${message}`);
      return [...new Set(all)];
    },
  };
}

function offsetOf(root: unknown, keys: Keys): number {
  let offset = 0;
  let node = root;
  for (const key of keys) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      if (!pair) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

/** The data in this shape; otherwise undefined, with every difference reported under `keys`. */
export function shaped<T extends z.ZodType>(
  source: Source,
  keys: Keys,
  shape: T,
  data: unknown,
): z.output<T> | undefined {
  const read = shape.safeParse(data);
  if (read.success) return read.data;
  for (const issue of read.error.issues) reportIssue(source, keys, issue, data);
  return undefined;
}

type Issue = z.core.$ZodIssue;

function reportIssue(source: Source, base: Keys, issue: Issue, data: unknown): void {
  const inside = issue.path.map((key) => (typeof key === 'symbol' ? '' : key));
  const keys = [...base, ...inside];
  const value = inside.reduce<unknown>(
    (held, key) => (held as Record<string | number, unknown> | undefined)?.[key],
    data,
  );
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) source.report([...keys, key], `unknown key "${key}"`);
  } else if (issue.code === 'invalid_union') {
    // The branch that was meant is the one that at least has the right kind of value.
    const meant = issue.errors.find((branch) => branch.every((it) => it.path.length > 0));
    if (meant) for (const it of meant) reportIssue(source, keys, it, value);
    else reportIssue(source, keys, issue.errors.at(-1)?.[0] ?? issue, value);
  } else if (issue.code === 'invalid_key') {
    const why = issue.issues[0]?.message ?? 'this name cannot be used';
    source.report(keys, `"${String(inside.at(-1))}": ${why}`);
  } else if (value === undefined && issue.code !== 'custom') {
    const key = String(keys.at(-1) ?? '');
    const what = ['en', 'sw'].includes(key) ? 'translation' : 'key';
    source.report(keys, `missing ${what} "${key}"`);
  } else source.report(keys, expected(issue, value));
}

const called = new Map<string, string>([
  ['object', 'a map of keys'],
  ['record', 'a map of keys'],
  ['array', 'a list'],
  ['boolean', 'true or false'],
  ['int', 'a whole number'],
  ['string', 'a text'],
]);

function expected(issue: Issue, value: unknown): string {
  const bare = typeof value === 'number' || typeof value === 'boolean';
  const own_words = !issue.message.startsWith('Invalid input');
  if (issue.code === 'invalid_type' && own_words) return issue.message;
  if (issue.code === 'invalid_type' && issue.expected === 'string' && bare)
    return `this is a text, so it goes in quotes: '${value}'`;
  if (issue.code === 'invalid_type')
    return `this must be ${called.get(issue.expected) ?? `a ${issue.expected}`}`;
  if (issue.code === 'invalid_value') return `this must be one of ${issue.values.join(', ')}`;
  return issue.message;
}
