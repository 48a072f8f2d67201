// @ts-check

const colours = 6;
/** @type {Map<string, string>} */
const tags = new Map();

/**
 * The colour of a receipt, "0" to "5": the same wherever it is shown, another for the next receipt.
 * @param {string} receipt
 */
export function tagOf(receipt) {
  const known = tags.get(receipt);
  if (known !== undefined) return known;
  const tag = String(tags.size % colours);
  tags.set(receipt, tag);
  return tag;
}
