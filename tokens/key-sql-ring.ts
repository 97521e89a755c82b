import type { JsonWebKey } from 'node:crypto';
import { type TrustedKey, UnavailableError } from '#verify';
import { isoTime } from '../core/clock.ts';
import { StorageError } from '../core/errors.ts';
import type { Algorithm } from './algorithms.ts';
import type { KeyContext } from './key-context.ts';
import { isOfNoUse } from './key-holder.ts';
import type { KeyRing, SigningKey } from './key-ring.ts';
import { goneFrom, retiresAt, signerAt, SKEW, trustedAt } from './key-schedule.ts';
import type { KeyRow } from './key-store.ts';

/** For how long what was read is taken for the present, in milliseconds; for a key that is not known yet, a shorter time. */
const FRESH = 5000;
const FRESH_FOR_STRANGERS = 1000;

/** How long after a failure the database is asked again, in milliseconds. */
const PAUSE = 1000;

/**
 * How old knowledge may be that is signed with, or told, in milliseconds. Below `SKEW`, by which tokens of a secret
 * outlive its last signature, and far below what is left of a key's wait when it can no longer be withdrawn.
 */
const TRUSTWORTHY = 45_000;

interface Known {
  /** Nothing for a shared secret that this process does not have. */
  readonly trusted: TrustedKey | undefined;
  readonly goneFrom: number;
}

interface Snapshot {
  readonly rows: readonly KeyRow[];
  readonly keys: ReadonlyMap<string, Known>;
  readonly readAt: number;
}

/** The ring of the keys in the database, as this process knows them. */
export class SqlKeyRing implements KeyRing {
  readonly #context: KeyContext;
  readonly #complained = new Set<string>();
  #snapshot: Snapshot = { rows: [], keys: new Map(), readAt: -Infinity };
  #reading: Promise<void> | undefined;
  #failedAt: number | undefined;
  #begun = 0;
  #adopted = 0;
  #signs = false;
  /** The signer, and how long it is the one: looked up at every exchange. */
  #signer: { key: SigningKey; from: number; until: number } | undefined;

  constructor(context: KeyContext) {
    this.#context = context;
  }

  /** What was read last. */
  get rows(): readonly KeyRow[] {
    return this.#snapshot.rows;
  }

  /**
   * Reads the keys now. A process that is going to sign says so, and first notes with every key how long its tokens last.
   * @throws {StorageError} when they cannot be read
   */
  async read(signs = this.#signs): Promise<void> {
    const { store, clock } = this.#context;
    const turn = (this.#begun += 1);
    const readAt = clock.now(); // whatever is written from here on may not be in it
    const stored = await store.all();
    const rows = signs ? await this.#withLongestToken(stored, readAt) : stored;
    if (turn < this.#adopted) return; // one that began later was faster
    this.#adopted = turn;
    this.#signs ||= signs;
    this.#snapshot = { rows, keys: this.#known(rows), readAt };
    this.#failedAt = undefined;
    this.#signer = undefined;
    if (signs) this.#prepare(rows, readAt);
  }

  refresh(fresh = FRESH): Promise<void> | undefined {
    const now = this.#context.clock.now();
    if (Math.abs(now - this.#snapshot.readAt) <= fresh) return undefined;
    if (this.#failedAt !== undefined && Math.abs(now - this.#failedAt) <= PAUSE) return undefined;
    this.#reading ??= this.#readOrKeep();
    return this.#reading;
  }

  /** Resolves when nothing is being read any more. */
  async idle(): Promise<void> {
    await this.#reading;
  }

  async #readOrKeep(): Promise<void> {
    try {
      await this.read();
    } catch (error) {
      this.#failedAt = this.#context.clock.now();
      this.#context.log.error(
        { err: error },
        'the signing keys cannot be read: keeping those known',
      );
    } finally {
      this.#reading = undefined;
    }
  }

  signing(): SigningKey {
    const now = this.#context.clock.now();
    this.#refuseOutdated(now);
    if (this.#signer !== undefined && now >= this.#signer.from && now < this.#signer.until) {
      return this.#signer.key;
    }
    const { rows } = this.#snapshot;
    const row = this.#signs ? signerAt(rows, now) : undefined;
    if (row === undefined) throw new StorageError('There is no key to sign with.');
    const key = this.#usable(row);
    const changes = rows.flatMap((one) => [one.signsFrom, goneFrom(rows, one)]);
    const until = Math.min(Infinity, ...changes.filter((time) => time > now));
    this.#signer = { key, from: now, until };
    return key;
  }

  find(kid: string): TrustedKey | undefined | Promise<TrustedKey | undefined> {
    if (this.#snapshot.keys.has(kid)) return this.#trusted(kid);
    const reading = this.refresh(FRESH_FOR_STRANGERS); // another process may have made it a moment ago
    return reading === undefined ? this.#trusted(kid) : reading.then(() => this.#trusted(kid));
  }

  publicKeys(): readonly JsonWebKey[] {
    const { rows, keys } = this.#snapshot;
    const now = this.#context.clock.now();
    this.#refuseOutdated(now);
    return trustedAt(rows, now).flatMap(({ kid, algorithm, publicJwk }) =>
      publicJwk === null || keys.get(kid)?.trusted === undefined
        ? []
        : [{ ...publicJwk, kid, alg: algorithm, use: 'sig' }],
    );
  }

  algorithms(): readonly Algorithm[] {
    const { rows } = this.#snapshot;
    const now = this.#context.clock.now();
    this.#refuseOutdated(now);
    const trusted = trustedAt(rows, now);
    const unlisted = this.#context.shared.unlisted(rows);
    return [...new Set([...trusted, ...unlisted].map(({ algorithm }) => algorithm))];
  }

  #refuseOutdated(now: number): void {
    if (!this.#isOutdated(now)) return;
    throw new StorageError(
      `The signing keys were last read at ${isoTime(Math.max(0, this.#snapshot.readAt))}: another one may sign by now.`,
    );
  }

  #isOutdated(now: number): boolean {
    return Math.abs(now - this.#snapshot.readAt) > TRUSTWORTHY;
  }

  #trusted(kid: string): TrustedKey | undefined {
    const now = this.#context.clock.now();
    const known = this.#snapshot.keys.get(kid);
    if (known === undefined) {
      if (!this.#isOutdated(now)) return undefined;
      throw new UnavailableError('The signing keys could not be read for a while.');
    }
    if (known.goneFrom <= now) return undefined;
    if (known.trusted === undefined && this.#signs) {
      throw new UnavailableError(`This process does not have the signing key ${kid}.`);
    }
    return known.trusted;
  }

  /** Before this process signs with a key, the table says how long its tokens last: so long the key is kept. */
  async #withLongestToken(rows: readonly KeyRow[], now: number): Promise<KeyRow[]> {
    const { store, longestToken } = this.#context;
    const raised = trustedAt(rows, now).filter(
      (row) => row.longestToken < longestToken && retiresAt(rows, row) + SKEW > now,
    );
    if (raised.length > 0) await store.raiseLongestToken(raised, longestToken);
    return rows.map((row) => (raised.includes(row) ? { ...row, longestToken } : row));
  }

  #known(rows: readonly KeyRow[]): Map<string, Known> {
    const keys = new Map<string, Known>();
    for (const trusted of this.#context.shared.unlisted(rows)) {
      keys.set(trusted.kid, { trusted, goneFrom: Infinity });
    }
    for (const row of rows) {
      // a shared secret that signed twice has two rows, and is good as long as one of them is
      const own = row.goneAt === null ? goneFrom(rows, row) : -Infinity;
      const gone = Math.max(own, keys.get(row.kid)?.goneFrom ?? -Infinity);
      keys.set(row.kid, { trusted: this.#orNothing(row), goneFrom: gone });
    }
    return keys;
  }

  /** What verifies, or nothing where a row is damaged: one key less is better than none. */
  #orNothing(row: KeyRow): TrustedKey | undefined {
    try {
      return this.#context.holder.verifying(row);
    } catch (error) {
      this.#complain(row, error);
      return undefined;
    }
  }

  /** Makes ready what signs or is going to, and says in time what cannot. */
  #prepare(rows: readonly KeyRow[], now: number): void {
    for (const row of trustedAt(rows, now)) {
      if (retiresAt(rows, row) <= now) continue;
      try {
        this.#context.holder.signing(row);
      } catch (error) {
        this.#complain(row, error);
      }
    }
  }

  #usable(row: KeyRow): SigningKey {
    try {
      return this.#context.holder.signing(row);
    } catch (error) {
      this.#complain(row, error);
      throw new StorageError(`The signing key ${row.kid} cannot be used here.`, { cause: error });
    }
  }

  /** Once for each key: the ring is read every few seconds. */
  #complain({ kid }: KeyRow, error: unknown): void {
    if (!isOfNoUse(error)) throw error;
    if (this.#complained.has(kid)) return;
    this.#complained.add(kid);
    this.#context.log.error({ err: error, kid }, 'a signing key cannot be used here');
  }
}
