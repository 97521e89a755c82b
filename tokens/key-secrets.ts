import { secretKey, type TrustedKey } from '#verify';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from './algorithms.ts';

/** A shared secret as a key that signs and verifies with one algorithm. */
export interface SharedKey extends TrustedKey {
  readonly algorithm: HmacAlgorithm;
}

/** The shared secrets of the settings, each under every algorithm that it may have signed with. */
export interface SharedKeys {
  /** What `JWT_SECRET_KEY` is with the algorithm of the settings; nothing with key pairs. */
  readonly current: SharedKey | undefined;
  get(kid: string): SharedKey | undefined;
  /** The other names of the same secret: one for each algorithm, its own included. */
  namesOf(kid: string): readonly string[];
  /**
   * Those that verify although no row speaks of them: earlier secrets from before there was a table of keys, and the
   * current one before a server has started with it.
   */
  unlisted(rows: readonly { readonly kid: string }[]): readonly SharedKey[];
}

export function sharedKeys(
  secret: string | undefined,
  previous: readonly string[],
  algorithm: string,
): SharedKeys {
  const ofSecret = (text: string) =>
    HMAC_ALGORITHMS.map((name): SharedKey => ({ ...secretKey(text, name), algorithm: name }));
  const ofCurrent = secret === undefined ? [] : ofSecret(secret);
  const current = ofCurrent.find((key) => key.algorithm === algorithm);
  const earlier = previous.map(ofSecret);
  const families = [ofCurrent, ...earlier];
  const familyOf = new Map(families.flatMap((family) => family.map((key) => [key.kid, family])));
  return {
    current,
    get: (kid) => familyOf.get(kid)?.find((key) => key.kid === kid),
    namesOf: (kid) => familyOf.get(kid)?.map((key) => key.kid) ?? [kid],
    unlisted(rows) {
      const listed = new Set(rows.map(({ kid }) => kid));
      // one that has a row under any algorithm is judged by that alone: it may have been rejected
      const unknown = (family: readonly SharedKey[]) => family.every(({ kid }) => !listed.has(kid));
      return [
        ...(current !== undefined && unknown(ofCurrent) ? [current] : []),
        ...earlier.filter(unknown).flat(),
      ];
    },
  };
}
