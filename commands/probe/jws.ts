import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { Problem } from '../../core/errors.ts';
import { readPasted } from '../../tokens/pasted-token.ts';

/** A key under the name of an algorithm; with another one than it was made for, if an attacker likes. */
export interface Signer {
  readonly algorithm: string;
  readonly key: KeyObject;
}

/** Somebody with a key that nobody trusts. */
export interface Stranger extends Signer {
  /** The public half, or the whole of a shared secret. */
  readonly jwk: JsonWebKey;
}

/** What is written into a part of a token: an object, or any text or bytes at all. */
export type Part = object | string | Buffer;

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

export function encoded(part: Part): string {
  const isText = typeof part === 'string' || Buffer.isBuffer(part);
  return Buffer.from(isText ? part : JSON.stringify(part)).toString('base64url');
}

/** A compact JWS over any header and payload, rightly signed: what a library would refuse to make. */
export function jws(header: Part, payload: Part, by: Signer): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${signature(input, by).toString('base64url')}`;
}

/** A compact JWS with a secret that anybody could think of. @param algorithm what really signs, whatever the header says */
export function hmac(
  header: Part,
  payload: Part,
  secret: string | Buffer,
  algorithm = 'HS256',
): string {
  return jws(header, payload, { algorithm, key: createSecretKey(Buffer.from(secret)) });
}

function signature(input: string, { algorithm, key }: Signer): Buffer {
  const digest = `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith('HS')) return createHmac(digest, key).update(input).digest();
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  const pss = algorithm.startsWith('PS') ? { padding, saltLength } : {};
  return sign(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363', ...pss });
}

/** A key of the attacker's own for that algorithm; for one that is not known here, an RSA key for RS256. */
export function strangerOf(algorithm: string): Stranger {
  if (/^HS\d+$/.test(algorithm)) {
    const key = createSecretKey(randomBytes(64));
    return { algorithm, key, jwk: key.export({ format: 'jwk' }) };
  }
  const namedCurve = Object.hasOwn(CURVES, algorithm) ? CURVES[algorithm] : undefined;
  const { privateKey, publicKey } =
    namedCurve === undefined
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve });
  const isKnown = namedCurve !== undefined || /^[RP]S(?:256|384|512)$/.test(algorithm);
  const jwk = publicKey.export({ format: 'jwk' });
  return { algorithm: isKnown ? algorithm : 'RS256', key: privateKey, jwk };
}

export function partsOf(token: string) {
  const [head = '', body = '', end = ''] = token.split('.');
  return { head, body, end, bytes: Buffer.from(end, 'base64url') };
}

/** @throws {Problem} for what is no token, or one without claims */
export function takeApart(token: string): {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
} {
  const { header, claims } = readPasted(token);
  if (claims !== undefined) return { header, claims };
  throw new Problem('invalid_request', 'That token has no claims: its payload is no JSON object.');
}

/** Every form in which a library may hold a public key, and what becomes of a PEM on its way through settings. */
export function publicKeyForms(jwk: JsonWebKey): Record<string, string | Buffer> {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  const der = key.export({ type: 'spki', format: 'der' });
  const { x = '', y = '', n = '' } = jwk;
  const point = Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const numbers: Record<string, string | Buffer> =
    jwk.kty === 'RSA'
      ? {
          'PEM (PKCS #1)': key.export({ type: 'pkcs1', format: 'pem' }).toString(),
          'DER (PKCS #1)': key.export({ type: 'pkcs1', format: 'der' }),
          n,
          'the bytes of n': Buffer.from(n, 'base64url'),
        }
      : { 'x || y': point, 'the point': Buffer.concat([Buffer.of(4), point]), x, y };
  return {
    PEM: pem,
    'PEM without its last line feed': pem.trimEnd(),
    'PEM with CR LF': pem.replaceAll('\n', '\r\n'),
    'PEM with a leading space': ` ${pem}`,
    [String.raw`PEM with a literal \n`]: pem.replaceAll('\n', String.raw`\n`),
    'PEM in quotes': `"${pem}"`,
    'PEM cut off': pem.slice(0, 60),
    'PEM of one line': pem.replaceAll('\n', ''),
    'PEM without its armour': der.toString('base64'),
    DER: der,
    JWK: JSON.stringify(jwk),
    'JWK with only what makes the key': JSON.stringify(key.export({ format: 'jwk' })),
    JWKS: JSON.stringify({ keys: [jwk] }),
    'its thumbprint': String(jwk['kid']),
    ...numbers,
  };
}
