import { isWithin } from './clock.ts';
import type { TrustedKey, KeySource } from './keys.ts';
import { keepKnown } from './key-set.ts';
import type { FetchedKeys } from './fetched-keys.ts';
import { UnavailableError } from './unavailable.ts';

const SECOND = 1000;
/** A set of keys that is fresh is not asked for again because of an id that is not in it, until so long after. */
const COOLDOWN = 30 * SECOND;
/** So long nobody is asked after a failure, or when a refresh is due and the last one has just begun. */
const RETRY_AFTER = 5 * SECOND;
/** So long the keys known stay good when nobody can confirm them. */
const GOOD_WITHOUT_CONFIRMATION = 3600 * SECOND;
/** In the last fifth of their life, keys are refreshed while they are still good. */
const REFRESHED_FROM = 0.8;

/**
 * Keys that somebody else publishes. One look at a time; nobody waits for a look while fresh keys are at hand. A key
 * that stays the same stays the same object.
 */
export class RemoteKeys implements KeySource {
  readonly #look: () => Promise<FetchedKeys>;
  readonly #now: () => number;
  #keys: ReadonlyMap<string, TrustedKey> = new Map();
  /** When the last look that succeeded began: the service has confirmed the keys since. */
  #confirmedAt = -Infinity;
  #freshFor = 0;
  #triedAt = -Infinity;
  /** Why the last look failed, if it did. */
  #failure: { readonly cause: unknown } | undefined;
  #flight: Promise<void> | undefined;

  /** @param look asks for the keys */
  constructor(look: () => Promise<FetchedKeys>, now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  find(kid: string): TrustedKey | undefined | Promise<TrustedKey | undefined> {
    const now = this.#now();
    const known = this.#keys.get(kid);
    const fresh = isWithin(now, this.#confirmedAt, this.#freshFor);
    if (!fresh)
      return known === undefined ? this.#unknown(kid, now, RETRY_AFTER) : this.#stale(known, now);
    if (!isWithin(now, this.#confirmedAt, this.#freshFor * REFRESHED_FROM)) void this.#refresh(now);
    return known ?? this.#unknown(kid, now, COOLDOWN);
  }

  /** A key that has to be confirmed. While the service is known to be down, nobody waits for that. */
  #stale(known: TrustedKey, now: number): TrustedKey | Promise<TrustedKey | undefined> {
    const stillGood = isWithin(now, this.#confirmedAt, GOOD_WITHOUT_CONFIRMATION);
    const failedBefore = this.#failure !== undefined;
    const flight = this.#refresh(now);
    const unconfirmed = () => {
      if (stillGood) return known;
      throw this.#unavailable();
    };
    if (flight === undefined || (failedBefore && stillGood)) return unconfirmed();
    return flight.then(() =>
      this.#failure === undefined ? this.#keys.get(known.kid) : unconfirmed(),
    );
  }

  /** @param pause milliseconds that must have passed since the last look */
  #unknown(kid: string, now: number, pause: number): undefined | Promise<TrustedKey | undefined> {
    const flight = this.#refresh(now, pause);
    const answer = () => {
      if (this.#failure !== undefined) throw this.#unavailable();
      return this.#keys.get(kid);
    };
    if (flight !== undefined) return flight.then(answer);
    if (this.#failure !== undefined) throw this.#unavailable();
    return undefined;
  }

  #unavailable(): UnavailableError {
    return new UnavailableError('The keys of the issuer cannot be had.', this.#failure);
  }

  /**
   * The look that is under way, begun now if it is time for one.
   * @param pause milliseconds that must have passed since the last look
   */
  #refresh(now: number, pause = RETRY_AFTER): Promise<void> | undefined {
    if (this.#flight !== undefined) return this.#flight;
    if (isWithin(now, this.#triedAt, pause)) return undefined;
    this.#triedAt = now;
    this.#flight = this.#fetch(now).finally(() => (this.#flight = undefined));
    return this.#flight;
  }

  /** Never rejects: how it went is in `#failure`. */
  async #fetch(startedAt: number): Promise<void> {
    try {
      const { keys, freshFor } = await this.#look();
      this.#keys = keepKnown(keys, this.#keys);
      this.#confirmedAt = startedAt;
      this.#freshFor = freshFor * SECOND;
      this.#failure = undefined;
    } catch (cause) {
      this.#triedAt = this.#now(); // the pause begins now: it may have taken long to fail
      this.#failure = { cause };
    }
  }
}
