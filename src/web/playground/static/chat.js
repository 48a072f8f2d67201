// @ts-check
import { get, post } from './api.js';
import { byId, el } from './dom.js';
import { choicesIn, clockTime, richText, shortDay } from './words.js';

/**
 * @typedef {{ id: string, title: string, description?: string }} Choice
 * @typedef {{ id: string, at: string, direction: 'in' | 'out', text: string, choices?: Choice[] }} ChatMessage
 * @typedef {{ show: (phone: string) => void, refresh: () => Promise<void>, send: (text: string) => Promise<boolean>,
 *   phone: () => string }} Chat
 */

/**
 * A chat by WhatsApp or SMS in the elements `${name}-log`, `-write` and `-text`.
 * @param {string} name
 * @param {{ by: 'whatsapp' | 'sms', openers: string[], hello: () => string,
 *   onMessages: (fresh: ChatMessage[], first: boolean) => void }} it
 * @returns {Chat}
 */
export function openChat(name, { by, openers, hello, onMessages }) {
  const log = byId(`${name}-log`);
  const form = byId(`${name}-write`);
  const input = byId(`${name}-text`);
  const replies = el('div', { class: 'replies' });
  const problem = el('p', { class: 'problem', role: 'alert' });

  let phone = '';
  /** @type {ChatMessage[]} */
  let messages = [];
  let loaded = false;
  /** @type {Promise<void> | undefined} */
  let reading;
  let again = false;

  /** @param {string} wanted */
  function show(wanted) {
    if (wanted === phone) return;
    phone = wanted;
    messages = [];
    loaded = false;
    input.value = '';
    log.replaceChildren();
    void refresh();
  }

  // One reading at a time; whoever asks during one gets another right after it.
  function refresh() {
    if (reading) {
      again = true;
      return reading;
    }
    reading = (async () => {
      do {
        again = false;
        await read();
      } while (again);
    })().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function read() {
    if (!phone) return;
    const asked = phone;
    const last = messages.at(-1)?.id;
    const after = last ? `&after=${encodeURIComponent(last)}` : '';
    /** @type {ChatMessage[]} */
    let fresh;
    try {
      fresh = await get(`/sim/${by}?phone=${asked}${after}`);
    } catch (error) {
      if (asked === phone && !loaded) complain(error);
      return;
    }
    if (asked !== phone) {
      again = true;
      return;
    }
    const known = new Set(messages.map((message) => message.id));
    // All of it again, and not what follows: the chat was begun anew.
    if (last && fresh.length > 0 && known.has(fresh[0]?.id ?? '')) {
      messages = [];
      known.clear();
      log.replaceChildren();
    }
    fresh = fresh.filter((message) => !known.has(message.id));
    const first = !loaded;
    loaded = true;
    if (fresh.length > 0 || first) draw(fresh, first);
    if (fresh.length > 0) onMessages(fresh, first);
  }

  /**
   * @param {ChatMessage[]} fresh
   * @param {boolean} first
   */
  function draw(fresh, first) {
    const pinned = first || log.scrollHeight - log.scrollTop - log.clientHeight < 120;
    replies.remove();
    log.querySelector('.hello')?.remove();
    if (problem.textContent !== '') complain(undefined);
    for (const message of fresh) {
      const before = messages.at(-1);
      if (!before || shortDay(before.at) !== shortDay(message.at)) {
        log.append(el('p', { class: 'day' }, shortDay(message.at)));
      }
      log.append(bubble(message, !first));
      messages.push(message);
    }
    drawReplies();
    if (pinned) log.scrollTop = log.scrollHeight;
  }

  function drawReplies() {
    const newest = messages.at(-1);
    if (!newest) log.append(el('p', { class: 'hello' }, hello()));
    const chips = !newest
      ? openers.map((text) => chip(text, '', { text }))
      : newest.direction === 'out'
        ? repliesTo(newest)
        : [];
    if (chips.length === 0) return;
    replies.replaceChildren(...chips);
    log.append(replies);
  }

  // What WhatsApp would show as buttons or a list is tapped; numbers in a text are sent.
  /** @param {ChatMessage} message */
  function repliesTo({ id, text, choices }) {
    if (!choices) return choicesIn(text).map(({ key, label }) => chip(key, label, { text: key }));
    return choices.map((choice, index) =>
      chip(String(index + 1), choice.description ?? choice.title, { tap: choice.id, answers: id }),
    );
  }

  /**
   * @param {string} key
   * @param {string} label
   * @param {object} said
   */
  function chip(key, label, said) {
    const button = el(
      'button',
      { type: 'button', class: 'chip', 'data-reply': key },
      el('b', {}, key),
    );
    if (label) button.append(` ${label}`);
    button.addEventListener('click', () => void say(said));
    return button;
  }

  /** @param {unknown} error */
  function complain(error) {
    const words = error instanceof Error ? error.message : '';
    problem.textContent = words;
    if (words) form.before(problem);
    else problem.remove();
  }

  /** @param {object} said */
  async function say(said) {
    const from = phone;
    try {
      await post(`/sim/${by}`, { from, ...said });
    } catch (error) {
      complain(error);
      return false;
    }
    complain(undefined);
    if (from === phone) log.scrollTop = log.scrollHeight;
    await refresh();
    return true;
  }

  /** @param {string} text */
  const send = (text) => say({ text });

  form.addEventListener('submit', async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = '';
    if (!(await send(text)) && input.value === '') input.value = text;
  });

  return { show, refresh, send, phone: () => phone };
}

/**
 * @param {ChatMessage} message
 * @param {boolean} fresh
 */
function bubble(message, fresh) {
  // "in" is what the person wrote, and this is the person's phone: their own words are on the right.
  const own = message.direction === 'in';
  return el(
    'div',
    {
      class: `bubble ${own ? 'own' : 'theirs'}${fresh ? ' fresh' : ''}`,
      'data-testid': 'bubble',
      'data-direction': message.direction,
    },
    el('span', { class: 'unseen' }, own ? 'You: ' : 'Karani: '),
    el('div', { class: 'text' }, ...richText(message.text)),
    el('time', { datetime: message.at }, clockTime(message.at)),
  );
}
