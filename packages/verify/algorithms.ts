import type { KeyObject } from 'node:crypto';

/** With a shared secret (RFC 7518, section 3.2). */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;

/** With a key pair (RFC 7518, sections 3.3 to 3.5). */
export const KEY_PAIR_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256'] as const;

/** The algorithms that Coatcheck signs with. */
export type Algorithm = (typeof SECRET_ALGORITHMS)[number] | (typeof KEY_PAIR_ALGORITHMS)[number];

export function isSecretAlgorithm(name: unknown): name is (typeof SECRET_ALGORITHMS)[number] {
  return SECRET_ALGORITHMS.some((algorithm) => algorithm === name);
}

export function isAlgorithm(name: unknown): name is Algorithm {
  return isSecretAlgorithm(name) || KEY_PAIR_ALGORITHMS.some((algorithm) => algorithm === name);
}

/** Bytes. The shortest that a key of HS256 may be (RFC 7518, section 3.2). */
export const SHORTEST_SECRET = 32;

/** Bits. The shortest modulus that is allowed (RFC 7518, sections 3.3 and 3.5). */
const SHORTEST_MODULUS = 2048;

const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1' };

/** Whether signatures of that algorithm can be checked with this key: kind, curve and length. Private keys never fit. */
export function fits(key: KeyObject, algorithm: Algorithm): boolean {
  if (isSecretAlgorithm(algorithm)) {
    return key.type === 'secret' && (key.symmetricKeySize ?? 0) >= SHORTEST_SECRET;
  }
  if (key.type !== 'public') return false;
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const curve = CURVES[algorithm];
  if (curve !== undefined) return key.asymmetricKeyType === 'ec' && namedCurve === curve;
  return key.asymmetricKeyType === 'rsa' && modulusLength >= SHORTEST_MODULUS;
}
