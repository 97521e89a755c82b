import type { JsonObject } from '../json.ts';
import type { VerifierOptions } from '../options.ts';
import { createTestKey, publicJwk, signWithES256, signWithPublicKey, unsigned } from './signing.ts';
import { answering, statusIndex, tampered, testAddresses } from './test-service.ts';
import { TestClock } from './test-clock.ts';
import { REVOKED_INDEX, TestStatusList } from './test-status-list.ts';
import { testClaims, type TestTokenOptions } from './test-tokens.ts';

export interface TestIssuerOptions {
  /** Default: `https://issuer.test`. Nobody is asked there. */
  issuer?: string;
  /** Default: `https://api.test`. */
  audience?: string;
  /** Milliseconds since 1970. Default: the system's clock. */
  now?: () => number;
}

/**
 * An issuer in the process of a test: no network. All tokens but those of the first kind are refused, each for the
 * reason given.
 */
export interface TestIssuer {
  /** For `requireToken` and `createVerifier`. */
  readonly settings: Pick<VerifierOptions, 'issuer'> &
    Required<Pick<VerifierOptions, 'audience' | 'jwksUri' | 'fetch' | 'revocation' | 'now'>>;
  /** A good token. */
  token(options?: TestTokenOptions): Promise<string>;
  /** `expired` */
  expired(options?: TestTokenOptions): Promise<string>;
  /** `not_yet_valid` */
  notYetValid(options?: TestTokenOptions): Promise<string>;
  /** `wrong_audience` */
  wrongAudience(options?: TestTokenOptions): Promise<string>;
  /** `wrong_issuer` */
  wrongIssuer(options?: TestTokenOptions): Promise<string>;
  /** `bad_signature`: signed by somebody else in the name of the issuer's key. */
  wrongKey(options?: TestTokenOptions): Promise<string>;
  /** `bad_signature`: a good token with other roles written into it. */
  tampered(options?: TestTokenOptions): Promise<string>;
  /** `revoked` */
  revoked(options?: TestTokenOptions): Promise<string>;
  /** `malformed`: with `alg: none` and without a signature (RFC 7519, section 6). */
  unsigned(options?: TestTokenOptions): Promise<string>;
  /** `wrong_algorithm`: HS256 with the public key as the secret. */
  wrongAlgorithm(options?: TestTokenOptions): Promise<string>;
  /** `wrong_type`: what is no token, but was signed with the same key. */
  wrongType(options?: TestTokenOptions): Promise<string>;
  /** `bypass_refused` in production; elsewhere it is good. */
  bypass(options?: TestTokenOptions): Promise<string>;
  /**
   * Revokes a token that this issuer made, and puts the clock of `settings` so far forward that verifiers look at the
   * status list again.
   * @throws {TypeError} for a text that is none
   */
  revoke(token: string): Promise<void>;
  /** Puts the clock of `settings` forward. @param seconds how far */
  advance(seconds: number): void;
}

const HOUR = 3600;

/** Seconds for which a status list is good: the shortest time in which a verifier looks again. */
const LIST_LIFE = 5;

/** An issuer with a new key, a status list and a `fetch` that answers in its place. */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = 'https://issuer.test', audience = 'https://api.test' } = options;
  const clock = new TestClock(options.now);
  const [key, stranger] = [createTestKey(), createTestKey()];
  const list = new TestStatusList();
  const at = testAddresses(issuer);
  const common = { issuer, audience, statusListUri: at.statusList };

  const claims = (given: TestTokenOptions = {}, idx = list.allocate()) =>
    testClaims(given, common, clock.seconds(), idx);
  const signed = async (payload: JsonObject, typ = 'JWT') => signWithES256({ typ }, payload, key);

  return {
    settings: {
      issuer,
      audience,
      jwksUri: at.keys,
      revocation: 'required',
      now: clock.now,
      fetch: answering({
        [at.keys]: () => JSON.stringify({ keys: [publicJwk(key)] }),
        [at.metadata]: () => JSON.stringify({ issuer, jwks_uri: at.keys }),
        [at.statusList]: () =>
          signWithES256(
            { typ: 'statuslist+jwt' },
            { sub: at.statusList, iat: clock.seconds(), ttl: LIST_LIFE, status_list: list.claim() },
            key,
          ),
      }),
    },
    token: (given) => signed(claims(given)),
    expired: (given) => signed({ ...claims(given), exp: clock.seconds() - HOUR }),
    notYetValid: (given) => signed({ ...claims(given), nbf: clock.seconds() + HOUR }),
    wrongAudience: (given) => signed(claims({ ...given, audience: `${audience}.other` })),
    wrongIssuer: (given) => signed({ ...claims(given), iss: `${issuer}.other` }),
    wrongKey: async (given) =>
      signWithES256({ typ: 'JWT' }, claims(given), { ...stranger, kid: key.kid }),
    tampered: async (given) => tampered(await signed(claims(given))),
    revoked: (given) => signed(claims(given, REVOKED_INDEX)),
    unsigned: async (given) => unsigned({ typ: 'JWT', kid: key.kid }, claims(given)),
    wrongAlgorithm: async (given) => signWithPublicKey({ typ: 'JWT' }, claims(given), key),
    wrongType: (given) => signed(claims(given), 'logout+jwt'),
    bypass: (given) => signed({ ...claims(given), amr: ['bypass'] }),
    async revoke(token) {
      list.revoke(statusIndex(token));
      clock.advance(LIST_LIFE + 1);
    },
    advance: (seconds) => clock.advance(seconds),
  };
}
