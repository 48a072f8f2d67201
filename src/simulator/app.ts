/** The app under the simulator: where its callback addresses are, and their secret. */
export interface App {
  /** Its base address; a function where it is known only later. */
  url: string | (() => string | undefined);
  hook_secret: string;
}

export type Hook =
  | 'ussd'
  | 'ussd/events'
  | 'sms/inbound'
  | 'sms/delivery'
  | 'sms/optout'
  | 'whatsapp';

/** The address of one of the app's hooks, or undefined while the app's own is not known. */
export function hookUrl(app: App, hook: Hook): string | undefined {
  const base = typeof app.url === 'string' ? app.url : app.url();
  return base && `${base.replace(/\/+$/, '')}/hooks/${app.hook_secret}/${hook}`;
}
