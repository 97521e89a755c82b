import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { Problem } from '../core/errors.ts';
import { parsedJson } from '../core/json.ts';

/** A private key as it came, and the algorithm that its JWK names. */
export interface ReadKey {
  readonly privateKey: KeyObject;
  readonly algorithm: string | undefined;
}

const RSA_MEMBERS = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** Node's names of the curves, and how long a coordinate is, in bytes. */
const CURVES = new Map([
  ['P-256', { name: 'prime256v1', length: 32 }],
  ['P-384', { name: 'secp384r1', length: 48 }],
]);

/**
 * The private key of a JWK, or of a set of one (RFC 7517).
 * @throws {Problem} `invalid_request` that tells what is wrong with it
 */
export function privateKeyOfJwk(text: string): ReadKey {
  const jwk = onlyKey(parsed(text));
  if (jwk['kty'] === 'oct') {
    throw refused('The JWK is a shared secret: those are set as JWT_SECRET_KEY, not imported.');
  }
  if (jwk['kty'] !== 'EC' && jwk['kty'] !== 'RSA') {
    throw refused('The JWK must be an EC or an RSA key: ES256, ES384, RS256 and PS256 use those.');
  }
  if (jwk['d'] === undefined) {
    throw refused('The JWK is public only: to sign, the private key is needed.');
  }
  refuseOtherUse(jwk);
  const { alg } = jwk;
  if (alg !== undefined && typeof alg !== 'string')
    throw refused('The "alg" of the JWK is no text.');
  return { privateKey: jwk['kty'] === 'EC' ? ecKey(jwk) : rsaKey(jwk), algorithm: alg };
}

type Members = Readonly<Record<string, unknown>>;

function parsed(text: string): Members {
  const value = parsedJson(text);
  if (isObject(value)) return value;
  const what = value === undefined ? 'not JSON' : 'no JSON object';
  throw refused(`The JWK is damaged: that is ${what}.`);
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JWK itself, or that of a set. */
function onlyKey(value: Members): Members {
  const { keys } = value;
  if (keys === undefined) return value;
  if (!Array.isArray(keys) || !keys.every(isObject)) throw refused('The JWK set is damaged.');
  const [only, ...others] = keys;
  if (only === undefined) throw refused('The JWK set is empty.');
  if (others.length === 0) return only;
  const kids = keys.map((key) => key['kid']).filter((kid) => kid !== undefined);
  if (new Set(kids).size < kids.length) throw refused('The JWK set has two keys with one "kid".');
  const kinds = new Set(keys.map((key) => [key['kty'] === 'oct', key['d'] === undefined].join()));
  throw refused(
    kinds.size > 1
      ? 'The JWK set mixes private, public and shared keys: give the one private key alone.'
      : `The JWK set has ${keys.length} keys: give the one that shall sign alone.`,
  );
}

/** RFC 7517, sections 4.2 and 4.3. */
function refuseOtherUse({ use, key_ops: operations }: Members): void {
  if (use !== undefined && use !== 'sig') {
    throw refused('The "use" of the JWK is not "sig": the key is meant for something else.');
  }
  if (operations === undefined) return;
  if (!Array.isArray(operations) || !operations.includes('sign')) {
    throw refused('The "key_ops" of the JWK lack "sign": the key is meant for something else.');
  }
  if (operations.some((operation) => operation !== 'sign' && operation !== 'verify')) {
    throw refused('The "key_ops" of the JWK have more than "sign" and "verify": one key, one use.');
  }
}

function ecKey(jwk: Members): KeyObject {
  const { crv } = jwk;
  const curve = typeof crv === 'string' ? CURVES.get(crv) : undefined;
  if (curve === undefined || typeof crv !== 'string') {
    throw refused('The "crv" of the JWK must be P-256 (for ES256) or P-384 (for ES384).');
  }
  const [x, y, d] = [bytesOf(jwk, 'x'), bytesOf(jwk, 'y'), bytesOf(jwk, 'd')];
  if ([x, y, d].some((bytes) => bytes.length !== curve.length)) {
    throw refused(`"x", "y" and "d" of the JWK must have ${curve.length} bytes with ${crv}.`);
  }
  try {
    createPublicKey({ key: { kty: 'EC', crv, x: textOf(x), y: textOf(y) }, format: 'jwk' });
  } catch {
    throw refused('The JWK is damaged: its public point is not on the curve.');
  }
  const ecdh = createECDH(curve.name);
  try {
    ecdh.setPrivateKey(d);
  } catch {
    throw refused('The JWK is damaged: its private part is no number of the curve.');
  }
  const point = Buffer.concat([Buffer.of(4), x, y]);
  if (!ecdh.getPublicKey().equals(point)) throw refused(DOES_NOT_BELONG);
  return keyOf(jwk, ['x', 'y', 'd'], { kty: 'EC', crv });
}

const DOES_NOT_BELONG = 'The private part of the JWK does not belong to its public part.';

function rsaKey(jwk: Members): KeyObject {
  if (jwk['oth'] !== undefined) throw refused('The JWK has more than two primes ("oth").');
  const missing = RSA_MEMBERS.filter((name) => jwk[name] === undefined);
  if (missing.length > 0)
    throw refused(`The JWK lacks ${missing.map((name) => `"${name}"`).join(', ')}.`);
  for (const name of RSA_MEMBERS) bytesOf(jwk, name);
  return keyOf(jwk, RSA_MEMBERS, { kty: 'RSA' });
}

function bytesOf(jwk: Members, name: string): Buffer {
  const text = jwk[name];
  if (text === undefined) throw refused(`The JWK lacks "${name}".`);
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  if (bytes.length === 0 || bytes.toString('base64url') !== text) {
    throw refused(`The "${name}" of the JWK is damaged: that is not base64url.`);
  }
  return bytes;
}

const textOf = (bytes: Buffer) => bytes.toString('base64url');

/** Built of the members that make a key: whatever else is in the JWK has no say. */
function keyOf(jwk: Members, names: readonly string[], base: JsonWebKey): KeyObject {
  const members = Object.fromEntries(names.map((name) => [name, jwk[name]]));
  try {
    return createPrivateKey({ key: { ...members, ...base }, format: 'jwk' });
  } catch {
    throw refused('The JWK is damaged: there is no key in it that can be read.');
  }
}

function refused(detail: string): Problem {
  return new Problem('invalid_request', detail);
}
