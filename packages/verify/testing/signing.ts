import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { JsonObject } from '../json.ts';

/** A key pair for ES256. */
export interface TestKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function createTestKey(kid: string = randomUUID()): TestKey {
  return { kid, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
}

/** The public half as it is published (RFC 7517, section 4). */
export function publicJwk({ kid, publicKey }: TestKey): JsonObject {
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' };
}

/** Signs as it should be. */
export function signWithES256(header: JsonObject, payload: JsonObject, key: TestKey): string {
  const input = signingInput({ alg: 'ES256', kid: key.kid, ...header }, payload);
  const signature = sign('sha256', Buffer.from(input), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363', // what JWS wants (RFC 7518, section 3.4), and not DER
  });
  return `${input}.${signature.toString('base64url')}`;
}

/** Signs with the public key as if it were a secret: what a verifier falls for that lets the token choose. */
export function signWithPublicKey(header: JsonObject, payload: JsonObject, key: TestKey): string {
  const input = signingInput({ alg: 'HS256', kid: key.kid, ...header }, payload);
  const secret = key.publicKey.export({ format: 'pem', type: 'spki' });
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** Three parts, of which the last is empty (RFC 7519, section 6). */
export function unsigned(header: JsonObject, payload: JsonObject): string {
  return `${signingInput({ ...header, alg: 'none' }, payload)}.`;
}

function signingInput(header: JsonObject, payload: JsonObject): string {
  return [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
}
