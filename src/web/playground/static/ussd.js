// @ts-check
import { post } from './api.js';
import { byId, el } from './dom.js';

const code = '*384*123456#';
const keys = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const letters = ['', 'abc', 'def', 'ghi', 'jkl', 'mno', 'pqrs', 'tuv', 'wxyz', '', '+', ''];

/**
 * The handset that dials the business.
 * @param {{ onAnswer: (text: string) => void }} it
 */
export function openUssd({ onAnswer }) {
  const idle = byId('ussd-idle');
  const number = byId('ussd-number');
  const session = byId('ussd-session');
  const screen = byId('ussd-screen');
  const input = byId('ussd-input');
  const sendButton = byId('ussd-send');
  const endButton = byId('ussd-end');
  const dialButton = byId('ussd-dial');

  let phone = '';
  let busy = false;
  // Counts the calls, so that an answer that comes after hanging up is not shown.
  let call = 0;

  byId('ussd-keys').append(
    ...keys.map((key, index) => {
      const button = el(
        'button',
        { type: 'button', 'data-testid': `key-${key}`, 'aria-label': keyName(key) },
        el('b', {}, key),
        el('small', {}, letters[index] ?? ''),
      );
      button.addEventListener('click', () => press(key));
      return button;
    }),
  );

  /** @param {string} key */
  function press(key) {
    if (session.hidden) {
      number.value = number.value === code ? key : `${number.value}${key}`.slice(0, 16);
    } else if (!input.disabled) {
      input.value += key;
    }
  }

  /** @param {'idle' | 'waiting' | 'open' | 'ended'} state */
  function enter(state) {
    screen.dataset.state = state;
    idle.hidden = state !== 'idle';
    session.hidden = state === 'idle';
    session.dataset.state = state;
    input.disabled = state !== 'open';
    sendButton.disabled = state !== 'open';
    endButton.textContent = state === 'ended' ? 'Close' : 'End';
    endButton.disabled = state === 'idle';
    dialButton.disabled = state === 'open' || state === 'waiting';
    if (state === 'idle') number.value = code;
  }

  /** @param {string | undefined} answer */
  async function turn(answer) {
    if (busy) return;
    busy = true;
    const own = (call += answer === undefined ? 1 : 0);
    if (answer === undefined) screen.textContent = 'USSD code running...';
    enter('waiting');
    try {
      const reply = await post(
        '/sim/ussd',
        answer === undefined ? { phone } : { phone, input: answer },
      );
      if (own !== call) return;
      screen.textContent = reply.text;
      input.value = '';
      enter(reply.end ? 'ended' : 'open');
      if (!reply.end) input.focus({ preventScroll: true });
      onAnswer(reply.text);
    } catch (error) {
      if (own !== call) return;
      screen.textContent = error instanceof Error ? error.message : 'Connection problem.';
      enter('ended');
    } finally {
      if (own === call) busy = false;
    }
  }

  function hangUp() {
    call += 1;
    busy = false;
    enter('idle');
  }

  dialButton.addEventListener('click', () => {
    if (number.value === code) {
      void turn(undefined);
    } else {
      screen.textContent = `Connection problem or invalid MMI code.\n\nThe business answers at ${code}`;
      enter('ended');
    }
  });
  endButton.addEventListener('click', () => {
    hangUp();
    dialButton.focus({ preventScroll: true });
  });
  session.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const answer = input.value.trim();
    if (answer) void turn(answer);
    else input.focus();
  });

  enter('idle');
  return {
    /** @param {string} wanted */
    show(wanted) {
      if (wanted === phone) return;
      phone = wanted;
      hangUp();
    },
    dial: () => turn(undefined),
  };
}

/** @param {string} key */
function keyName(key) {
  return key === '*' ? 'star' : key === '#' ? 'hash' : key;
}
