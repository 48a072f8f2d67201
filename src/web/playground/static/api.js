// @ts-check

/** The server said no, and did nothing. */
export class Refused extends Error {}

/**
 * Asks the server. Throws an Error whose message can be shown.
 * @param {string} path
 * @returns {Promise<any>}
 */
export function get(path) {
  return ask(path, {});
}

/**
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 */
export function post(path, body) {
  return ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Error('Karani does not answer. Is it still running?');
  }
  const text = await response.text();
  if (!response.ok) {
    const reason = reasonIn(text) || `Karani answered ${response.status}.`;
    throw response.status < 500 ? new Refused(reason) : new Error(reason);
  }
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    throw new Error('The answer could not be read.');
  }
}

/** @param {string} text */
function reasonIn(text) {
  try {
    const it = JSON.parse(text);
    const reason = it.detail ?? it.message ?? it.error ?? it.title;
    return typeof reason === 'string' ? reason : '';
  } catch {
    return text.length < 160 && !text.includes('<') ? text.trim() : '';
  }
}
