// @ts-check
import { get } from './api.js';
import { openChat } from './chat.js';
import { openCodes } from './codes.js';
import { byId, el } from './dom.js';
import { openGuide } from './guide.js';
import { openLive } from './live.js';
import { openMpesa } from './mpesa.js';
import { openPrompts } from './prompt.js';
import { openTrouble } from './trouble.js';
import { openUssd } from './ussd.js';
import { localPhone } from './words.js';

/** @typedef {import('./mpesa.js').Person} Person */

const slow_poll_ms = 4_000;
const roles = new Intl.ListFormat('en');
const narrow = matchMedia('(max-width: 1199px)');

/** @type {Person[]} */
let people = [];
/** @type {Person | undefined} */
let me;
let owner_name = '';
// Receipts paid from here may arrive before the answer that names them: kept until they are known.
/** @type {{ whose: 'mine' | 'owner', text: string }[]} */
let early = [];

const guide = openGuide({
  inView: (whose) => !narrow.matches || document.body.dataset.tab === whose,
});
const live = openLive();
const trouble = openTrouble();
const mpesa = openMpesa({ onPaid });
const prompts = openPrompts({ onPaid, onChange: drawPeople });
const ussd = openUssd({
  onAnswer(text) {
    if (/KES\s?\d/.test(text)) guide.balanceShown();
  },
});
const codes = { mine: openCodes('mine'), owner: openCodes('owner') };
let balance_asked = false;
const texts = openChat('texts', {
  by: 'sms',
  openers: ['balance', 'salio', 'STOP'],
  hello: () => 'SMS from the business arrive here, for who has no WhatsApp.',
  onMessages(_, first) {
    if (!first) unread('mine');
  },
});
const mine = openChat('mine', {
  by: 'whatsapp',
  openers: ['balance', 'pay', 'menu', 'kiswahili'],
  hello: () => `Write to the business as ${me?.name ?? 'somebody new'}.`,
  onMessages(fresh, first) {
    if (first) return;
    unread('mine');
    for (const { direction, text } of fresh) {
      if (direction === 'in') balance_asked = /^\s*(balance|salio|baki)\b/i.test(text);
      else if (balance_asked && /KES\s?\d/.test(text)) guide.balanceShown();
      if (direction === 'out') note('mine', text);
    }
    void readPeople();
  },
});
const owner = openChat('owner', {
  by: 'whatsapp',
  openers: [],
  hello: () => `When a customer pays, ${owner_name || 'the owner'} reads it here.`,
  onMessages(fresh, first) {
    if (first) return;
    unread('owner');
    for (const { direction, text } of fresh) if (direction === 'out') note('owner', text);
  },
});

/**
 * @param {'mine' | 'owner'} whose
 * @param {string} text
 */
function note(whose, text) {
  early = [...early.slice(-9), { whose, text }];
  guide.heard(whose, text);
}

/** @param {string} receipt */
function onPaid(receipt) {
  guide.paid(receipt);
  live.showAll();
  for (const { whose, text } of early) guide.heard(whose, text);
  early = [];
  refreshPhones();
  void trouble.countLost();
}

function refreshPhones() {
  void prompts.refresh();
  void mine.refresh();
  void texts.refresh();
  void owner.refresh();
}

// People

async function readPeople() {
  try {
    people = await get('/playground/people');
  } catch {
    return;
  }
  drawPeople();
}

function drawPeople() {
  const known = new Set(people.map((person) => person.phone));
  let fresh = 254722000999;
  while (known.has(String(fresh))) fresh -= 1;
  const stranger = { name: null, phone: String(fresh), roles: [], language: 'en', invoices: [] };
  // Who was somebody new a moment ago stays chosen, now that they are known.
  const wanted = me?.phone ?? people[0]?.phone ?? stranger.phone;
  const all = [...people, stranger];
  const select = byId('person');
  const asked = new Set(prompts.phones());
  const options = all.map((person) => {
    const words = describe(person, person === stranger);
    return el(
      'option',
      { value: person.phone },
      asked.has(person.phone) && person.phone !== wanted ? `• ${words}` : words,
    );
  });
  const before = [...select.options].map((/** @type {any} */ o) => o.value + o.textContent).join();
  if (before !== options.map((o) => o.value + o.textContent).join())
    select.replaceChildren(...options);
  select.value = wanted;
  become(all.find((person) => person.phone === wanted) ?? stranger);
  drawOwners();
}

/**
 * @param {Person} person
 * @param {boolean} is_new
 */
function describe(person, is_new) {
  if (is_new) return `Someone new, ${localPhone(person.phone)}`;
  if (person.name === null) return localPhone(person.phone);
  return person.roles.length > 0 ? `${person.name}, ${roles.format(person.roles)}` : person.name;
}

/** @param {Person} person */
function worksHere({ roles }) {
  return ['admin', 'officer', 'cashier'].some((role) => roles.includes(role));
}

/** @param {Person} person */
function become(person) {
  me = person;
  const name = person.name ?? localPhone(person.phone);
  byId('you-avatar').textContent = person.name?.[0] ?? '?';
  byId('mine-title').textContent = person.name ? name : 'A new phone';
  mpesa.show(person);
  prompts.show(person.phone);
  ussd.show(person.phone);
  mine.show(person.phone);
  texts.show(person.phone);
  codes.mine.show(person.phone, worksHere(person));
  drawAsked();
}

function drawOwners() {
  const admins = people.filter((person) => person.roles.includes('admin')).slice(0, 3);
  const box = byId('owners');
  const wanted = admins.find((admin) => admin.phone === owner.phone()) ?? admins[0];
  if (!wanted) return;
  if (box.childElementCount !== admins.length) {
    box.replaceChildren(
      ...admins.map((admin) => {
        const button = el(
          'button',
          {
            type: 'button',
            'data-phone': admin.phone,
            'data-testid': `owner-${(admin.name ?? '').toLowerCase()}`,
          },
          admin.name ?? localPhone(admin.phone),
        );
        button.addEventListener('click', () => showOwner(admin));
        return button;
      }),
    );
  }
  showOwner(wanted);
}

/** @param {Person} admin */
function showOwner(admin) {
  owner_name = admin.name ?? '';
  for (const button of byId('owners').children) {
    button.setAttribute(
      'aria-pressed',
      String(/** @type {HTMLElement} */ (button).dataset.phone === admin.phone),
    );
  }
  owner.show(admin.phone);
  codes.owner.show(admin.phone, true);
}

// Phones that M-Pesa asks for a PIN: one's own where the prompt is not on the screen, and others'.

function drawAsked() {
  const asked = prompts.phones();
  const others = people.filter((it) => it.phone !== me?.phone && asked.includes(it.phone));
  const [first] = others;
  byId('asked-you').hidden = !asked.includes(me?.phone ?? '');
  byId('asked-other').hidden = first === undefined;
  if (!first) return;
  const more = others.length > 1 ? ` and ${others.length - 1} more` : '';
  byId('asked-other-words').textContent = `${first.name ?? localPhone(first.phone)}${more}`;
  byId('asked-other').dataset.phone = first.phone;
}

byId('asked-you').addEventListener('click', () => goToPrompt());
byId('asked-other').addEventListener('click', () => {
  const asked = people.find((it) => it.phone === byId('asked-other').dataset.phone);
  if (!asked) return;
  byId('person').value = asked.phone;
  become(asked);
  goToPrompt();
});

function goToPrompt() {
  goTo('pay');
  byId('pay-title').focus({ preventScroll: true });
}

byId('person').addEventListener('change', (/** @type {any} */ event) => {
  const chosen = people.find((person) => person.phone === event.target.value);
  become(
    chosen ?? { name: null, phone: event.target.value, roles: [], language: 'en', invoices: [] },
  );
});

// Tabs: WhatsApp, SMS or USSD on the phone, and which part a narrow screen shows

const apps = /** @type {const} */ (['whatsapp', 'sms', 'ussd']);

/** @param {typeof apps[number]} app */
function showApp(app) {
  for (const name of apps) {
    const chosen = name === app;
    byId(`tab-${name}`).setAttribute('aria-selected', String(chosen));
    byId(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    byId(`app-${name}`).hidden = !chosen;
  }
  // A log that was not shown could not be scrolled.
  for (const name of ['mine-log', 'texts-log']) byId(name).scrollTop = byId(name).scrollHeight;
}

for (const [index, app] of apps.entries()) {
  byId(`tab-${app}`).addEventListener('click', () => showApp(app));
  byId(`tab-${app}`).addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const other = apps[(index + step + apps.length) % apps.length];
    if (step === 0 || other === undefined) return;
    showApp(other);
    byId(`tab-${other}`).focus();
  });
}

const parts = [...document.querySelectorAll('[data-goto]')].map(
  (it) => /** @type {HTMLElement} */ (it),
);

/** @param {string} part */
function goTo(part) {
  document.body.dataset.tab = part;
  for (const button of parts) {
    if (button.dataset.goto !== part) button.removeAttribute('aria-current');
    else {
      button.setAttribute('aria-current', 'true');
      const mark = /** @type {HTMLElement | null} */ (button.querySelector('.unread'));
      if (mark) mark.hidden = true;
    }
  }
  // A log that was not shown could not be scrolled.
  for (const name of ['mine-log', 'texts-log', 'owner-log'])
    byId(name).scrollTop = byId(name).scrollHeight;
  guide.look();
}

/** @param {'mine' | 'owner'} part */
function unread(part) {
  if (!narrow.matches || document.body.dataset.tab === part) return;
  const mark = document.querySelector(`[data-goto="${part}"] .unread`);
  if (mark instanceof HTMLElement) mark.hidden = false;
}

for (const button of parts)
  button.addEventListener('click', () => goTo(button.dataset.goto ?? 'pay'));

// The guide's own buttons

byId('step-1-go').addEventListener('click', () => {
  const kamau = people.find(
    (person) => person.roles.includes('customer') && person.invoices.length > 0,
  );
  if (kamau) {
    byId('person').value = kamau.phone;
    become(kamau);
  }
  goTo('pay');
  void mpesa.payFirst();
});
byId('step-2-mine').addEventListener('click', () => {
  showApp('whatsapp');
  goTo('mine');
});
byId('step-2-owner').addEventListener('click', () => goTo('owner'));
for (const word of ['balance', 'kiswahili']) {
  byId(`step-3-${word}`).addEventListener('click', () => {
    showApp('whatsapp');
    goTo('mine');
    void mine.send(word);
  });
}
byId('step-3-dial').addEventListener('click', () => {
  showApp('ussd');
  goTo('mine');
  void ussd.dial();
});

// What happens, as it happens

let connected = false;

/** @param {'connecting' | 'live' | 'lost'} state */
function connection(state) {
  connected = state === 'live';
  byId('link').dataset.state = state;
  byId('link-words').textContent =
    state === 'live' ? 'Live' : state === 'lost' ? 'Karani does not answer' : 'Connecting';
}

/** @param {any[]} happenings */
function follow(happenings) {
  const phones = happenings.map((it) => it.phone).filter(Boolean);
  if (phones.includes(mine.phone())) {
    void mine.refresh();
    void texts.refresh();
  }
  if (phones.includes(owner.phone())) void owner.refresh();
  if (happenings.some((it) => it.kind === 'prompt' || it.source === 'stk_callback'))
    void prompts.refresh();
  if (happenings.some((it) => it.kind === 'payment' || it.kind === 'ledger')) void readPeople();
}

function watch() {
  const source = new EventSource('/playground/events');
  source.addEventListener('open', () => {
    connection('live');
    if (people.length === 0) void readPeople();
  });
  source.addEventListener('error', () => {
    connection('lost');
    // The browser tries again by itself, except when it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(watch, 5_000);
  });
  source.addEventListener('snapshot', (event) => {
    live.tell(JSON.parse(event.data), false);
    refreshPhones();
  });
  source.addEventListener('news', (event) => {
    const news = JSON.parse(event.data);
    live.tell(news, true);
    follow(news);
  });
}

setInterval(() => {
  if (document.hidden) return;
  refreshPhones();
  if (!connected) void readPeople();
}, slow_poll_ms);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refreshPhones();
});

await readPeople();
if (people.length === 0) drawPeople();
watch();
