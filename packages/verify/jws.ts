import { compactVerify, errors } from 'jose';
import { type JsonObject, jsonObject } from './json.ts';
import type { KeySource, TrustedKey } from './keys.ts';
import { TokenError } from './token.ts';
import { verificationKey } from './verification-key.ts';

/** Three parts of base64url without padding (RFC 7515, section 3.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Header parameters that name keys or demand rules of the sender's own choosing (RFC 7515, section 4.1). */
const REFUSED_PARAMETERS = ['crit', 'jwk', 'jku', 'x5u', 'x5c'] as const;

/** What a compact JWS says, once its signature has been found right. */
export interface OpenedJws {
  readonly kid: string;
  readonly trusted: TrustedKey;
  /** The header's `typ`, whatever it is. */
  readonly typ: unknown;
  readonly payload: JsonObject;
}

/**
 * Opens a compact JWS with a JSON object in it, if one of the keys signed it with the only algorithm it is good for.
 *
 * @throws {TokenError} for every other text
 * @throws {UnavailableError} when the source of the keys cannot say
 */
export async function openJws(jws: string, keys: KeySource): Promise<OpenedJws> {
  const { kid, alg, typ } = header(jws);
  if (typeof kid !== 'string') throw unknownKey();
  const trusted = await keys.find(kid);
  if (!trusted) throw unknownKey(); // `null` too, from a source without TypeScript
  if (alg !== trusted.algorithm) {
    throw new TokenError('wrong_algorithm', "The token's algorithm is not the one of its key.");
  }
  const bytes = await signed(jws, trusted);
  const payload = jsonObject(bytes);
  if (payload === undefined) throw new TokenError('malformed', 'The token cannot be read.');
  return { kid, trusted, typ, payload };
}

function unknownKey(): TokenError {
  const message = 'The token was signed with a key that is not trusted here.';
  return new TokenError('unknown_key', message);
}

/** The header, refused before any of it is trusted. */
function header(jws: string): JsonObject {
  if (!COMPACT.test(jws) || !isCanonical(jws)) {
    throw new TokenError('malformed', 'The token is not a compact JWS.');
  }
  const parameters = jsonObject(Buffer.from(jws.slice(0, jws.indexOf('.')), 'base64url'));
  if (parameters === undefined) {
    throw new TokenError('malformed', "The token's header is not a JSON object.");
  }
  for (const name of REFUSED_PARAMETERS) {
    if (Object.hasOwn(parameters, name)) {
      throw new TokenError('header_refused', `The token's header must not have "${name}".`);
    }
  }
  return parameters;
}

/** Whether each part is the one way to write its bytes; other spellings of one signature would be other tokens. */
function isCanonical(jws: string): boolean {
  const first = jws.indexOf('.');
  const second = jws.indexOf('.', first + 1);
  return (
    endsCanonically(jws, 0, first) &&
    endsCanonically(jws, first + 1, second) &&
    endsCanonically(jws, second + 1, jws.length)
  );
}

/**
 * Only the last character of a base64url text can have bits to spare, which decoders drop: four after one byte, two
 * after two. They must be 0 (RFC 4648, section 3.5). Of one character alone nothing can be made.
 */
function endsCanonically(text: string, start: number, end: number): boolean {
  const rest = (end - start) % 4;
  if (rest === 0) return true;
  if (rest === 1) return false;
  return (rest === 2 ? 'AQgw' : 'AEIMQUYcgkosw048').includes(text.charAt(end - 1));
}

/** The bytes that were signed. */
async function signed(jws: string, trusted: TrustedKey): Promise<Uint8Array> {
  try {
    const key = verificationKey(trusted);
    return (await compactVerify(jws, key, { algorithms: [trusted.algorithm] })).payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      const message = 'The signature of the token is not right.';
      throw new TokenError('bad_signature', message, { cause: error });
    }
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new TokenError('malformed', 'The token cannot be read.', { cause: error });
  }
}
