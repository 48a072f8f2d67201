/** What is to be said, and the choices in it, as WhatsApp can show them. */
export interface CloudMessage {
  /** All of it as text, its choices numbered. */
  text: string;
  choices?: CloudChoices | undefined;
  /** What may be sent when the person has not written for a day; an answer has none. */
  template?: CloudTemplate | undefined;
  /** They have not, as far as we know. */
  cold?: boolean;
  /** A file that goes with it: within the day after a person has written. */
  paper?: { name: string; mime: string; bytes: Buffer } | undefined;
}

/** A file that Meta has. */
export interface UploadedPaper {
  id: string;
  filename: string;
}

/** A text that Meta has approved, and what stands in its places. */
export interface CloudTemplate {
  name: string;
  language: string;
  parameters: readonly string[];
}

export interface CloudChoices {
  body: string;
  /** What opens a list. */
  open: string;
  /** Told back with a tap, before the id of the choice. */
  at: string;
  options: readonly { id: string; label: string }[];
}

// Meta's limits: three buttons; ten rows, with a second line for what is too long for the first.
const most_characters = 4_096;
const longest_body = 1_024;
const most_buttons = 3;
const longest_button = 20;
const most_rows = 10;
const longest_row = 24;
const longest_second_line = 72;

/**
 * The message as the Cloud API takes it: buttons or a list where all of it fits, else text; and a
 * file with the words below it.
 */
export function contentOf(
  { text, choices }: CloudMessage,
  paper?: UploadedPaper,
): Record<string, unknown> {
  const interactive = choices && interactiveOf(choices, paper);
  if (interactive) return { type: 'interactive', interactive };
  if (paper) {
    return { type: 'document', document: { ...paper, caption: text.slice(0, longest_body) } };
  }
  return { type: 'text', text: { body: text.slice(0, most_characters) } };
}

/**
 * A template as the Cloud API takes it. Its parameters stand on one line each, and none is empty.
 */
export function templateOf({ name, language, parameters }: CloudTemplate): Record<string, unknown> {
  const body = parameters.map((text) => ({
    type: 'text',
    text: text.replace(/\s+/g, ' ').trim() || '-',
  }));
  return {
    type: 'template',
    template: {
      name,
      language: { code: language },
      ...(body.length > 0 && { components: [{ type: 'body', parameters: body }] }),
    },
  };
}

// Only buttons can stand below a file.
function interactiveOf(
  choices: CloudChoices,
  paper: UploadedPaper | undefined,
): Record<string, unknown> | undefined {
  const { body, options } = choices;
  if (body === '' || body.length > longest_body) return undefined;
  const type = options.length <= most_buttons && fits(choices, longest_button) ? 'button' : 'list';
  const action = type === 'button' ? buttons(choices) : rows(choices);
  if (paper && type === 'list') return undefined;
  const header = paper && { header: { type: 'document', document: paper } };
  return action && { type, ...header, body: { text: body }, action };
}

function buttons({ at, options }: CloudChoices): Record<string, unknown> {
  return {
    buttons: options.map(({ id, label }) => ({
      type: 'reply',
      reply: { id: tapId(at, id), title: label },
    })),
  };
}

function rows({ at, open, options }: CloudChoices): Record<string, unknown> | undefined {
  const all = options.map(({ id, label }) => ({ id: tapId(at, id), ...linesOf(label) }));
  const fit =
    all.length <= most_rows &&
    new Set(all.map((row) => row.title)).size === all.length &&
    all.every((row) => row.title !== '' && (row.description?.length ?? 0) <= longest_second_line);
  return fit ? { button: open.slice(0, longest_button), sections: [{ rows: all }] } : undefined;
}

// What is too long stands whole on the second line, and its beginning on the first.
function linesOf(label: string): { title: string; description?: string } {
  if (label.length <= longest_row) return { title: label };
  const start = label.slice(0, longest_row - 1);
  const words = start.includes(' ') ? start.slice(0, start.lastIndexOf(' ')) : start;
  return { title: `${words.trimEnd()}…`, description: label };
}

function fits({ options }: CloudChoices, longest: number): boolean {
  const labels = options.map((option) => option.label);
  return (
    new Set(labels).size === labels.length &&
    labels.every((label) => label !== '' && label.length <= longest)
  );
}

function tapId(at: string, id: string): string {
  return `${at}:${id}`;
}

/** The question and the choice in a tap's id; undefined when it is none of ours. */
export function readTap(tapped: string): { at: string; id: string } | undefined {
  const [, at, id] = /^([^:]+):(.+)$/s.exec(tapped) ?? [];
  return at === undefined || id === undefined ? undefined : { at, id };
}
