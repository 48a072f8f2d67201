import { html, raw } from 'hono/html';
import { renderSVG } from 'uqr';
import { localPhone } from '../../base/phone.ts';
import type { DeviceStanding } from '../../conversation/linked-device.ts';

type Language = 'en' | 'sw';
type Shown = DeviceStanding & { number: string; language: Language };

/** The page as it is now; while something is awaited it looks again by itself. */
export function linkedPage(it: Shown) {
  const words = texts[it.language];
  const waits = it.wanted || !(it.state === 'unlinked' || it.state === 'stopped');
  const again_s = it.state === 'open' && it.held ? 30 : 2;
  const reload = waits ? html`<meta http-equiv="refresh" content="${again_s}" />` : '';
  return html`<!doctype html>
    <html lang="${it.language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${reload}
        <title>WhatsApp ${localPhone(it.number)} · Karani</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <main>
          <h1>WhatsApp ${localPhone(it.number)}</h1>
          ${bodyOf(it, words)}
        </main>
      </body>
    </html>`;
}

function bodyOf(it: Shown, words: Texts) {
  const why = it.why === null ? '' : html`<p class="why">${words.whys[it.why] ?? it.why}</p>`;
  if (it.wanted && !it.held) return html`<p>${words.nobody}</p>`;
  if (it.state === 'open' && it.held) return html`<p class="well">${words.open}</p>`;
  if (it.offer) return html`${offerOf(it.offer, words)}`;
  if (it.wanted || it.state === 'linking') return html`<p>${words.moment}</p>`;
  if (it.state === 'unlinked') {
    return html`${why}
      <p>${words.unlinked}</p>
      ${button('qr', words.scan)} ${button('code', words.type)}`;
  }
  const what = it.state === 'stopped' ? words.stopped : words.connecting;
  return html`${why}
    <p>${what}</p>
    ${it.state === 'stopped' || it.why !== null ? button('qr', words.again) : ''}`;
}

function offerOf(offer: NonNullable<DeviceStanding['offer']>, words: Texts) {
  if ('code' in offer) {
    return html`<p class="code">${offer.code}</p>
      <p>${words.how_type}</p>`;
  }
  const svg = renderSVG(offer.qr, { border: 4 });
  return html`<div class="qr" role="img" aria-label="${words.qr}">${raw(svg)}</div>
    <p>${words.how_scan}</p>`;
}

// To the page's own address.
const button = (way: 'qr' | 'code', label: string) =>
  html`<form method="post"><button name="way" value="${way}">${label}</button></form>`;

type Texts = (typeof texts)[Language];

const texts = {
  en: {
    open: 'This number is linked. Karani answers on it.',
    unlinked:
      'Link this number, and Karani answers what people write to it. Keep its phone at hand.',
    scan: 'Scan a QR code',
    type: 'Type a code instead',
    again: 'Try again now',
    moment: 'One moment…',
    nobody: 'Waiting for the server. Is it running with the role whatsapp?',
    connecting: 'Karani is connecting by itself. Until then messages go by SMS.',
    stopped: 'Karani has stopped trying.',
    qr: 'QR code',
    how_scan: 'On the phone with this number: WhatsApp, Linked devices, Link a device. Scan this.',
    how_type:
      'On the phone with this number: WhatsApp, Linked devices, Link a device, Link with phone number. Type this.',
    whys: {
      logged_out: 'It was unlinked on its phone.',
      blocked:
        'WhatsApp has blocked this number. Open WhatsApp on its phone and read what it says.',
      replaced: 'Another program uses the same keys. Stop it first.',
      outdated: 'WhatsApp does not let this version of Karani in. Please update Karani.',
      failing: 'The connection keeps failing.',
      another: 'That was another number. Please use the phone with this one.',
    } as Record<string, string>,
  },
  sw: {
    open: 'Nambari hii imeunganishwa. Karani inajibu hapo.',
    unlinked:
      'Unganisha nambari hii, na Karani itajibu watu wanaoiandikia. Uwe na simu yake karibu.',
    scan: 'Skani QR code',
    type: 'Andika code badala yake',
    again: 'Jaribu tena sasa',
    moment: 'Subiri kidogo…',
    nobody: 'Inasubiri seva. Je, inaendeshwa na kazi ya whatsapp?',
    connecting: 'Karani inajiunganisha yenyewe. Kwa sasa ujumbe unatumwa kwa SMS.',
    stopped: 'Karani imeacha kujaribu.',
    qr: 'QR code',
    how_scan: 'Kwenye simu yenye nambari hii: WhatsApp, Linked devices, Link a device. Skani hii.',
    how_type:
      'Kwenye simu yenye nambari hii: WhatsApp, Linked devices, Link a device, Link with phone number. Andika hii.',
    whys: {
      logged_out: 'Ilitenganishwa kwenye simu yake.',
      blocked: 'WhatsApp imezuia nambari hii. Fungua WhatsApp kwenye simu yake usome inachosema.',
      replaced: 'Programu nyingine inatumia funguo hizo. Izime kwanza.',
      outdated: 'WhatsApp haikubali toleo hili la Karani. Tafadhali sasisha Karani.',
      failing: 'Muunganisho unakatika kila mara.',
      another: 'Hiyo ni nambari nyingine. Tafadhali tumia simu yenye nambari hii.',
    } as Record<string, string>,
  },
};

const style = `
  :root { color-scheme: light dark; --ink: #1d2a24; --page: #f4f6f2; --leaf: #0b6b45; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e7eee9; --page: #15201b; --leaf: #5fc796; } }
  body { margin: 0; background: var(--page); color: var(--ink); font: 1.05rem/1.5 system-ui, sans-serif; }
  main { max-width: 26rem; margin: 10vh auto; padding: 0 1.25rem; }
  h1 { font-size: 1.35rem; }
  .qr { background: #fff; border-radius: 12px; overflow: hidden; }
  .qr svg { display: block; width: 100%; height: auto; }
  .code { font: 600 2.4rem/1 ui-monospace, monospace; letter-spacing: .12em; }
  .why { border-left: 4px solid #c0392b; padding-left: .75rem; }
  .well { border-left: 4px solid var(--leaf); padding-left: .75rem; }
  button { font: inherit; width: 100%; margin: .3rem 0; padding: .7rem; border-radius: 10px; cursor: pointer;
    border: 1px solid var(--leaf); background: transparent; color: inherit; }
  form:first-of-type button { background: var(--leaf); border-color: var(--leaf); color: var(--page); }
`;
