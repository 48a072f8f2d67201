import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** Whether the candidate is one of the secrets; takes the same time whichever it is, or none. */
export function isOneOf(secrets: readonly string[], candidate: string): boolean {
  const given = sha256(candidate);
  let found = false;
  for (const secret of secrets) found = timingSafeEqual(sha256(secret), given) || found;
  return found;
}

/** A hash that only the holder of the key can make, in hex. `purpose` keeps uses apart. */
export function keyedHash(key: string, purpose: string, text: string): string {
  return createHmac('sha256', `${purpose}:${key}`).update(text).digest('hex');
}

/** SHA-256 as bytes, the form in which the database keeps it. */
export function sha256(body: string | Buffer): Buffer {
  return hash('sha256', body, 'buffer');
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
  const given = sha256(header);
  let signed = false;
  for (const secret of secrets) {
    const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    signed = timingSafeEqual(sha256(expected), given) || signed;
  }
  return signed;
}

const nonce_bytes = 12;
const tag_bytes = 16;

/** Closes and opens what is kept: nobody reads or changes it without the key. */
export interface Seal {
  /** `place` is where it is kept: what is put elsewhere does not open there. */
  seal: (text: string, place: string) => Buffer;
  /** Throws when it was changed, belongs elsewhere or was sealed with another key. */
  open: (sealed: Buffer, place: string) => string;
}

/** AES-256-GCM under a key of its own for each purpose. */
export function makeSeal(key: string, purpose: string): Seal {
  const own = new Uint8Array(hkdfSync('sha256', key, '', `seal:${purpose}`, 32));
  return {
    seal(text, place) {
      const nonce = randomBytes(nonce_bytes);
      const cipher = createCipheriv('aes-256-gcm', own, nonce).setAAD(Buffer.from(place));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, place) {
      const body_from = nonce_bytes + tag_bytes;
      const decipher = createDecipheriv('aes-256-gcm', own, sealed.subarray(0, nonce_bytes))
        .setAAD(Buffer.from(place))
        .setAuthTag(sealed.subarray(nonce_bytes, body_from));
      return (
        decipher.update(sealed.subarray(body_from), undefined, 'utf8') + decipher.final('utf8')
      );
    },
  };
}
