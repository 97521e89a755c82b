import type { webcrypto } from 'node:crypto';
import type { TrustedKey } from './keys.ts';

const imported = new WeakMap<TrustedKey, webcrypto.CryptoKey>();

/** The key in the form that costs jose least: it would look at others, and import a secret, for each signature. */
export function verificationKey(trusted: TrustedKey): webcrypto.CryptoKey {
  let key = imported.get(trusted);
  if (key === undefined) {
    key = trusted.key.toCryptoKey(importOf(trusted.algorithm), false, ['verify']);
    imported.set(trusted, key);
  }
  return key;
}

/** How the Web Cryptography API calls an algorithm of RFC 7518, section 3. */
function importOf(algorithm: string) {
  const hash = `SHA-${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case 'HS':
      return { name: 'HMAC', hash };
    case 'ES':
      return { name: 'ECDSA', namedCurve: `P-${algorithm.slice(2)}` };
    case 'RS':
      return { name: 'RSASSA-PKCS1-v1_5', hash };
    default:
      return { name: 'RSA-PSS', hash };
  }
}
