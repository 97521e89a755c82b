import { createPublicKey } from 'node:crypto';
import { type Algorithm, fits, isAlgorithm } from './algorithms.ts';
import { isObject, type JsonObject } from './json.ts';
import type { TrustedKey } from './keys.ts';

/** Members that only private and symmetric keys have (RFC 7518, section 6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const;

/**
 * The keys of a JWK Set (RFC 7517) that can verify with one of those algorithms, by id. Keys of other kinds and for
 * other purposes are nothing to us.
 * @throws {Error} for what is no set, for two keys of one id, and for keys that should never have been published
 */
export function readKeySet(
  set: JsonObject | undefined,
  algorithms: readonly Algorithm[],
): Map<string, TrustedKey> {
  const list = set?.['keys'];
  if (!Array.isArray(list)) throw new Error('that is no JWK Set');
  const jwks = list.filter(isObject);
  if (jwks.some(isSecret)) throw new Error('the JWK Set has a private or a symmetric key in it');
  const ids = jwks.map((jwk) => jwk['kid']).filter((kid) => kid !== undefined);
  if (new Set(ids).size !== ids.length) throw new Error('the JWK Set has two keys of one id');
  const keys = new Map<string, TrustedKey>();
  for (const jwk of jwks) {
    const key = readKey(jwk, algorithms);
    if (key !== undefined) keys.set(key.kid, key);
  }
  return keys;
}

function isSecret(jwk: JsonObject): boolean {
  return jwk['kty'] === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name));
}

function readKey(jwk: JsonObject, algorithms: readonly Algorithm[]): TrustedKey | undefined {
  const { kid, alg, use, key_ops: operations } = jwk;
  if (typeof kid !== 'string' || kid === '') return undefined;
  if (!isAlgorithm(alg) || !algorithms.includes(alg)) return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return undefined;
  }
  try {
    const key = createPublicKey({ key: publicMembers(jwk), format: 'jwk' });
    return fits(key, alg) ? { kid, algorithm: alg, key } : undefined;
  } catch {
    return undefined; // of a kind that this Node does not know, or damaged: nothing that it signed verifies
  }
}

function publicMembers(jwk: JsonObject): Record<string, string> {
  const members: Record<string, string> = {};
  for (const name of ['kty', 'crv', 'x', 'y', 'n', 'e']) {
    const value = jwk[name];
    if (typeof value === 'string') members[name] = value;
  }
  return members;
}

/** The keys of the new set, but the objects of the old one for those that are the same. */
export function keepKnown(
  keys: ReadonlyMap<string, TrustedKey>,
  known: ReadonlyMap<string, TrustedKey>,
): Map<string, TrustedKey> {
  const kept = new Map<string, TrustedKey>();
  for (const [kid, key] of keys) {
    const before = known.get(kid);
    kept.set(kid, before !== undefined && isSame(before, key) ? before : key);
  }
  return kept;
}

function isSame(one: TrustedKey, other: TrustedKey): boolean {
  return one.algorithm === other.algorithm && one.key.equals(other.key);
}
