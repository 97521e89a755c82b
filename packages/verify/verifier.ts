import { hash } from 'node:crypto';
import { LruCache } from './cache.ts';
import { checkTimes, readToken, statusReference } from './claims.ts';
import { deepFreeze } from './json.ts';
import { openJws } from './jws.ts';
import type { TrustedKey } from './keys.ts';
import { readOptions, type VerifierOptions, type VerifierSettings } from './options.ts';
import type { StatusReference } from './revocation.ts';
import { type Token, TokenError } from './token.ts';
import { isTokenType } from './typ.ts';

export interface Verifier {
  /**
   * The claims of a token that one of the keys signed and that is valid now.
   * @throws {TokenError} for every other text
   * @throws {UnavailableError} when the keys or the status list cannot be had and nobody can say
   */
  verify(jwt: string): Promise<Token>;
}

/** Characters: longer than any token that a service with some tens of roles issues; a bound for the work below. */
const MAXIMUM_LENGTH = 16_384;

const SECOND = 1000;

/** A token that was verified once. Its text is not kept: who reads the memory could use it. */
interface Verified {
  /** What all who send it are given, so that nobody may change it. */
  readonly token: Token;
  /** What the token calls its key. */
  readonly kid: string;
  readonly trusted: TrustedKey;
  readonly status: StatusReference | undefined;
}

/**
 * A verifier for Coatcheck's tokens. Keep it: it remembers keys, status lists, and the tokens that it has seen. Of
 * those it looks again only at what may have changed: the time, the key, the revocation.
 *
 * @throws {TypeError} for wrong options, and says which
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new CachingVerifier(readOptions(options));
}

class CachingVerifier implements Verifier {
  readonly #settings: VerifierSettings;
  readonly #cache: LruCache<Verified> | undefined;

  constructor(settings: VerifierSettings) {
    this.#settings = settings;
    this.#cache = settings.cacheSize === 0 ? undefined : new LruCache(settings.cacheSize);
  }

  /** Not `async`, nor what it calls for a token that it knows: promises would take longer than the work. */
  verify(jwt: string): Promise<Token> {
    try {
      if (typeof jwt !== 'string' || jwt.length > MAXIMUM_LENGTH) {
        throw new TokenError('malformed', 'The token is not a compact JWS.');
      }
      const id = this.#cache === undefined ? '' : hash('sha256', jwt, 'base64');
      const known = this.#cache?.get(id);
      return known === undefined ? this.#verifyNew(jwt, id) : this.#verifyKnown(jwt, id, known);
    } catch (error) {
      return failed(error);
    }
  }

  async #verifyNew(jwt: string, id: string): Promise<Token> {
    const settings = this.#settings;
    const { kid, trusted, typ, payload } = await openJws(jwt, settings.keys);
    if (!isTokenType(typ))
      throw new TokenError('wrong_type', 'That is no token, but something else.');
    const token = deepFreeze(readToken(payload, settings, this.#seconds()));
    const status = settings.revocation && statusReference(token);
    refuseRevoked(await this.#isRevoked(status));
    this.#cache?.set(id, { token, kid, trusted, status });
    return token;
  }

  #verifyKnown(jwt: string, id: string, known: Verified): Promise<Token> {
    const { clockTolerance, keys } = this.#settings;
    try {
      checkTimes(known.token, clockTolerance, this.#seconds());
    } catch (error) {
      this.#cache?.delete(id);
      throw error;
    }
    const found = keys.find(known.kid);
    if (found === known.trusted) return this.#unlessRevoked(known);
    return Promise.resolve(found).then((trusted) => {
      if (trusted === known.trusted) return this.#unlessRevoked(known);
      this.#cache?.delete(id);
      return this.#verifyNew(jwt, id);
    });
  }

  #unlessRevoked({ token, status }: Verified): Promise<Token> {
    const revoked = this.#isRevoked(status);
    if (revoked === false) return Promise.resolve(token);
    return Promise.resolve(revoked).then((answer) => {
      refuseRevoked(answer);
      return token;
    });
  }

  #isRevoked(status: StatusReference | undefined): boolean | Promise<boolean> {
    const { revocation } = this.#settings;
    return revocation !== undefined && revocation.isRevoked(status);
  }

  #seconds(): number {
    return Math.floor(this.#settings.now() / SECOND);
  }
}

async function failed(error: unknown): Promise<never> {
  throw error;
}

/** A check without TypeScript may answer anything: only `false` says that the token has not been revoked. */
function refuseRevoked(answer: unknown): void {
  if (answer !== false) throw new TokenError('revoked', 'The token has been revoked.');
}
