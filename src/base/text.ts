// Controls (a NUL cannot be stored), and the marks that turn the direction of writing: strangers
// type this, and what one of them wrote must not turn the line that it is shown in. Line breaks
// stay.
const never_shown = /(?!\n)[\p{Cc}\u200B\u200E\u200F\u061C\u202A-\u202E\u2066-\u2069\uFEFF]/gu;

/**
 * Somebody else's text as it can be stored and shown: at most `longest` characters, none that does
 * harm.
 */
export function shownText(text: string, longest: number): string {
  return cut(harmless(text), longest);
}

/** The same on one line: every stretch of white space is one space. */
export function shownLine(text: string, longest: number): string {
  return cut(harmless(text).replace(/\s+/g, ' '), longest);
}

// What keeps words apart still does: "1<tab>500" is not 1500.
function harmless(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[\t\v\f]/g, ' ')
    .replace(never_shown, '')
    .trim();
}

// Between characters: half a picture is none.
function cut(text: string, longest: number): string {
  return text
    .slice(0, longest)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trimEnd();
}

/**
 * Whether somebody or some business may be called so: two letters at least, and no phone, amount or
 * number with a letter in it.
 */
export function isName(text: string): boolean {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const digits = text.match(/\p{N}/gu)?.length ?? 0;
  return letters >= 2 && letters >= digits;
}
