import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/** Which key it is: bound into what is encrypted, so that no row's text passes for another's. */
export interface KeyName {
  readonly kid: string;
  readonly algorithm: string;
}

/** Why a private key could not be decrypted. */
export type Unreadable = 'unknown_secret' | 'damaged';

const VERSION = 'v1';
const CIPHER = 'aes-256-gcm';
const TAG_LENGTH = 16;

/** A random salt for every key keeps the random 96-bit IV from ever meeting another one under the same key. */
const SALT_LENGTH = 32;
const IV_LENGTH = 12;

/**
 * A private key as a text for the database: `v1.<name of the secret>.<salt>.<IV>.<PKCS #8 and tag>`, AES-256-GCM under
 * a key that HKDF (RFC 5869) makes of the secret and the salt.
 */
export function encryptKey(key: KeyObject, name: KeyName, secret: string): string {
  const [salt, iv] = [randomBytes(SALT_LENGTH), randomBytes(IV_LENGTH)];
  const cipher = createCipheriv(CIPHER, derivedKey(secret, salt), iv).setAAD(bound(name));
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const text = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  return [VERSION, secretName(secret), ...[salt, iv, text].map(base64url)].join('.');
}

/** Decrypts with whichever secret of the list it was encrypted with. */
export function decryptKey(
  text: string,
  name: KeyName,
  secrets: readonly string[],
): { key: KeyObject; secret: string } | Unreadable {
  const [version, by, ...parts] = text.split('.');
  const [salt, iv, sealed] = parts.map((part) => Buffer.from(part, 'base64url'));
  if (version !== VERSION || parts.length !== 3 || !salt || !iv || !sealed) return 'damaged';
  const secret = secrets.find((one) => secretName(one) === by);
  if (secret === undefined) return 'unknown_secret';
  try {
    const decipher = createDecipheriv(CIPHER, derivedKey(secret, salt), iv, {
      authTagLength: TAG_LENGTH,
    });
    decipher.setAAD(bound(name)).setAuthTag(sealed.subarray(-TAG_LENGTH));
    const plain = Buffer.concat([
      decipher.update(sealed.subarray(0, -TAG_LENGTH)),
      decipher.final(),
    ]);
    const key = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' });
    plain.fill(0);
    return { key, secret };
  } catch {
    return 'damaged';
  }
}

/** Names a secret without telling anything about it: a keyed hash, where a plain one could be searched. */
function secretName(secret: string): string {
  return createHmac('sha256', secret)
    .update('coatcheck key encryption')
    .digest('base64url')
    .slice(0, 16);
}

function derivedKey(secret: string, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, 'coatcheck private key v1', 32));
}

function bound({ kid, algorithm }: KeyName): Buffer {
  return Buffer.from(JSON.stringify(['coatcheck', VERSION, kid, algorithm]));
}

const base64url = (bytes: Buffer) => bytes.toString('base64url');
