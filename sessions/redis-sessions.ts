import type { RedisConnection, RedisScript } from '../storage/redis-connection.ts';
import type { StatusEntry } from '../storage/status-entries.ts';
import {
  ALL_FIELDS,
  FIELDS,
  foundIn,
  foundWholeIn,
  recordOf,
  seenRecord,
  statusText,
} from './redis-record.ts';
import { INSERT, MARK_SEEN, REMOVE, RENEW, UPDATE } from './redis-scripts.ts';
import type { SignIn } from './session-store.ts';
import type { Found, FoundWhole, Seen } from './store-base.ts';

/** How much longer than needed Redis keeps what it may forget, in milliseconds: when a session ends, our clock says. */
const SPARE = 60_000;

/** A session that Redis has, and under what. */
export interface Kept extends Found {
  readonly idHash: string;
}

/**
 * What Redis has of sessions: a hash for each, under the hash of its id, and for each user a sorted set that leads to
 * theirs. All of it may be lost, and none of it says that a session is alive.
 */
export class RedisSessions {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async find(idHash: string): Promise<Found | undefined> {
    return foundIn(await this.#fields(idHash, FIELDS));
  }

  async findWhole(idHash: string): Promise<FoundWhole | undefined> {
    return foundWholeIn(await this.#fields(idHash, ALL_FIELDS));
  }

  #fields(idHash: string, names: string[]): Promise<(string | null)[]> {
    return this.#redis.run((client) => client.hmGet(this.#sessionKey(idHash), names));
  }

  /**
   * Keeps a new session.
   * @param replaced the public id of the session that it may take the place of
   * @returns the public id of another that is in its place; nothing is kept then
   */
  async insert(
    idHash: string,
    signIn: SignIn,
    data: string,
    { seen, now, replaced }: { seen: Seen; now: number; replaced: string },
  ): Promise<string | undefined> {
    const { userId, expiresAt } = signIn;
    const there = await this.#redis.script(
      INSERT,
      [this.#sessionKey(idHash), this.#userKey(userId)],
      [
        replaced,
        untilEnd(seen, now),
        idHash,
        expiresAt,
        now,
        ...recordOf(signIn),
        ...seenRecord(seen),
        'data',
        data,
      ],
    );
    return typeof there === 'string' ? there : undefined;
  }

  async update(idHash: string, signIn: SignIn, data: string, seen: Seen, now: number) {
    await this.#change(UPDATE, idHash, signIn, [
      untilEnd(seen, now),
      ...seenRecord(seen),
      'data',
      data,
    ]);
  }

  async markSeen(idHash: string, signIn: SignIn, seen: Seen, now: number): Promise<void> {
    await this.#change(MARK_SEEN, idHash, signIn, [untilEnd(seen, now), ...seenRecord(seen)]);
  }

  async #change(
    script: RedisScript,
    idHash: string,
    { publicId }: SignIn,
    rest: readonly (string | number)[],
  ): Promise<void> {
    await this.#redis.script(script, [this.#sessionKey(idHash)], [publicId, ...rest]);
  }

  /** Gives a session another entry. @returns whether it was there, with the old one */
  async renew({ idHash, signIn }: Kept, renewed: StatusEntry): Promise<boolean> {
    const texts = [signIn.publicId, statusText(signIn.status), statusText(renewed)];
    return (await this.#redis.script(RENEW, [this.#sessionKey(idHash)], texts)) === 1;
  }

  /** Removes sessions of a user. */
  async remove(userId: string, sessions: readonly Kept[]): Promise<void> {
    if (sessions.length === 0) return;
    const keys = sessions.map(({ idHash }) => this.#sessionKey(idHash));
    const parameters = sessions.flatMap(({ idHash, signIn }) => [idHash, signIn.publicId]);
    await this.#redis.script(REMOVE, [this.#userKey(userId), ...keys], parameters);
  }

  async ofUser(userId: string, now: number): Promise<Kept[]> {
    const key = this.#userKey(userId);
    const hashes = await this.#redis.run((client) =>
      client.zRange(key, `(${now}`, '+inf', { BY: 'SCORE' }),
    );
    return (await this.#findAll(hashes)).filter(({ signIn }) => signIn.userId === userId);
  }

  /** Looks through everything, page by page. A session may come twice. */
  async *all(): AsyncGenerator<Kept[]> {
    const options = { MATCH: this.#sessionKey('*'), COUNT: 500 };
    const start = this.#sessionKey('').length;
    let cursor = '0';
    do {
      const page = await this.#redis.run((client) => client.scan(cursor, options));
      yield this.#findAll(page.keys.map((key) => key.slice(start)));
      ({ cursor } = page);
    } while (cursor !== '0');
  }

  async #findAll(hashes: readonly string[]): Promise<Kept[]> {
    const found = await Promise.all(
      hashes.map(async (idHash) => {
        const session = await this.find(idHash);
        return session && { ...session, idHash };
      }),
    );
    return found.filter((session) => session !== undefined);
  }

  #sessionKey(idHash: string): string {
    return `${this.#redis.prefix}session:${idHash}`;
  }

  #userKey(userId: string): string {
    return `${this.#redis.prefix}user:${userId}`;
  }
}

/** How long Redis keeps a session, in milliseconds. */
function untilEnd({ idleExpiresAt }: Seen, now: number): number {
  return Math.max(0, idleExpiresAt - now) + SPARE;
}
