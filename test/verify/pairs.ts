import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import type { TrustedKey } from '#verify';

export type PairAlgorithm = 'ES256' | 'ES384' | 'RS256' | 'PS256';

/** A key pair as an issuer has it. */
export interface Pair {
  readonly kid: string;
  readonly algorithm: PairAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public half as it is published. */
  readonly jwk: JsonWebKey;
  readonly trusted: TrustedKey;
}

export function pair(kid: string, algorithm: PairAlgorithm = 'ES256', bits = 2048): Pair {
  const { privateKey, publicKey } = algorithm.startsWith('ES')
    ? generateKeyPairSync('ec', { namedCurve: algorithm === 'ES256' ? 'P-256' : 'P-384' })
    : generateKeyPairSync('rsa', { modulusLength: bits });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm };
  const trusted = { kid, algorithm, key: publicKey };
  return { kid, algorithm, privateKey, publicKey, jwk, trusted };
}

function encoded(part: object | string | Buffer): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** A compact JWS with any payload, rightly signed. @param header over the usual one */
export function signed(by: Pair, payload: object | string, header: object = {}): string {
  const head = { alg: by.algorithm, typ: 'JWT', kid: by.kid, ...header };
  const input = `${encoded(head)}.${encoded(payload)}`;
  const signature = sign(`sha${by.algorithm.slice(2)}`, Buffer.from(input), {
    key: by.privateKey,
    dsaEncoding: 'ieee-p1363',
    ...(by.algorithm === 'PS256' ? { padding: 6, saltLength: 32 } : {}),
  });
  return `${input}.${signature.toString('base64url')}`;
}
