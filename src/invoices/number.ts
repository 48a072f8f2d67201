// "INV-20260203-0001" however it is typed: any case, any or no separators, with or without leading
// zeros.
const written = /\bINV(?:OICE)?[^0-9A-Z]*(\d{8})[^0-9A-Z]*0*(\d{1,6})\b/g;

/** An invoice's number from its day, "20260203", and its number on that day. */
export function invoiceNumber(day: string, nth: string): string {
  return `INV-${day}-${nth.padStart(4, '0')}`;
}

/** The invoices' numbers in a text, however they are written. */
export function invoiceNumbersIn(text: string): string[] {
  // An underscore is a letter to \b, and a separator to people.
  const found = text.toUpperCase().replaceAll('_', ' ').matchAll(written);
  return [...new Set([...found].map((m) => invoiceNumber(m[1] ?? '', m[2] ?? '')))];
}

/** What counts the invoices of a day, "20260203". */
export function counterOf(day: string): string {
  return `invoice:${day}`;
}
