import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** The algorithms with a shared secret (RFC 7518, section 3.2). */
export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

export interface RingKey {
  readonly kid: string;
  readonly algorithm: HmacAlgorithm;
  readonly key: KeyObject;
}

/** The key that signs, and all that verify, that one included. */
export interface KeyRing {
  readonly signing: RingKey;
  readonly verifying: readonly RingKey[];
}

/**
 * A ring of shared secrets. The keys are made here, once: a string would be parsed as a private key at
 * every signature first, and might even turn out to be one.
 */
export function hmacKeyRing(
  algorithm: HmacAlgorithm,
  secret: string,
  previous: readonly string[] = [],
): KeyRing {
  const ringKey = (text: string): RingKey => ({
    kid: hmacKid(algorithm, text),
    algorithm,
    key: createSecretKey(text, 'utf8'),
  });
  const signing = ringKey(secret);
  return { signing, verifying: [signing, ...previous.map(ringKey)] };
}

/** Names a secret without telling anything about it: a keyed hash, where a plain one could be searched. */
function hmacKid(algorithm: HmacAlgorithm, secret: string): string {
  return createHmac('sha256', secret)
    .update(`coatcheck kid ${algorithm}`)
    .digest('base64url')
    .slice(0, 16);
}
