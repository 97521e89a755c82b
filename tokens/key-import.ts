import { Problem } from '../core/errors.ts';
import {
  type Algorithm,
  isHmac,
  KEY_PAIR_ALGORITHMS,
  type KeyPairAlgorithm,
} from './algorithms.ts';
import { privateKeyOfJwk, type ReadKey } from './key-jwk.ts';
import { belongTogether, type KeyPair, pairOf } from './key-pair.ts';
import { privateKeyOfPem } from './key-pem.ts';
import { rsaAdvice, rsaProblem } from './key-strength.ts';

export interface ImportedKey {
  readonly pair: KeyPair;
  /** What whoever imports it should know. */
  readonly advice: string | undefined;
}

/** Longer than any key: an RSA key of 16,384 bits in JSON. */
const LONGEST = 65_536;

/**
 * A key pair from a PEM (PKCS #8, PKCS #1 or SEC 1) or a JWK, checked: it signs, and nothing is known that breaks it.
 *
 * @param asked the algorithm that the key is to be used with; left out, the one that its JWK names, or that it fits
 * @param settings the algorithm of the settings: the next start would withdraw a key for another
 * @throws {Problem} `invalid_request` that tells what is wrong with the key
 */
export function importKey(
  text: string,
  asked: string | undefined,
  settings: Algorithm,
): ImportedKey {
  if (text.trim() === '') throw refused('There is no key: the input is empty.');
  if (text.length > LONGEST) throw refused('That is too long to be a key.');
  const read: ReadKey = text.trimStart().startsWith('{')
    ? privateKeyOfJwk(text)
    : { privateKey: privateKeyOfPem(text), algorithm: undefined };
  const algorithm = algorithmFor(read, asked, settings);
  if (isHmac(settings) || algorithm !== settings) {
    throw refused(
      `The key is for ${algorithm}, and JWT_ALGORITHM is ${settings}: set JWT_ALGORITHM=${algorithm} first, import the key, and start the service again after that.`,
    );
  }
  const { privateKey } = read;
  if (privateKey.asymmetricKeyType === 'rsa') {
    const problem = rsaProblem(privateKey.export({ format: 'jwk' }));
    if (problem !== undefined) throw refused(`The RSA key ${problem}.`);
  }
  const pair = pairOf(privateKey, algorithm);
  if (!belongTogether(pair))
    throw refused('What the key signs is not verified with it: it is damaged.');
  const bits = privateKey.asymmetricKeyDetails?.modulusLength;
  return { pair, advice: bits === undefined ? undefined : rsaAdvice(bits) };
}

function algorithmFor(
  { privateKey, algorithm: named }: ReadKey,
  asked: string | undefined,
  settings: Algorithm,
): KeyPairAlgorithm {
  const fitting = fittingAlgorithms(privateKey);
  for (const wish of [named, asked]) {
    if (wish !== undefined && !KEY_PAIR_ALGORITHMS.some((name) => name === wish)) {
      throw refused(`The algorithm must be one of ${KEY_PAIR_ALGORITHMS.join(', ')}.`);
    }
    if (wish !== undefined && !fitting.some((name) => name === wish)) {
      throw refused(
        `The key does not fit the algorithm ${wish}: it is one for ${fitting.join(' or ')}.`,
      );
    }
  }
  if (named !== undefined && asked !== undefined && named !== asked) {
    throw refused(`The JWK says that it is for ${named}, not for ${asked}.`);
  }
  const wanted = asked ?? named ?? settings;
  const found = fitting.find((name) => name === wanted) ?? fitting[0];
  if (found === undefined) throw refused('The key fits no algorithm.');
  return found;
}

/** What a key can be used with. @throws {Problem} for one that none of the algorithms uses */
function fittingAlgorithms({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: ReadKey['privateKey']): readonly KeyPairAlgorithm[] {
  if (type === 'rsa') return ['RS256', 'PS256'];
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return ['ES256'];
  if (type === 'ec' && details?.namedCurve === 'secp384r1') return ['ES384'];
  const kind =
    type === 'ec'
      ? `the curve ${details?.namedCurve ?? 'of its own'}`
      : `the type ${type ?? 'unknown'}`;
  throw refused(`The key has ${kind}: EC keys on P-256 or P-384 and RSA keys can be used.`);
}

function refused(detail: string): Problem {
  return new Problem('invalid_request', detail);
}
