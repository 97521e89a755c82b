import { createHmac, createSecretKey, randomUUID } from 'node:crypto';
import type { TrustedKey } from '#verify';

/** What a test wrote into a part of a token: an object, or any text at all. */
type Part = object | string;

const DIGESTS: Readonly<Record<string, string>> = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
};

export const base64url = (text: string | Buffer) => Buffer.from(text).toString('base64url');

const partOf = (part: Part) => base64url(typeof part === 'string' ? part : JSON.stringify(part));

/**
 * A compact JWS with any header and payload, rightly signed over them: what a library would refuse to make.
 * @param algorithm the hash that really signs, whatever the header says
 */
export function forge(header: Part, payload: Part, secret: string, algorithm = 'HS256'): string {
  const input = `${partOf(header)}.${partOf(payload)}`;
  const digest = DIGESTS[algorithm] ?? algorithm;
  return `${input}.${createHmac(digest, secret).update(input).digest('base64url')}`;
}

export function trustedKey(secret: string, kid: string, algorithm = 'HS256'): TrustedKey {
  return { kid, algorithm, key: createSecretKey(secret, 'utf8') };
}

/** Claims that a verifier is content with. @param now seconds */
export function goodClaims(issuer: string, now: number) {
  return {
    iss: issuer,
    sub: 'u1',
    iat: now,
    exp: now + 21_600,
    jti: randomUUID(),
    sid: randomUUID(),
  };
}
