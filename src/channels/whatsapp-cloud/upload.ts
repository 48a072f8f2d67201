import { z } from 'zod';
import { ProviderError } from '../../base/errors.ts';
import { type CloudNumber, request } from './request.ts';

const Uploaded = z.object({ id: z.string().min(1) });

/**
 * Gives Meta a file and returns what it calls it. Throws ProviderError; whatever became of it,
 * nobody has been sent anything, so what is unknown may be tried again.
 */
export async function uploadPaper(
  number: CloudNumber,
  paper: { name: string; mime: string; bytes: Buffer },
  signal: AbortSignal,
): Promise<string> {
  const form = new FormData();
  form.set('messaging_product', 'whatsapp');
  form.set('type', paper.mime);
  form.set('file', new Blob([new Uint8Array(paper.bytes)], { type: paper.mime }), paper.name);
  try {
    const { status, body } = await request(number, 'media', { body: form, signal });
    const uploaded = Uploaded.safeParse(body);
    if (!uploaded.success) throw new ProviderError('retryable', `http_${status}`);
    return uploaded.data.id;
  } catch (error) {
    if (!(error instanceof ProviderError) || error.outcome !== 'unknown') throw error;
    throw new ProviderError('retryable', error.code, error.message);
  }
}
