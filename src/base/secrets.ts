import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Whether the candidate is one of the secrets; takes the same time whichever it is, or none. */
export function isOneOf(secrets: readonly string[], candidate: string): boolean {
  const given = digest(candidate);
  let found = false;
  for (const secret of secrets) found = timingSafeEqual(digest(secret), given) || found;
  return found;
}

/** A hash that only the holder of the key can make, in hex. `purpose` keeps uses apart. */
export function keyedHash(key: string, purpose: string, text: string): string {
  return createHmac('sha256', `${purpose}:${key}`).update(text).digest('hex');
}

/** SHA-256 as bytes, the form in which the database keeps it. */
export function sha256(body: string | Buffer): Buffer {
  return createHash('sha256').update(body).digest();
}

/**
 * Whether `sha256=<hex>` is the HMAC of these very bytes under one of the secrets
 * (Meta's X-Hub-Signature-256).
 */
export function isSigned(
  secrets: readonly string[],
  body: string | Buffer,
  header: string,
): boolean {
  const given = digest(header);
  let signed = false;
  for (const secret of secrets) {
    const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    signed = timingSafeEqual(digest(expected), given) || signed;
  }
  return signed;
}
