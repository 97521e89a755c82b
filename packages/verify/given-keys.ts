import { KeyObject } from 'node:crypto';
import { type Algorithm, fits, isAlgorithm, SHORTEST_SECRET } from './algorithms.ts';
import { isObject } from './json.ts';
import { looksLikeAKey } from './key-shape.ts';
import { fixedKeys, type KeySource, secretKey, type TrustedKey } from './keys.ts';

/** The option `keys`. @throws {TypeError} */
export function readKeys(keys: readonly TrustedKey[] | KeySource): KeySource {
  if (isSource(keys)) return keys;
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new TypeError('keys must be a list of keys that is not empty, or a source of keys');
  }
  const list: readonly TrustedKey[] = keys;
  for (const { kid, algorithm, key } of list) {
    if (typeof kid !== 'string') throw new TypeError('keys: a key has no kid');
    if (!isAlgorithm(algorithm)) throw new TypeError('keys: a key has an unknown algorithm');
    if (!(key instanceof KeyObject && fits(key, algorithm)))
      throw new TypeError(`keys: a key does not fit ${algorithm}`);
  }
  if (new Set(list.map(({ kid }) => kid)).size !== list.length) {
    throw new TypeError('keys: two keys have the same kid');
  }
  return fixedKeys(list.map(({ kid, algorithm, key }) => ({ kid, algorithm, key })));
}

function isSource(keys: readonly TrustedKey[] | KeySource): keys is KeySource {
  return isObject(keys) && typeof keys['find'] === 'function';
}

/** The option `secret`. @throws {TypeError} */
export function readSecrets(secret: string | readonly string[], algorithm: Algorithm): KeySource {
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  if (secrets.length === 0) throw new TypeError('secret must not be an empty list');
  const keys = secrets.map((text) => {
    if (typeof text !== 'string') throw new TypeError('secret must be a text');
    if (Buffer.byteLength(text) < SHORTEST_SECRET) {
      throw new TypeError(`secret must have at least ${SHORTEST_SECRET} bytes`);
    }
    if (looksLikeAKey(text)) {
      throw new TypeError('secret must not be a public or private key: use jwksUri or keys');
    }
    return secretKey(text, algorithm);
  });
  return fixedKeys(keys);
}
