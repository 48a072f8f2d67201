import { msisdnFrom } from '../base/phone.ts';
import type { StaffRole } from '../base/schema.ts';
import { isName, shownLine } from '../base/text.ts';

/** What admins write about persons, read as people write it. */

const role_words: Readonly<Record<string, StaffRole>> = {
  admin: 'admin',
  officer: 'officer',
  afisa: 'officer',
  cashier: 'cashier',
  keshia: 'cashier',
};

/** Of what somebody who works here is called. */
export const longest_name = 60;

export interface StaffOrder {
  role: StaffRole;
  msisdn: string;
  /** As it was typed; undefined where none was, or no name. */
  name: string | undefined;
}

/** "cashier 0712345678 Njeri", in any order; undefined without a role and a number. */
export function readStaffOrder(text: string): StaffOrder | undefined {
  const [typed] = numbersIn(text);
  const msisdn = typed && msisdnFrom(typed);
  if (!typed || !msisdn) return undefined;
  const words = text.replace(typed, ' ').split(/[\s,]+/);
  const named = words.findIndex((word) => word.toLowerCase() in role_words);
  const role = role_words[words[named]?.toLowerCase() ?? ''];
  if (!role) return undefined;
  return { role, msisdn, name: nameIn(words.filter((_, index) => index !== named).join(' ')) };
}

/** What somebody may be called by these words; undefined when they are no name. */
export function nameIn(text: string): string | undefined {
  const name = shownLine(text, longest_name);
  return isName(name) ? name : undefined;
}

/** The two whom a text names, each a number or a customer's: "0712345678 CUST-004". */
export function readTwo(text: string): [string, string] | undefined {
  const found = [...text.matchAll(/cust[a-z]*[^0-9a-z]*\d+/gi)].map((match) => ({
    typed: match[0],
    at: match.index,
  }));
  const rest = found.reduce(
    (left, it) => left.replace(it.typed, '#'.repeat(it.typed.length)),
    text,
  );
  for (const typed of numbersIn(rest)) found.push({ typed, at: rest.indexOf(typed) });
  const [first, second, ...others] = found.sort((a, b) => a.at - b.at).map((it) => it.typed);
  return first && second && others.length === 0 ? [first, second] : undefined;
}

// Apart by spaces where each is whole; else as one number that is written with spaces.
function numbersIn(text: string): string[] {
  const whole = text.match(/\+?\d[\d().-]{7,14}\d/g) ?? [];
  return whole.length > 0 ? whole : (text.match(/\+?\d[\d\s().-]{7,17}\d/g) ?? []);
}
