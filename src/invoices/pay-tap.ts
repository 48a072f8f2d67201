import type { Language } from '../flow/action.ts';
import type { Choices } from '../outbox/notify.ts';

// As the flow is called in menus, whose taps are good for as long as they stand in the chat.
const labels: Readonly<Record<Language, string>> = { en: 'Pay', sw: 'Lipa' };

/** What is tapped below a message to begin the flow `pay`, where a channel can show it. */
export function payTap(language: Language): Choices {
  return { body: '', open: '', at: 'menu', options: [{ id: 'pay', label: labels[language] }] };
}
