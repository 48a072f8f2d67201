// Controls (a NUL cannot be stored), and the marks that turn the direction of writing: strangers
// type this, and what one of them wrote must not turn the line that it is shown in. Line breaks
// stay.
const never_shown = /(?!\n)[\p{Cc}\u200B\u200E\u200F\u061C\u202A-\u202E\u2066-\u2069\uFEFF]/gu;

/**
 * Somebody else's text as it can be stored and shown: at most `longest` characters, none that does
 * harm.
 */
export function shownText(text: string, longest: number): string {
  return text
    .toWellFormed()
    .replace(never_shown, '')
    .trim()
    .slice(0, longest)
    .toWellFormed()
    .trim();
}

/** The same on one line: every stretch of white space is one space. */
export function shownLine(text: string, longest: number): string {
  return shownText(text.replace(/\s+/g, ' '), longest);
}
