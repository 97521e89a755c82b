import {
  constants,
  createPublicKey,
  generateKeyPair,
  hash,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyPairAlgorithm } from './algorithms.ts';

/** A key pair with the algorithm that it is good for. */
export interface KeyPair {
  /** The thumbprint of the public half (RFC 7638): the same for the same key, wherever it comes from. */
  readonly kid: string;
  readonly algorithm: KeyPairAlgorithm;
  readonly privateKey: KeyObject;
  /** With the members that make the key, and no others. */
  readonly publicJwk: JsonWebKey;
}

/** Bits of an RSA modulus: 128 bits of strength (NIST SP 800-57, part 1, table 2). */
const RSA_BITS = 3072;

/** RFC 7518, section 3.4. */
const CURVES = { ES256: 'P-256', ES384: 'P-384' } as const;

const generate = promisify(generateKeyPair);

/** Makes a key pair in a thread of its own: an RSA key takes a second, and requests go on meanwhile. */
export async function generatePair(algorithm: KeyPairAlgorithm): Promise<KeyPair> {
  return pairOf(await freshPrivateKey(algorithm), algorithm);
}

async function freshPrivateKey(algorithm: KeyPairAlgorithm): Promise<KeyObject> {
  const { privateKey } =
    algorithm === 'ES256' || algorithm === 'ES384'
      ? await generate('ec', { namedCurve: CURVES[algorithm] })
      : await generate('rsa', { modulusLength: RSA_BITS });
  return privateKey;
}

export function pairOf(privateKey: KeyObject, algorithm: KeyPairAlgorithm): KeyPair {
  const publicJwk = publicMembers(createPublicKey(privateKey).export({ format: 'jwk' }));
  return { kid: thumbprint(publicJwk), algorithm, privateKey, publicJwk };
}

/** The members that a public key is made of (RFC 7518, sections 6.2.1 and 6.3.1), in the order of a thumbprint. */
function publicMembers(jwk: JsonWebKey): JsonWebKey {
  const names =
    jwk.kty === 'EC' ? (['crv', 'kty', 'x', 'y'] as const) : (['e', 'kty', 'n'] as const);
  return Object.fromEntries(names.map((name) => [name, jwk[name]]));
}

/** SHA-256 over the required members in lexicographic order (RFC 7638, section 3), base64url. */
export function thumbprint(jwk: JsonWebKey): string {
  return hash('sha256', JSON.stringify(publicMembers(jwk)), 'base64url');
}

/** How Node signs what the algorithm says (RFC 7518, sections 3.3 to 3.5). */
const PARAMETERS = {
  ES256: { digest: 'sha256', dsaEncoding: 'ieee-p1363' },
  ES384: { digest: 'sha384', dsaEncoding: 'ieee-p1363' },
  RS256: { digest: 'sha256', padding: constants.RSA_PKCS1_PADDING },
  PS256: {
    digest: 'sha256',
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  },
} as const;

/** Whether what the private half signs is verified with the public one, and that one is what the key is called by. */
export function belongTogether({ kid, algorithm, privateKey, publicJwk }: KeyPair): boolean {
  const { digest, ...parameters } = PARAMETERS[algorithm];
  const message = randomBytes(32);
  try {
    const signature = sign(digest, message, { key: privateKey, ...parameters });
    const key = createPublicKey({ key: publicJwk, format: 'jwk' });
    return (
      verify(digest, message, { key, ...parameters }, signature) && thumbprint(publicJwk) === kid
    );
  } catch {
    return false;
  }
}
