import {
  type Algorithm,
  isAlgorithm,
  isSecretAlgorithm,
  KEY_PAIR_ALGORITHMS,
} from './algorithms.ts';
import type { Fetch } from './bounded-fetch.ts';
import { discoveredKeys, type FetchedKeys, keysAt } from './fetched-keys.ts';
import { readKeys, readSecrets } from './given-keys.ts';
import { fixedKeys, type KeySource, type TrustedKey } from './keys.ts';
import { RemoteKeys } from './remote-keys.ts';
import { webAddress } from './web-address.ts';

/** Where the keys come from: `keys`, or a `secret`, `jwksUri` or `discovery`, or a `secret` and one of those two. */
export interface KeyOptions {
  /**
   * A shared secret of at least 32 bytes, or several: a token may be signed with any of them. A token names the one
   * (see `secretKey`).
   */
  secret?: string | readonly string[];
  /** Address of the service's JWK Set (RFC 7517). */
  jwksUri?: string;
  /**
   * `true` looks for the JWK Set in the metadata of the issuer (RFC 8414); a text, in those of the service at that
   * address, which must name the same issuer.
   */
  discovery?: true | string;
  /** Keys at hand, or a source of your own. */
  keys?: readonly TrustedKey[] | KeySource;
  /**
   * What tokens may be signed with. With a `secret` one of HS256 (default), HS384 and HS512; with published keys some
   * of ES256, ES384, RS256 and PS256 (default: all). Not for `keys`, each of which has its own.
   */
  algorithms?: readonly string[];
}

export interface KeyEnvironment {
  readonly issuer: string;
  readonly fetch: Fetch;
  readonly allowHttp: boolean;
  readonly now: () => number;
}

/** @throws {TypeError} that says which option is wrong */
export function readKeyOptions(options: KeyOptions, environment: KeyEnvironment): KeySource {
  const { secret, jwksUri, discovery, keys, algorithms } = options;
  const given = [secret, jwksUri, discovery, keys].filter((source) => source !== undefined).length;
  if (given === 0) throw new TypeError('no keys: give one of secret, jwksUri, discovery and keys');
  if (keys !== undefined) {
    if (given > 1) throw new TypeError('keys cannot be combined with another source of keys');
    if (algorithms !== undefined)
      throw new TypeError('algorithms are not for keys: each has its own');
    return readKeys(keys);
  }
  if (jwksUri !== undefined && discovery !== undefined) {
    throw new TypeError('jwksUri and discovery cannot be combined');
  }
  const remote = jwksUri !== undefined || discovery !== undefined;
  const allowed = readAlgorithms(algorithms, secret !== undefined, remote);
  const published = remote ? readRemote(options, allowed.keyPair, environment) : undefined;
  const shared = secret === undefined ? undefined : readSecrets(secret, allowed.secret);
  return both(shared, published);
}

/** What each source may have signed with; one list for both, as far as it goes. */
function readAlgorithms(algorithms: unknown, secret: boolean, remote: boolean) {
  if (algorithms === undefined) {
    return { secret: 'HS256' as const, keyPair: KEY_PAIR_ALGORITHMS };
  }
  const list: readonly unknown[] = Array.isArray(algorithms) ? algorithms : [];
  if (list.length === 0) throw new TypeError('algorithms must be a list that is not empty');
  const known = list.filter(isAlgorithm);
  if (known.length !== list.length) {
    const unknown = list.filter((name) => !isAlgorithm(name));
    throw new TypeError(`algorithms: ${JSON.stringify(unknown)} is unknown`);
  }
  const [first, ...more] = known.filter(isSecretAlgorithm);
  const keyPair = known.filter((name) => !isSecretAlgorithm(name));
  if (secret !== (first !== undefined) || more.length > 0) {
    const wanted = secret ? 'exactly one of HS256, HS384 and HS512' : 'a secret for HS256 to HS512';
    throw new TypeError(`algorithms: there must be ${wanted}`);
  }
  if (remote !== keyPair.length > 0) {
    throw new TypeError(
      'algorithms: ES256 to PS256 go with jwksUri and discovery, and they need one',
    );
  }
  return { secret: first ?? 'HS256', keyPair };
}

function readRemote(
  { jwksUri, discovery }: KeyOptions,
  algorithms: readonly Algorithm[],
  { issuer, fetch, allowHttp, now }: KeyEnvironment,
): KeySource {
  const [name, address] =
    jwksUri === undefined
      ? ['discovery', discovery === true ? issuer : discovery]
      : ['jwksUri', jwksUri];
  const url = webAddress(address, allowHttp);
  if (url === undefined) {
    throw new TypeError(`${name} must be an https address (http only on localhost)`);
  }
  const location = { algorithms, fetch, allowHttp };
  const look: () => Promise<FetchedKeys> =
    jwksUri === undefined ? discoveredKeys(url.href, issuer, location) : keysAt(url.href, location);
  return new RemoteKeys(look, now);
}

/** A secret's key is at hand; only for other ids is anybody asked. */
function both(shared: KeySource | undefined, published: KeySource | undefined): KeySource {
  if (shared === undefined || published === undefined) return shared ?? published ?? fixedKeys([]);
  return { find: (kid) => shared.find(kid) ?? published.find(kid) };
}
