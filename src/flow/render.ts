import type { Channel } from './action.ts';
import { gsm7Length, gsm7Start } from './gsm7.ts';

/** How many characters a page of USSD holds. */
export const ussd_page = 160;

// Two parts of SMS, each paid for. WhatsApp has no such limit; beyond this a list is read in parts.
const limits: Readonly<Record<Channel, number>> = { ussd: ussd_page, sms: 306, whatsapp: 1500 };

/** A question as it is drawn: its words, its numbered options, and the words of the ways on. */
interface Screen {
  body: string;
  /** Each draws its label with people's text cut to so many characters. */
  options: readonly ((most: number) => string)[];
  back: () => string;
  more: () => string;
  /** Whether the first page leads back to an earlier question. */
  can_go_back: boolean;
}

// People's text gets shorter step by step until the screen has room.
const cuts = [Infinity, 40, 24, 16, 12, 8, 5];

/** Words after which nothing is answered: one page. People's text is cut, the words are not. */
export function lastPage(channel: Channel, draw: (most: number) => string): string {
  if (channel !== 'ussd') return draw(Infinity);
  for (const most of cuts) {
    const words = draw(most);
    if (gsm7Length(words) <= ussd_page) return words;
  }
  // Only texts longer than the load check allows come here.
  return gsm7Start(draw(5), ussd_page);
}

/** The screen as pages. An option is never cut in the middle and keeps its number on every page. */
export function pagesOf(channel: Channel, screen: Screen): string[] {
  const limit = limits[channel];
  const length = channel === 'whatsapp' ? (text: string) => text.length : gsm7Length;
  const lines = (options: readonly string[]) =>
    [screen.body, ...options].filter((part) => part !== '').join('\n');
  const back = channel === 'ussd' ? `\n0 ${screen.back()}` : '';
  const ways = screen.can_go_back ? back : '';
  const whole =
    lines(screen.options.map((label, index) => `${index + 1} ${label(Infinity)}`)) + ways;
  if (length(whole) <= limit) return [whole];

  const more = `\n98 ${screen.more()}`;
  const room = limit - length(back) - length(more);
  const options = screen.options.map((label, index) => {
    let line = '';
    for (const most of cuts) {
      line = `${index + 1} ${label(most)}`;
      if (length(line) <= room) return line;
    }
    return gsm7Start(line, room);
  });
  const only = lines(options) + ways;
  if (length(only) <= limit) return [only];

  const pages = packed([...linesWithin(screen.body, room, length), ...options], room, length);
  return pages.map((page, index) => {
    const first = index === 0 && !screen.can_go_back;
    return page + (first ? '' : back) + (index < pages.length - 1 ? more : '');
  });
}

type Length = (text: string) => number;

function packed(lines: readonly string[], room: number, length: Length): string[] {
  const pages: string[] = [];
  let page = '';
  for (const line of lines) {
    const longer = page === '' ? line : `${page}\n${line}`;
    if (page !== '' && length(longer) > room) {
      pages.push(page);
      page = line;
    } else page = longer;
  }
  pages.push(page);
  return pages;
}

// The lines of the words; one that is longer than a page is broken between words.
function linesWithin(body: string, room: number, length: Length): string[] {
  return body.split('\n').flatMap((line) => {
    if (length(line) <= room) return [line];
    const lines: string[] = [];
    let now = '';
    for (const word of line.split(' ')) {
      const longer = now === '' ? word : `${now} ${word}`;
      if (length(longer) <= room) now = longer;
      else {
        if (now !== '') lines.push(now);
        now = length(word) <= room ? word : gsm7Start(word, room);
      }
    }
    return [...lines, now];
  });
}
