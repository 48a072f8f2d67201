// @ts-check
import { get, post } from './api.js';
import { byId, el } from './dom.js';
import { choicesIn, clockTime, richText, shortDay } from './words.js';

/**
 * @typedef {{ id: string, at: string, direction: 'in' | 'out', text: string }} ChatMessage
 * @typedef {{ show: (phone: string) => void, refresh: () => Promise<void>, send: (text: string) => Promise<boolean>,
 *   phone: () => string }} Chat
 */

/**
 * A WhatsApp chat in the elements `${name}-log`, `-write` and `-text`.
 * @param {string} name
 * @param {{ openers: string[], hello: () => string, onMessages: (fresh: ChatMessage[], first: boolean) => void }} it
 * @returns {Chat}
 */
export function openChat(name, { openers, hello, onMessages }) {
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
      fresh = await get(`/sim/whatsapp?phone=${asked}${after}`);
    } catch (error) {
      if (asked === phone && !loaded) say(error);
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
    if (problem.textContent !== '') say(undefined);
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
    const choices = !newest
      ? openers.map((text) => ({ key: text, label: '' }))
      : newest.direction === 'out'
        ? choicesIn(newest.text)
        : [];
    if (choices.length === 0) return;
    replies.replaceChildren(
      ...choices.map(({ key, label }) => {
        const button = el(
          'button',
          { type: 'button', class: 'chip', 'data-reply': key },
          el('b', {}, key),
        );
        if (label) button.append(` ${label}`);
        button.addEventListener('click', () => void send(key));
        return button;
      }),
    );
    log.append(replies);
  }

  /** @param {unknown} error */
  function say(error) {
    const words = error instanceof Error ? error.message : '';
    problem.textContent = words;
    if (words) form.before(problem);
    else problem.remove();
  }

  /** @param {string} text */
  async function send(text) {
    const from = phone;
    try {
      await post('/sim/whatsapp', { from, text });
    } catch (error) {
      say(error);
      return false;
    }
    say(undefined);
    if (from === phone) log.scrollTop = log.scrollHeight;
    await refresh();
    return true;
  }

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
