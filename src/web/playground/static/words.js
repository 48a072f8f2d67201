// @ts-check
import { el } from './dom.js';

const nairobi = 'Africa/Nairobi';
const minutes = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  timeZone: nairobi,
});
const seconds = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZone: nairobi,
});
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: nairobi });

/** "14:30" in Nairobi. @param {string} at */
export const clockTime = (at) => minutes.format(new Date(at));
/** "14:30:05" in Nairobi. @param {string} at */
export const exactTime = (at) => seconds.format(new Date(at));
/** "3 Feb". @param {string} at */
export const shortDay = (at) => day.format(new Date(at));

/**
 * "KES 1,500.00" from "1500.00".
 * @param {string} amount
 */
export function exactMoney(amount) {
  const [whole = '0', cents = '00'] = String(amount).split('.');
  return `KES ${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${cents.padEnd(2, '0')}`;
}

/**
 * "KES 1,500", with cents only when there are any.
 * @param {string} amount
 */
export function shortMoney(amount) {
  return exactMoney(amount).replace(/\.00$/, '');
}

/** "0700 000 004". @param {string} phone */
export function localPhone(phone) {
  return phone.replace(/^254(\d{3})(\d{3})(\d{3})$/, '0$1 $2 $3');
}

/** "payment_part" is "payment part". @param {string} name */
export function plain(name) {
  return name.replaceAll('_', ' ');
}

/**
 * A WhatsApp text as nodes: *bold* as WhatsApp decides it (so *384*123456# stays as it is), lines kept by
 * the style sheet.
 * @param {string} text
 * @returns {Node[]}
 */
export function richText(text) {
  const nodes = [];
  const bold = /(^|[^\w*])\*(\S(?:[^*\n]*[^\s*])?)\*(?![\w*])/g;
  let from = 0;
  for (const found of text.matchAll(bold)) {
    const start = found.index + found[1].length;
    nodes.push(document.createTextNode(text.slice(from, start)));
    nodes.push(el('b', {}, found[2]));
    from = found.index + found[0].length;
  }
  nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

const most_replies = 12;

/**
 * The numbered choices in a message, several on a line too: "1 Approve   2 Reject".
 * @param {string} text
 * @returns {{ key: string, label: string }[]}
 */
export function choicesIn(text) {
  return text
    .split('\n')
    .flatMap((line) => line.split(/\s{2,}(?=\d{1,2}[.)]?\s)/))
    .flatMap((part) => {
      const found = /^\s*(\d{1,2})[.)]?\s+(\S.{0,60})$/.exec(part);
      return found ? [{ key: found[1] ?? '', label: (found[2] ?? '').trim() }] : [];
    })
    .slice(0, most_replies);
}
