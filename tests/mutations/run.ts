import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Checkout, copyCheckout, type Trial, filesOfCheckout } from './checkout.ts';
import type { Change, Guard } from './guard.ts';
import { guards } from './guards.ts';

// Takes out one guard at a time, in a copy of the checkout, and shows that a named test notices.
//   --only TEXT   the guards with this in their sentence
//   --why         what the test said, below each guard

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, why: { type: 'boolean', default: false } },
});

const at_once = 2;
const chosen = guards.filter((it) => it.guard.toLowerCase().includes(values.only.toLowerCase()));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

let red = 0;
const copies: Checkout[] = [];
try {
  const files = filesOfCheckout();
  const first = await copyCheckout(files, stop.signal);
  copies.push(first);
  // Of the first copy: the checkout may be worked on meanwhile.
  while (copies.length < Math.min(at_once, chosen.length)) {
    copies.push(await copyCheckout(files, stop.signal, first.root));
  }
  const sound = await asThingsAre(first);
  const waiting = [...chosen];
  await Promise.all(copies.map((copy) => work(copy, waiting, sound)));
} finally {
  for (const copy of copies) await copy.close();
}
process.stdout.write(`${chosen.length} guards, ${red} red\n`);
process.exit(chosen.length > 0 && red === chosen.length ? 0 : 1);

/** The named tests that pass while every guard is in its place, each as "file: name". */
async function asThingsAre(copy: Checkout): Promise<Set<string>> {
  const files = [...new Set(chosen.map((it) => it.test))];
  const names = [...new Set(chosen.map((it) => it.name))];
  const { endings, said } = await copy.run(files, names);
  if (endings.length === 0 && !stop.signal.aborted) throw new Error(`No test ran:\n${said}`);
  return new Set(endings.filter((it) => it.state === 'passed').map(nameOf));
}

async function work(copy: Checkout, waiting: Guard[], sound: Set<string>): Promise<void> {
  for (let it = waiting.shift(); it && !stop.signal.aborted; it = waiting.shift()) {
    const verdict = sound.has(nameOf({ file: it.test, name: it.name }))
      ? await tryWithout(copy, it)
      : `BROKEN ${it.guard} — "${it.name}" does not pass as things are`;
    if (stop.signal.aborted) return;
    if (verdict.startsWith('red')) red += 1;
    process.stdout.write(`${verdict}\n`);
  }
}

async function tryWithout(copy: Checkout, it: Guard): Promise<string> {
  const before = new Map<string, string>();
  try {
    for (const change of [it, ...(it.also ?? [])]) {
      const path = join(copy.root, change.file);
      const text = readFileSync(path, 'utf8');
      if (!before.has(path)) before.set(path, text);
      if (!isStandingOnce(text, change)) {
        return `STALE  ${it.guard} — not once in ${change.file}: ${change.remove}`;
      }
      writeFileSync(
        path,
        text.replace(change.remove, () => change.put),
      );
    }
    return verdictOn(it, await copy.run([it.test], [it.name]));
  } finally {
    for (const [path, text] of before) writeFileSync(path, text);
  }
}

function isStandingOnce(text: string, { remove }: Change): boolean {
  return text.split(remove).length === 2;
}

function verdictOn(it: Guard, { endings, said }: Trial): string {
  const ending = endings.find((one) => nameOf(one) === nameOf({ file: it.test, name: it.name }));
  const why = values.why ? `\n         ${ending?.why ?? said.trim()}` : '';
  if (ending?.state === 'passed') return `GREEN  ${it.guard} — nothing noticed`;
  if (ending?.state === 'failed') return `red    ${it.guard} — ${it.name}${why}`;
  return `BROKEN ${it.guard} — "${it.name}" did not get to run${why}`;
}

function nameOf({ file, name }: { file: string; name: string }): string {
  return `${file}: ${name}`;
}
