import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** A key that may have signed tokens, with the only algorithm it is good for. */
export interface TrustedKey {
  readonly kid: string;
  readonly algorithm: string;
  /** Public, or a shared secret. */
  readonly key: KeyObject;
}

/** Where a verifier looks for the key that a token names. */
export interface KeySource {
  /**
   * The key of that id if it is trusted now, and `undefined` if there is none. Answers at once where it can; a promise
   * where it has to ask somebody else first.
   * @throws {UnavailableError} when it cannot know
   */
  find(kid: string): TrustedKey | undefined | Promise<TrustedKey | undefined>;
}

/** Keys that are at hand and stay the same. */
export function fixedKeys(keys: readonly TrustedKey[]): KeySource {
  const byId = new Map(keys.map((key) => [key.kid, key]));
  return { find: (kid) => byId.get(kid) };
}

/** A shared secret as a key: made once, since a text would be parsed as a private key at every signature first. */
export function secretKey(secret: string, algorithm: string): TrustedKey {
  return { kid: secretKid(secret, algorithm), algorithm, key: createSecretKey(secret, 'utf8') };
}

/** Names a secret without telling anything about it: a keyed hash, where a plain one could be searched. */
function secretKid(secret: string, algorithm: string): string {
  return createHmac('sha256', secret)
    .update(`coatcheck kid ${algorithm}`)
    .digest('base64url')
    .slice(0, 16);
}
