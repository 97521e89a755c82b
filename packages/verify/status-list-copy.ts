import { boundedFetch, type Fetch } from './bounded-fetch.ts';
import { isWithin } from './clock.ts';
import {
  readSignedStatusList,
  type SignedStatusList,
  type StatusListRules,
} from './signed-status-list.ts';
import type { StatusList } from './status-list.ts';
import { TokenError } from './token.ts';
import { UnavailableError } from './unavailable.ts';

const SECOND = 1000;
/** However short a list's life is, it is not fetched again before. */
const PAUSE = 5 * SECOND;
/** Bytes. */
const LIMIT = 2 * 1024 * 1024;

export interface StatusListSource extends StatusListRules {
  /** Whether a token is refused when its list cannot be had. */
  readonly required: boolean;
  readonly fetch: Fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A list that was fetched. Times in milliseconds. */
interface Fetched {
  readonly list: StatusList;
  /** One from the future counts as issued when it was fetched. */
  readonly issuedAt: number;
  readonly since: number;
  readonly freshFor: number;
  /** So long nobody looks for a newer one; then somebody does, while this one is still good. */
  readonly calmFor: number;
}

/** Our copy of the list at one address. One look at a time. */
export class StatusListCopy {
  readonly uri: string;
  readonly #source: StatusListSource;
  #known: Fetched | undefined;
  #triedAt = -Infinity;
  /** Why the last look brought no list, if it did not. */
  #failure: { readonly cause: unknown } | undefined;
  #flight: Promise<void> | undefined;

  constructor(uri: string, source: StatusListSource) {
    this.uri = uri;
    this.#source = source;
  }

  isRevoked(index: number): boolean | Promise<boolean> {
    const now = this.#source.now();
    const known = this.#known;
    if (known !== undefined && isWithin(now, known.since, known.freshFor)) {
      if (!isWithin(now, known.since, known.calmFor)) void this.#refresh(now);
      return isRevokedIn(known.list, index);
    }
    // who may go on without the list waits for it once, but not again and again while it cannot be had
    const waits = this.#source.required || this.#failure === undefined;
    const flight = this.#refresh(now);
    return flight !== undefined && waits
      ? flight.then(() => this.#decide(index, now))
      : this.#decide(index, now);
  }

  /** By what is known after a look, or where it is too early for the next one. */
  #decide(index: number, now: number): boolean {
    const cause = this.#failure?.cause;
    if (cause instanceof TokenError) throw cause; // somebody answers for the list, but not with a list
    const known = this.#known;
    const fresh = known !== undefined && isWithin(now, known.since, known.freshFor);
    if (this.#source.required && !fresh) {
      throw new UnavailableError('The status list of the token cannot be had.', { cause });
    }
    return known !== undefined && isRevokedIn(known.list, index);
  }

  /** The look that is under way, begun now if it is time for one. */
  #refresh(now: number): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight;
    if (isWithin(now, this.#triedAt, PAUSE)) return undefined;
    this.#triedAt = now;
    this.#flight = this.#fetch(now).finally(() => (this.#flight = undefined));
    return this.#flight;
  }

  /** Never rejects: how it went is in `#failure`. */
  async #fetch(startedAt: number): Promise<void> {
    const { uri } = this;
    const { fetch } = this.#source;
    try {
      const accept = 'application/statuslist+jwt';
      const { body, headers } = await boundedFetch({ url: uri, accept, fetch, limit: LIMIT });
      if (!isStatusListJwt(headers)) throw new Error(`${uri} is no status list`); // a page that says so, perhaps
      const jws = body.toString('latin1'); // ASCII, or no JWS
      const signed = await readSignedStatusList(jws, uri, this.#source, startedAt / SECOND);
      const exp = (signed.exp + this.#source.clockTolerance) * SECOND;
      this.#known = newerOf(fetched(signed, startedAt, exp), this.#known);
      this.#failure = undefined;
    } catch (cause) {
      this.#triedAt = this.#source.now(); // the pause begins now: it may have taken long to fail
      this.#failure = { cause };
    }
  }
}

/**
 * A cache on the way may answer with an older list than before: that must not bring revoked tokens back, so the one known
 * stays, and is asked about again as soon.
 */
function newerOf(now: Fetched, known: Fetched | undefined): Fetched {
  if (known === undefined || known.issuedAt <= now.issuedAt) return now;
  return { ...now, list: known.list, issuedAt: known.issuedAt };
}

/**
 * A list is good for its `ttl` since it was issued, not since it was fetched: caches on the way cannot prolong it.
 * @param end when it is good for nothing any more
 */
function fetched(signed: SignedStatusList, since: number, end: number): Fetched {
  const life = signed.ttl * SECOND;
  const issuedAt = Math.min(signed.iat * SECOND, since);
  const freshFor = Math.min(Math.max(issuedAt + life - since, PAUSE), end - since);
  return { list: signed.list, issuedAt, since, freshFor, calmFor: freshFor - life / 5 };
}

/** @throws {TokenError} for an index that the list does not have (section 8.3) */
function isRevokedIn(list: StatusList, index: number): boolean {
  const status = list.statusAt(index);
  if (status !== undefined) return status !== 0;
  throw new TokenError('status_refused', 'The status list of the token has no such entry.');
}

function isStatusListJwt(headers: Headers): boolean {
  return /^application\/statuslist\+jwt *(;|$)/i.test(headers.get('content-type') ?? '');
}
