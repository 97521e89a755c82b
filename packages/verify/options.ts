import type { Fetch } from './bounded-fetch.ts';
import type { Expectations } from './claims.ts';
import { systemNow } from './clock.ts';
import { inProduction } from './environment.ts';
import { isObject } from './json.ts';
import { type KeyOptions, readKeyOptions } from './key-options.ts';
import type { KeySource } from './keys.ts';
import {
  demandFunction,
  isBlank,
  readAudience,
  readCacheSize,
  readClockTolerance,
  readFlag,
} from './option-readers.ts';
import { RemoteStatusLists } from './remote-status-lists.ts';
import type { RevocationCheck } from './revocation.ts';

export interface VerifierOptions extends KeyOptions {
  /** What `iss` must be. */
  issuer: string;
  /** What `aud` must be or contain; of a list, one. Left out, `aud` is not looked at. */
  audience?: string | readonly string[];
  /**
   * Whether logouts reach tokens, by the status list that a token refers to:
   * - `'required'`: yes; a token without one is refused, and while the list cannot be had, every token is (503)
   * - `'when-reachable'` (default): yes, but while the list cannot be had the last one known decides, if there is one
   * - `'off'`: no, tokens are good until they expire
   *
   * Or a check of your own.
   */
  revocation?: 'required' | 'when-reachable' | 'off' | RevocationCheck;
  /** How many verified tokens are remembered, so that their signatures need not be checked again. Default 10,000. */
  cache?: false | { size: number };
  /** How far the clocks of issuer and verifier may be apart, in seconds, at most 600. Default 5. */
  clockTolerance?: number;
  /** Whether tokens of the development bypass are refused. Default: whether `NODE_ENV` is `production` now. */
  production?: boolean;
  /** Lets keys and status lists be fetched over http from other hosts than this one. Default `false`. */
  allowHttp?: boolean;
  /** Fetches keys and status lists. Default: `globalThis.fetch`. */
  fetch?: Fetch;
  /** Milliseconds since 1970. Default: the system's clock. */
  now?: () => number;
}

/** The options, checked and filled up. */
export interface VerifierSettings extends Expectations {
  readonly keys: KeySource;
  /** `undefined`: nobody asks whether tokens have been revoked. */
  readonly revocation: RevocationCheck | undefined;
  /** Tokens; 0 for no cache. */
  readonly cacheSize: number;
  readonly now: () => number;
}

const NAMES: ReadonlySet<string> = new Set<keyof VerifierOptions>([
  'issuer',
  'audience',
  'secret',
  'jwksUri',
  'discovery',
  'keys',
  'algorithms',
  'revocation',
  'cache',
  'clockTolerance',
  'production',
  'allowHttp',
  'fetch',
  'now',
]);

/** Options that restrict. One of them that is `undefined` was meant to be set, from a setting that is missing. */
const RESTRICTING = ['secret', 'audience', 'algorithms', 'revocation', 'production'] as const;

/**
 * @throws {TypeError} that says which option is wrong: for callers without TypeScript too, nothing is checked less
 *   than they believe
 */
export function readOptions(options: VerifierOptions): VerifierSettings {
  if (!isObject(options)) throw new TypeError('options must be an object');
  const unknown = Object.keys(options).find((name) => !NAMES.has(name));
  if (unknown !== undefined) throw new TypeError(`there is no option "${unknown}"`);
  for (const name of RESTRICTING) {
    if (Object.hasOwn(options, name) && options[name] === undefined) {
      throw new TypeError(`${name} is undefined: give it a value or leave it out`);
    }
  }
  const { issuer, now = systemNow, fetch = globalThis.fetch } = options;
  if (isBlank(issuer)) throw new TypeError('issuer must not be empty');
  demandFunction('now', now);
  demandFunction('fetch', fetch);
  const clockTolerance = readClockTolerance(options.clockTolerance);
  const allowHttp = readFlag('allowHttp', options.allowHttp, () => false);
  const keys = readKeyOptions(options, { issuer, fetch, allowHttp, now });
  const source = { keys, issuer, clockTolerance, fetch, allowHttp, now };
  return {
    issuer,
    audiences: readAudience(options.audience),
    clockTolerance,
    production: readFlag('production', options.production, inProduction),
    keys,
    revocation: readRevocation(options.revocation, source),
    cacheSize: readCacheSize(options.cache),
    now,
  };
}

function readRevocation(
  revocation: VerifierOptions['revocation'] = 'when-reachable',
  source: Omit<ConstructorParameters<typeof RemoteStatusLists>[0], 'required'>,
): RevocationCheck | undefined {
  if (revocation === 'off') return undefined;
  if (revocation === 'required' || revocation === 'when-reachable') {
    return new RemoteStatusLists({ ...source, required: revocation === 'required' });
  }
  if (isObject(revocation) && typeof revocation['isRevoked'] === 'function') return revocation;
  throw new TypeError("revocation must be 'required', 'when-reachable', 'off' or a check");
}
