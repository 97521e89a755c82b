import type { KeyObject } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from 'jose';
import { systemNow } from './clock.ts';
import { type Token, TokenError } from './token.ts';

/** A key that may have signed tokens, with the only algorithm it is good for. */
export interface TrustedKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly key: KeyObject;
}

export interface VerifierOptions {
  /** What `iss` must be. */
  issuer: string;
  /** What `aud` must be or contain; left out, `aud` is not looked at. */
  audience?: string | undefined;
  keys: readonly TrustedKey[];
  /** How far the clocks of issuer and verifier may be apart, in seconds. Default 5. */
  clockTolerance?: number;
  /** Milliseconds since 1970. Default: the system's clock. */
  now?: () => number;
}

export interface Verifier {
  /**
   * The claims of a token that one of the keys signed and that is valid now.
   * @throws {TokenError} for every other text.
   */
  verify(jwt: string): Promise<Token>;
}

/** Longer than any token that a service with some tens of roles issues; a bound for the work below. */
const MAXIMUM_LENGTH = 16_384;

/** Three parts of base64url without padding (RFC 7515, section 3.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Header parameters that name keys or demand rules of the sender's own choosing (RFC 7515, section 4.1). */
const REFUSED_PARAMETERS = ['crit', 'jwk', 'jku', 'x5u', 'x5c'] as const;

const REQUIRED_CLAIMS = ['iss', 'sub', 'iat', 'exp', 'jti', 'sid'] as const;

/**
 * A verifier for Coatcheck's tokens that needs no network: the keys are at hand, each with one algorithm.
 *
 * @throws {TypeError} when issuer or audience are blank or there is no key: such a verifier would check less
 *   than its caller believes.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  if (isBlank(options.issuer)) throw new TypeError('issuer must not be empty');
  if (options.audience !== undefined && isBlank(options.audience)) {
    throw new TypeError('audience must not be empty');
  }
  if (options.keys.length === 0) throw new TypeError('keys must not be empty');
  const keys = new Map(options.keys.map((key) => [key.kid, key]));
  const { now = systemNow, clockTolerance = 5 } = options;

  return {
    async verify(jwt) {
      const { algorithm, key } = trustedKey(keys, header(jwt));
      const checks: JWTVerifyOptions = {
        algorithms: [algorithm],
        typ: 'JWT', // a token of another kind that the same key signed is none of these
        issuer: options.issuer,
        requiredClaims: [...REQUIRED_CLAIMS],
        clockTolerance,
        currentDate: new Date(now()),
        ...(options.audience === undefined ? {} : { audience: options.audience }),
      };
      try {
        const { payload } = await jwtVerify(jwt, key, checks);
        return token(payload);
      } catch (error) {
        throw tokenError(error);
      }
    },
  };
}

/** Callers without TypeScript may leave out what the types demand, and jose would then check nothing. */
function isBlank(text: unknown): boolean {
  return typeof text !== 'string' || text.trim() === '';
}

/** The header of a compact JWS, refused before any of it is trusted. */
function header(jwt: string): Record<string, unknown> {
  if (jwt.length > MAXIMUM_LENGTH || !COMPACT.test(jwt) || !jwt.split('.').every(isCanonical)) {
    throw new TokenError('malformed', 'The token is not a compact JWS.');
  }
  const parameters = jsonObject(jwt.slice(0, jwt.indexOf('.')));
  for (const name of REFUSED_PARAMETERS) {
    if (Object.hasOwn(parameters, name)) {
      throw new TokenError('header_refused', `The token's header must not have "${name}".`);
    }
  }
  return parameters;
}

/**
 * Whether a base64url text is the one way to write its bytes. Its last character may have bits that decoders
 * drop: four spellings of the same signature would otherwise pass.
 */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function jsonObject(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // not JSON: told below
  }
  throw new TokenError('malformed', "The token's header is not a JSON object.");
}

function trustedKey(
  keys: ReadonlyMap<string, TrustedKey>,
  parameters: Record<string, unknown>,
): TrustedKey {
  const trusted = typeof parameters['kid'] === 'string' ? keys.get(parameters['kid']) : undefined;
  if (trusted === undefined) {
    throw new TokenError(
      'unknown_key',
      'The token was signed with a key that is not trusted here.',
    );
  }
  if (parameters['alg'] !== trusted.algorithm) {
    throw new TokenError('wrong_algorithm', "The token's algorithm is not the one of its key.");
  }
  return trusted;
}

function token(payload: JWTPayload): Token {
  const { iss, sub, aud, iat, exp, jti, ...rest } = payload;
  const sid = rest['sid'];
  if (
    typeof iss !== 'string' ||
    typeof sub !== 'string' ||
    typeof iat !== 'number' ||
    typeof exp !== 'number' ||
    typeof jti !== 'string' ||
    typeof sid !== 'string'
  ) {
    throw new TokenError('claim_missing', 'A claim of the token has the wrong type.');
  }
  return { ...rest, iss, sub, ...(aud === undefined ? {} : { aud }), iat, exp, jti, sid };
}

function tokenError(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) {
    return new TokenError('expired', 'The token has expired.', { cause: error });
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimError(error);
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new TokenError('bad_signature', 'The signature of the token is not right.', {
      cause: error,
    });
  }
  if (error instanceof errors.JOSEError) {
    return new TokenError('malformed', 'The token cannot be read.', { cause: error });
  }
  return error;
}

function claimError(error: errors.JWTClaimValidationFailed): TokenError {
  const { claim, reason } = error;
  const cause = { cause: error };
  if (reason === 'missing')
    return new TokenError('claim_missing', `The token has no "${claim}".`, cause);
  if (claim === 'iss')
    return new TokenError('wrong_issuer', 'The token comes from another issuer.', cause);
  if (claim === 'aud')
    return new TokenError('wrong_audience', 'The token is meant for another audience.', cause);
  if (claim === 'nbf') return new TokenError('not_yet_valid', 'The token is not valid yet.', cause);
  return new TokenError('malformed', `The token's "${claim}" is not right.`, cause);
}
