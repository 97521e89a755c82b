import { fixedKeys, secretKey } from '#verify';
import type { HmacAlgorithm } from '../../tokens/algorithms.ts';
import type { KeyRing } from '../../tokens/key-ring.ts';

/** A ring of shared secrets that stays as it is and needs no database. */
export function hmacKeyRing(
  algorithm: HmacAlgorithm,
  secret: string,
  previous: readonly string[] = [],
): KeyRing {
  const signing = { ...secretKey(secret, algorithm), algorithm };
  const keys = fixedKeys([signing, ...previous.map((text) => secretKey(text, algorithm))]);
  return {
    ...keys,
    signing: () => signing,
    refresh: () => undefined,
    publicKeys: () => [],
    algorithms: () => [algorithm],
  };
}
