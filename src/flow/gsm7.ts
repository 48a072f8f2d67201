/** The alphabet of USSD and SMS, GSM 03.38: how long a text is in it, and how to stay inside it. */

const single = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
    '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
const double = new Set('^{}\\[~]|€');

// Nearly every text is of these alone: they are in the alphabet and take one place each.
const simple = /^[A-Za-z0-9 \n!"#%&'()*+,\-./:;<=>?@_]*$/;

// What people's phones write for characters that the alphabet has, and letters that do not
// decompose.
const plain: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '‚': "'",
  '‛': "'",
  ʼ: "'",
  '`': "'",
  '´': "'",
  '′': "'",
  '“': '"',
  '”': '"',
  '„': '"',
  '«': '"',
  '»': '"',
  '″': '"',
  '‐': '-',
  '‑': '-',
  '‒': '-',
  '–': '-',
  '—': '-',
  '―': '-',
  '−': '-',
  '•': '-',
  '·': '-',
  '…': '...',
  '\t': ' ',
  '\r': '',
  '×': 'x',
  '÷': '/',
  ł: 'l',
  Ł: 'L',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  ı: 'i',
  œ: 'oe',
  Œ: 'OE',
  þ: 'th',
  ɨ: 'i',
  ʉ: 'u',
  ɛ: 'e',
  ɔ: 'o',
  ŋ: 'ng',
  ɓ: 'b',
  ɗ: 'd',
  ƙ: 'k',
};

/** The first character of the text that the alphabet has not; undefined when it has them all. */
export function outsideGsm7(text: string): string | undefined {
  if (simple.test(text)) return undefined;
  for (const sign of text) if (!single.has(sign) && !double.has(sign)) return sign;
  return undefined;
}

/**
 * How many of a page's characters the text takes: brackets, the euro sign and their like take two.
 */
export function gsm7Length(text: string): number {
  if (simple.test(text)) return text.length;
  let length = 0;
  for (const sign of text) length += double.has(sign) ? 2 : 1;
  return length;
}

/** The first characters of the text that take at most `most`. */
export function gsm7Start(text: string, most: number): string {
  let start = '';
  let length = 0;
  for (const sign of text) {
    length += double.has(sign) ? 2 : 1;
    if (length > most) break;
    start += sign;
  }
  return start;
}

/** The text inside the alphabet: accents and quotes folded, pictures dropped, the rest as "?". */
export function toGsm7(text: string): string {
  return outsideGsm7(text) === undefined ? text : Array.from(text, folded).join('');
}

function folded(sign: string): string {
  if (sign === '\r') return '';
  if (single.has(sign) || double.has(sign)) return sign;
  const known = plain[sign];
  if (known !== undefined) return known;
  if (/^\p{Zs}$/u.test(sign)) return ' ';
  // Parts of letters and of pictures, signs without a width, pictures themselves.
  if (/^[\p{M}\p{C}\p{Extended_Pictographic}\u{1f1e6}-\u{1f1ff}]$/u.test(sign)) return '';
  const base = Array.from(sign.normalize('NFKD')).filter((part) => !/^\p{M}$/u.test(part));
  const inside = base.join('');
  return inside !== '' && outsideGsm7(inside) === undefined ? inside : '?';
}
