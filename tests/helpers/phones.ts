import { eventually, getJson, postJson } from './process.ts';

/** What stands in a chat. */
export interface Bubble {
  id: string;
  direction: 'in' | 'out';
  text: string;
  choices?: { id: string; title: string; description?: string }[];
}

type App = 'whatsapp' | 'sms';

const patience_ms = 20_000;
const most_pages = 6;

/** The phones of the demo's people, as its simulators have them. */
export function phonesOf(demo: { url: string }) {
  const chat = (phone: string, by: App = 'whatsapp') =>
    getJson<Bubble[]>(`${demo.url}/sim/${by}?phone=${phone}`);

  /** What the business has said on a phone. */
  const heard = async (phone: string, by: App = 'whatsapp') =>
    (await chat(phone, by)).filter((bubble) => bubble.direction === 'out');

  /** What the business says next on a phone. */
  const nth = async (phone: string, index: number, by: App = 'whatsapp') => {
    const out = await eventually(
      () => heard(phone, by),
      (all) => all.length > index,
      patience_ms,
    );
    return out[index]!;
  };

  /** Waits until somebody is told something like this that they had not been told before. */
  const hears = async (phone: string, words: RegExp, since = 0, by: App = 'whatsapp') => {
    const like = (all: Bubble[]) => all.slice(since).find(({ text }) => words.test(text));
    const all = await eventually(
      () => heard(phone, by),
      (bubbles) => like(bubbles) !== undefined,
      patience_ms,
    ).catch(async () => {
      const said = (await heard(phone, by)).slice(since).map(({ text }) => text);
      throw new Error(`${phone} never heard ${words.source}, but ${JSON.stringify(said)}`);
    });
    return like(all)!.text;
  };

  /** Writes, taps or quotes on a phone, and waits for what is answered there. */
  const says = async (phone: string, it: object, by: App = 'whatsapp') => {
    const before = (await heard(phone, by)).length;
    await postJson(`${demo.url}/sim/${by}`, { from: phone, ...it });
    return nth(phone, before, by);
  };

  const dials = (it: object) =>
    postJson<{ text: string; end: boolean }>(`${demo.url}/sim/ussd`, it);

  return {
    chat,
    nth,
    hears,
    says,
    dials,
    count: async (phone: string, by: App = 'whatsapp') => (await heard(phone, by)).length,
    /** Somebody pays with the M-Pesa menu of their phone; the receipt. */
    pays: async (phone: string, amount: number, account: string) => {
      const order = { phone, amount, account };
      return (await postJson<{ receipt: string }>(`${demo.url}/sim/mpesa/pay`, order)).receipt;
    },
    prompts: (phone: string) =>
      getJson<{ id: string; account: string }[]>(`${demo.url}/sim/mpesa/prompts?phone=${phone}`),
  };
}

export type Phones = ReturnType<typeof phonesOf>;

/** One way to talk with Karani: a story told by it is the same on every other. */
export interface Talk {
  channel: 'whatsapp' | 'ussd';
  /** Begins with a word, or from the menu by its line; waits for an answer like this. */
  begins: (phone: string, it: { word: string; line?: string }, answer: RegExp) => Promise<string>;
  /** Writes or keys something. */
  says: (phone: string, text: string, answer: RegExp) => Promise<string>;
  /** Chooses a line of what is shown. */
  picks: (phone: string, line: string, answer: RegExp) => Promise<string>;
}

/** On WhatsApp: words are written, and answered in the chat. */
export function onWhatsapp({ chat, says, hears, count }: Phones): Talk {
  const say = async (phone: string, text: string, answer: RegExp) => {
    const since = await count(phone);
    await says(phone, { text });
    return hears(phone, answer, since);
  };
  return {
    channel: 'whatsapp',
    says: say,
    begins: (phone, { word }, answer) => say(phone, word, answer),
    picks: async (phone, line, answer) => {
      const since = await count(phone);
      const { id, choices } = (await chat(phone)).findLast(({ direction }) => direction === 'out')!;
      const chosen = choices!.find((it) => (it.description ?? it.title).startsWith(line))!;
      await says(phone, { tap: chosen.id, answers: id });
      return hears(phone, answer, since);
    },
  };
}

/**
 * On USSD: the code is dialled, a line chosen by its number, and page after page read.
 */
export function onUssd({ dials }: Phones): Talk {
  const shown = new Map<string, string>();

  async function read(phone: string, first: string, answer: RegExp): Promise<string> {
    let text = first;
    for (let page = 1; !answer.test(text); page += 1) {
      if (page === most_pages || !/^98 /m.test(text)) {
        throw new Error(`${phone} is shown ${JSON.stringify(text)}, and not ${answer.source}`);
      }
      const next = await dials({ phone, input: '98' });
      text = `${text.replace(/\n98 .*/, '')}\n${next.text}`;
    }
    shown.set(phone, text);
    return text;
  }

  const says = async (phone: string, input: string, answer: RegExp) =>
    read(phone, (await dials({ phone, input })).text, answer);

  const picks = async (phone: string, line: string, answer: RegExp) => {
    const numbered = new RegExp(`^(\\d+) ${line}`, 'm');
    const text = await read(phone, shown.get(phone) ?? '', numbered);
    return says(phone, numbered.exec(text)![1]!, answer);
  };

  return {
    channel: 'ussd',
    says,
    picks,
    begins: async (phone, { word, line }, answer) => {
      shown.set(phone, (await dials({ phone })).text);
      return line === undefined ? says(phone, word, answer) : picks(phone, line, answer);
    },
  };
}
