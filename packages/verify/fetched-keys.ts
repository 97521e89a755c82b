import type { Algorithm } from './algorithms.ts';
import { boundedFetch, type Fetch } from './bounded-fetch.ts';
import { jsonObject } from './json.ts';
import { readKeySet } from './key-set.ts';
import type { TrustedKey } from './keys.ts';
import { webAddress } from './web-address.ts';

export interface FetchedKeys {
  readonly keys: ReadonlyMap<string, TrustedKey>;
  /** Seconds. */
  readonly freshFor: number;
}

export interface KeyLocation {
  readonly algorithms: readonly Algorithm[];
  readonly fetch: Fetch;
  readonly allowHttp: boolean;
}

/** Bytes: a hundred times the keys of a service that rotates them. */
const LIMIT = 512 * 1024;

/** A look at the JWK Set of that address. */
export function keysAt(
  uri: string,
  { algorithms, fetch }: KeyLocation,
): () => Promise<FetchedKeys> {
  return async () => {
    const accept = 'application/jwk-set+json, application/json';
    const { body, headers } = await boundedFetch({ url: uri, accept, fetch, limit: LIMIT });
    return {
      keys: readKeySet(jsonObject(body), algorithms),
      freshFor: freshFor(headers.get('cache-control')),
    };
  };
}

/** Between one and ten minutes, as the service says (RFC 9111, section 5.2.2.1); ten, when it does not. */
function freshFor(cacheControl: string | null): number {
  const seconds = /(?:^|[\s,])max-age="?(\d+)/i.exec(cacheControl ?? '')?.[1];
  return Math.min(Math.max(Number(seconds ?? 600), 60), 600);
}

/**
 * A look at the keys that the metadata of an authorization server point to (RFC 8414). Where they are is asked once,
 * and again after a failure.
 * @param issuer what the metadata must say, or they are somebody else's (section 3.3)
 */
export function discoveredKeys(
  base: string,
  issuer: string,
  location: KeyLocation,
): () => Promise<FetchedKeys> {
  const url = `${base.replace(/\/+$/, '')}/.well-known/oauth-authorization-server`;
  let look: (() => Promise<FetchedKeys>) | undefined;
  return async () => {
    try {
      look ??= keysAt(await keysUri(url, issuer, location), location);
      return await look();
    } catch (error) {
      look = undefined;
      throw error;
    }
  };
}

async function keysUri(url: string, issuer: string, location: KeyLocation): Promise<string> {
  const { fetch, allowHttp } = location;
  const { body } = await boundedFetch({ url, accept: 'application/json', fetch, limit: LIMIT });
  const metadata = jsonObject(body);
  if (metadata?.['issuer'] !== issuer) throw new Error(`${url} is the metadata of another issuer`);
  const address = webAddress(metadata['jwks_uri'], allowHttp);
  if (address === undefined) throw new Error(`${url} has no "jwks_uri" that may be used`);
  return address.href;
}
