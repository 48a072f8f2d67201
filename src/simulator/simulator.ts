import { Hono } from 'hono';
import { messageOf, Refusal } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { App } from './app.ts';
import { openCallbacks } from './callbacks.ts';
import { controlRoutes } from './controls.ts';
import { darajaRoutes } from './daraja.ts';
import { openMpesa } from './mpesa.ts';
import { openPrompts } from './prompts.ts';
import { pullRoutes } from './pull.ts';
import { openSender } from './sender.ts';
import { openSms, smsRoutes } from './sms.ts';
import { statusRoutes } from './status.ts';
import { stkRoutes } from './stk.ts';
import { openTokens } from './tokens.ts';
import { openTruth } from './truth.ts';
import { ussdRoutes } from './ussd.ts';
import { openWebhooks } from './webhooks.ts';
import type { CloudApiAccess } from './whatsapp-media.ts';
import { whatsAppRoutes } from './whatsapp-routes.ts';
import { default_phone_number_id, openWhatsApp } from './whatsapp.ts';

export interface SimulatorOptions {
  /** Where it keeps its truth, in one file. */
  data_dir: string;
  /** Where WhatsApp, USSD and SMS go; a function where it is known only later. */
  app_url: App['url'];
  /** In the app's callback addresses, and what WhatsApp signs with. */
  hook_secret: string;
  whatsapp?: CloudApiAccess | undefined;
}

export interface Simulator {
  /** To be mounted at the root: the services' own paths and those under /sim. */
  routes: Hono;
  /** Stops sending and closes the file; everything answered for is in it. */
  close(): Promise<void>;
}

/** Daraja, Africa's Talking and WhatsApp over HTTP, with a truth of their own in a file. */
export async function openSimulator(options: SimulatorOptions): Promise<Simulator> {
  const app: App = { url: options.app_url, hook_secret: options.hook_secret };
  const access = options.whatsapp ?? {};
  const truth = await openTruth(options.data_dir);
  const sender = openSender();
  const tokens = openTokens();
  const callbacks = openCallbacks(truth, sender);
  const mpesa = openMpesa(truth, callbacks);
  const prompts = openPrompts(truth, { mpesa, callbacks, closed: sender.closed });
  const webhooks = openWebhooks(app, sender);
  const whatsapp = openWhatsApp(truth, webhooks, access.phone_number_id ?? default_phone_number_id);
  const sms = openSms(truth, webhooks);

  const routes = new Hono()
    .use('/sim/*', async (c, next) => {
      // Another page that is open in the same browser has nothing to say here.
      const from_elsewhere = c.req.header('sec-fetch-site') === 'cross-site';
      return from_elsewhere ? c.json({ error: 'Not from another site.' }, 403) : next();
    })
    .route('/', darajaRoutes(truth, mpesa, tokens))
    .route('/', stkRoutes(truth, prompts, tokens))
    .route('/', pullRoutes(truth, tokens))
    .route('/', statusRoutes(truth, { tokens, callbacks }))
    .route('/', controlRoutes(truth, { mpesa, prompts }))
    .route('/', whatsAppRoutes(truth, whatsapp, access))
    .route('/', smsRoutes(truth, sms))
    .route('/', ussdRoutes(app, sender, webhooks));
  routes.onError((error, c) => {
    if (error instanceof Refusal)
      return c.json({ error: error.message }, error.code === 'not_found' ? 404 : 400);
    log.error({ error: messageOf(error) }, 'the simulator failed');
    return c.json({ error: 'The simulator failed; its log says why.' }, 500);
  });

  prompts.resume();
  whatsapp.resume();
  sms.resume();
  return {
    routes,
    close: async () => {
      sender.close();
      await truth.close();
    },
  };
}
