// @ts-check

/**
 * What this browser was told to remember, if it remembers anything at all.
 * @param {string} name
 */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then the next visit begins afresh, that is all.
  }
}
