/** The number of the nth customer, "CUST-001". */
export function customerNumber(digits: string): string {
  return `CUST-${digits.padStart(3, '0')}`;
}

const written = /\bCUST(?:OMER)?[^0-9A-Z]*0*(\d{1,9})\b/g;

/** The customers' numbers in a text, however they are written. */
export function customerNumbersIn(text: string): string[] {
  // An underscore is a letter to \b, and a separator to people.
  const found = text.toUpperCase().replaceAll('_', ' ').matchAll(written);
  return [...found].map((m) => customerNumber(m[1] ?? ''));
}
