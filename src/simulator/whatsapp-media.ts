import { randomBytes } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { WhatsApp } from './whatsapp.ts';

/** What the Cloud API goes by; what is not given is not checked. */
export interface CloudApiAccess {
  phone_number_id?: string | undefined;
  access_token?: string | undefined;
}

const largest_file = bodyLimit({
  maxSize: 5 * 1024 * 1024,
  onError: (c) => c.json({ error: 'The file is too large: at most 5 MiB.' }, 413),
});

/** The Cloud API's path for files, and the files as phones have them. */
export function mediaRoutes(whatsapp: WhatsApp, access: CloudApiAccess): Hono {
  const routes = new Hono();

  routes.post('/:version{v[0-9]+\\.[0-9]+}/:phone_number_id/media', largest_file, async (c) => {
    const given = /^Bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (given === undefined || given !== (access.access_token ?? given))
      return refuse(c, 401, 190, 'Invalid OAuth access token - Cannot parse access token');
    const form = await c.req.formData().catch(() => undefined);
    const file = form?.get('file');
    if (form?.get('messaging_product') !== 'whatsapp' || !(file instanceof File))
      return refuse(c, 400, 100, '(#100) The parameter file is required.');
    if (file.type !== 'application/pdf')
      return refuse(c, 400, 100, '(#100) Param file must be a file with one of the allowed types');
    return c.json({ id: whatsapp.keepMedia(Buffer.from(await file.arrayBuffer())) });
  });

  routes.get('/sim/whatsapp/media/:id', (c) => {
    const bytes = whatsapp.media.get(c.req.param('id'));
    if (!bytes) return c.json({ error: 'There is no such file.' }, 404);
    return c.body(new Uint8Array(bytes), 200, { 'content-type': 'application/pdf' });
  });

  return routes;
}

/** An error as Graph writes it; software goes by `code`. */
export function refuse(
  c: Context,
  status: 400 | 401,
  code: number,
  message: string,
  details?: string,
): Response {
  const error_data = details && { messaging_product: 'whatsapp', details };
  const fbtrace_id = randomBytes(8).toString('base64url');
  return c.json(
    {
      error: {
        message,
        type: 'OAuthException',
        code,
        ...(error_data && { error_data }),
        fbtrace_id,
      },
    },
    status,
  );
}
