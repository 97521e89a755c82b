/** The algorithms with a shared secret (RFC 7518, section 3.2). */
export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type HmacAlgorithm = (typeof HMAC_ALGORITHMS)[number];

/** The algorithms with a key pair (RFC 7518, sections 3.3 to 3.5). */
export const KEY_PAIR_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256'] as const;
export type KeyPairAlgorithm = (typeof KEY_PAIR_ALGORITHMS)[number];

export const ALGORITHMS = [...HMAC_ALGORITHMS, ...KEY_PAIR_ALGORITHMS] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export function isHmac(algorithm: string): algorithm is HmacAlgorithm {
  return HMAC_ALGORITHMS.some((name) => name === algorithm);
}
