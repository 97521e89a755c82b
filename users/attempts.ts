import { createHmac, hkdfSync } from 'node:crypto';
import { MINUTE } from '../core/clock.ts';
import { canonical } from '../core/text.ts';

/** So many attempts at once; each is forgotten after its share of the period, in milliseconds. */
export interface Allowance {
  readonly limit: number;
  readonly period: number;
}

/** How much may be tried. Each limit divides its period. docs/http.md explains them. */
export const ALLOWANCES = {
  /** Wrong passwords for one name, from everywhere together but the devices below. */
  account: { limit: 10, period: 15 * MINUTE },
  /** Wrong passwords from one device that somebody has logged in with as this user. */
  device: { limit: 10, period: 15 * MINUTE },
  /** Passwords for one name, right ones too: nobody's own password may keep the cores busy for all others. */
  login: { limit: 300, period: 15 * MINUTE },
  /** Wrong passwords from one network: a school may be behind it. */
  address: { limit: 100, period: 15 * MINUTE },
  /** The same from one block of networks, as one customer with IPv6 may have it: a carrier's many may be behind it too. */
  'address block': { limit: 500, period: 15 * MINUTE },
  /** Sign-ups and changes of address from one network: each asks whether somebody has a name or an address. */
  registration: { limit: 50, period: 60 * MINUTE },
  'registration block': { limit: 250, period: 60 * MINUTE },
  /** Wrong current passwords in one session. */
  'password change': { limit: 10, period: 15 * MINUTE },
  /** Tokens that were pasted into the inspector, from one network: each costs a signature and a look at the database. */
  inspection: { limit: 300, period: 15 * MINUTE },
  'inspection block': { limit: 1500, period: 15 * MINUTE },
  /** Wrong secrets for one API client. */
  client: { limit: 10, period: 15 * MINUTE },
  /** Wrong secrets of API clients from one network. */
  'client address': { limit: 100, period: 15 * MINUTE },
  'client address block': { limit: 500, period: 15 * MINUTE },
} as const satisfies Record<string, Allowance>;

/** What attempts are counted for. */
export interface Bucket {
  readonly kind: keyof typeof ALLOWANCES;
  /** Whose: a username or an e-mail address for an account or a login, in any spelling; else a network or an id. */
  readonly subject: string;
}

/** Which bucket was full, and for how long there is no point in trying again, in milliseconds. */
export interface Refusal {
  readonly kind: Bucket['kind'];
  /** Names the bucket, and reveals nothing. */
  readonly key: string;
  readonly period: number;
  readonly wait: number;
}

/** Where attempts are counted, for all processes together. Whatever fails does so with a `StorageError`. */
export interface AttemptStore {
  /** @returns 0, or how many milliseconds there will be no room. Writes nothing. */
  wait(key: string, allowance: Allowance): Promise<number>;
  /**
   * Counts an attempt if the allowance has room for it, in one step: of many at once no more get through.
   * @returns 0, or how many milliseconds there will be no room; such an attempt is not counted, nor put off further
   */
  take(key: string, allowance: Allowance): Promise<number>;
  /** Takes back an attempt that was counted a moment ago. */
  giveBack(key: string, allowance: Allowance): Promise<void>;
  /** Forgets all attempts. */
  forget(key: string): Promise<void>;
}

/** Attempts at guessing, each counted before anything is hashed for it. */
export class Attempts {
  readonly #store: AttemptStore;
  readonly #secret: Uint8Array;

  /** @param secret what the store is not to reveal is hashed with; with another one, counting begins anew */
  constructor(store: AttemptStore, secret: string) {
    this.#store = store;
    this.#secret = derivedKey(secret, 'coatcheck attempts');
  }

  /**
   * Counts an attempt in all buckets, or in none. All are looked at first: whoever goes on trying where one is full, which
   * costs them nothing, has nothing written for it.
   * @returns the one that was full
   */
  async count(buckets: readonly Bucket[]): Promise<Refusal | undefined> {
    const waits = await Promise.all(
      buckets.map((bucket) => this.#store.wait(this.#key(bucket), ALLOWANCES[bucket.kind])),
    );
    const full = waits.findIndex((wait) => wait > 0);
    if (buckets[full] !== undefined) return this.#refusal(buckets[full], waits[full] ?? 0);
    for (const [index, bucket] of buckets.entries()) {
      const wait = await this.#store.take(this.#key(bucket), ALLOWANCES[bucket.kind]);
      if (wait > 0) {
        await this.giveBack(buckets.slice(0, index)); // many came at once
        return this.#refusal(bucket, wait);
      }
    }
    return undefined;
  }

  #refusal(bucket: Bucket, wait: number): Refusal {
    const { kind } = bucket;
    return { kind, key: this.#key(bucket), period: ALLOWANCES[kind].period, wait };
  }

  /** Takes back an attempt that was counted: it has turned out to be none. */
  async giveBack(buckets: readonly Bucket[]): Promise<void> {
    await Promise.all(
      buckets.map((bucket) => this.#store.giveBack(this.#key(bucket), ALLOWANCES[bucket.kind])),
    );
  }

  /** Lets whoever had to wait try again. */
  async forget(bucket: Bucket): Promise<void> {
    await this.#store.forget(this.#key(bucket));
  }

  /** People type all kinds of things where their name belongs, their password too: none of it can be read from this. */
  #key({ kind, subject }: Bucket): string {
    const whose = kind === 'account' || kind === 'login' ? canonical(subject) : subject;
    return createHmac('sha256', this.#secret).update(`${kind}\0${whose}`).digest('base64url');
  }
}

/** A key of its own for each purpose (RFC 5869), so that none says anything of another. */
export function derivedKey(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32));
}
