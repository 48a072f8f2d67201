import type { Flow, Step } from './definition.ts';
import { waysFrom } from './ways.ts';
import type { Template } from './words.ts';

/** A flow as a Mermaid diagram: questions round, actions square, ends with a thick edge. */
export function mermaidOf(flow: Flow): string {
  const lines = ['flowchart TD', `  start(( )) --> ${idOf(flow.first)}`];
  for (const step of flow.steps.values()) {
    lines.push(`  ${idOf(step.name)}${shapeOf(step)}`);
    for (const [to, labels] of edgesOf(step)) {
      const label = labels.length > 0 ? `|${quoted(labels.join(', '))}|` : '';
      lines.push(`  ${idOf(step.name)} -->${label} ${idOf(to)}`);
    }
  }
  return lines.join('\n');
}

// Some names, such as end, are words of Mermaid's own.
const idOf = (name: string) => `_${name}`;

function shapeOf(step: Step): string {
  switch (step.kind) {
    case 'ask':
      return `(${quoted(`${step.name}: ${wordsOf(step.ask.en)}`)})`;
    case 'do':
      return `[${quoted(step.action)}]`;
    case 'call':
      return `[[${quoted(step.flow)}]]`;
    case 'say':
      return `>${quoted(wordsOf(step.words.en))}]`;
    case 'end':
    case 'handoff':
      return `([${quoted(`${step.kind}: ${wordsOf(step.words.en)}`)}])`;
  }
}

// Several ways to one step are one arrow. Where the shared texts lead out, there is none.
function edgesOf(step: Step): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const { to, keys } of waysFrom(step)) {
    if (to === undefined) continue;
    const [kind, name] = keys;
    const label =
      kind === 'else' || kind === 'pick' ? name : kind === 'if' ? 'otherwise' : undefined;
    const labels = edges.get(to) ?? [];
    if (label !== undefined && !labels.includes(label)) labels.push(label);
    edges.set(to, labels);
  }
  return edges;
}

function wordsOf(template: Template): string {
  const words = template
    .map((part) => (typeof part === 'string' ? part : `‹${part.path.join('.')}›`))
    .join('');
  return words.length > 60 ? `${words.slice(0, 57)}...` : words;
}

// Mermaid takes a text in quotes, in which a quote is #quot;.
function quoted(text: string): string {
  return `"${text.replaceAll('"', '#quot;').replace(/\s+/g, ' ')}"`;
}
