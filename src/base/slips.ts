/**
 * The digits that somebody may have meant who slipped once: one of them left out, one too many,
 * another one, or two exchanged. Some 20 for each digit.
 */
export function slipsOf(digits: string): string[] {
  const found = new Set<string>();
  for (let at = 0; at <= digits.length; at += 1) {
    const [before, after] = [digits.slice(0, at), digits.slice(at)];
    for (const digit of '0123456789') {
      found.add(before + digit + after);
      if (after !== '') found.add(before + digit + after.slice(1));
    }
    if (after !== '') found.add(before + after.slice(1));
    if (after.length > 1) found.add(`${before}${after[1]}${after[0]}${after.slice(2)}`);
  }
  found.delete(digits);
  return [...found];
}
