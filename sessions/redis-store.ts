import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { Change, Database } from '../storage/database.ts';
import type { RedisConnection } from '../storage/redis-connection.ts';
import { withSignOut } from '../storage/sign-outs.ts';
import type { StatusEntry } from '../storage/status-entries.ts';
import type { SessionLifetime } from './lifetime.ts';
import { type Kept, RedisSessions } from './redis-sessions.ts';
import { SessionsBegan } from './renewals.ts';
import { NOBODY, SessionEntries, type WhichEntries } from './session-entries.ts';
import type {
  AllocateEntry,
  EndingNote,
  SessionOwner,
  SessionStore,
  SessionSummary,
  SignIn,
} from './session-store.ts';
import { type Found, type FoundWhole, idHash, type Seen, SessionStoreBase } from './store-base.ts';

/** What the store is made of. */
export interface RedisSessionParts {
  readonly redis: RedisConnection;
  readonly database: Database;
  readonly clock: Clock;
  readonly lifetime: SessionLifetime;
  readonly log: Logger;
}

/**
 * Sessions in Redis or Valkey, which end in the database: a session is alive if Redis has it and its status entry is not
 * revoked. Whatever Redis loses, or brings back from an old snapshot, a session that was ended stays ended.
 */
export class RedisSessionStore extends SessionStoreBase implements SessionStore {
  readonly #kept: RedisSessions;
  readonly #entries: SessionEntries;
  readonly #database: Database;
  readonly #log: Logger;

  constructor({ redis, database, clock, lifetime, log }: RedisSessionParts) {
    super(clock, lifetime);
    this.#kept = new RedisSessions(redis);
    this.#entries = new SessionEntries(database, clock);
    this.#database = database;
    this.#log = log;
  }

  protected async lookUp(id: string): Promise<Found | undefined> {
    return this.#unlessEnded(await this.#kept.find(idHash(id)));
  }

  protected async lookUpWhole(id: string): Promise<FoundWhole | undefined> {
    return this.#unlessEnded(await this.#kept.findWhole(idHash(id)));
  }

  async #unlessEnded<T extends Found>(found: T | undefined): Promise<T | undefined> {
    if (found === undefined || (await this.#entries.isGood(found.signIn.status))) return found;
    const status = await this.#entries.entryOf(found.signIn.publicId); // it may have been renewed
    return status && { ...found, signIn: { ...found.signIn, status } };
  }

  /** A sign-in that may not have been kept is ended: nobody gets to know the id of its session. */
  protected async insert(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void> {
    try {
      await this.#insert(id, signIn, data, seen);
      const note = this.noteOf(signIn);
      if (note) await this.#database.transaction(note);
    } catch (error) {
      await this.#entries
        .end((eb) => eb('session_id', '=', signIn.publicId))
        .catch((cause: unknown) => {
          this.#log.warn({ err: cause }, 'A session that nobody was told of may be left.');
        });
      throw error;
    }
  }

  async #insert(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void> {
    const hash = idHash(id);
    const condition = this.conditionOf(signIn);
    if (condition) await this.#database.transaction(condition); // its entry is there: whoever ends the session from now on finds it
    for (let replaced = ''; ;) {
      const now = this.clock.now();
      const there = await this.#kept.insert(hash, signIn, data, { seen, now, replaced });
      if (there === undefined) return;
      if (there === signIn.publicId) return this.update(id, signIn, data, seen);
      await this.#entries.end((eb) => eb('session_id', '=', there)); // before the new one begins
      replaced = there;
    }
  }

  protected update(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void> {
    return this.#kept.update(idHash(id), signIn, data, seen, this.clock.now());
  }

  protected writeSeen(id: string, signIn: SignIn, seen: Seen): Promise<void> {
    return this.#kept.markSeen(idHash(id), signIn, seen, this.clock.now());
  }

  async list(userId?: string): Promise<SessionSummary[]> {
    const sessions = new Map<string, SessionSummary>();
    const pages =
      userId === undefined ? this.#kept.all() : [await this.#kept.ofUser(userId, this.clock.now())];
    for await (const page of pages) {
      for (const { signIn, lastSeenAt, idleExpiresAt } of await this.#alive(page)) {
        sessions.set(signIn.publicId, { ...signIn, lastSeenAt, idleExpiresAt });
      }
    }
    return [...sessions.values()].toSorted(
      (a, b) => b.createdAt - a.createdAt || (a.publicId < b.publicId ? -1 : 1),
    );
  }

  async #alive(page: readonly Found[]): Promise<Found[]> {
    const found = await Promise.all(page.map((session) => this.#unlessEnded(session)));
    return found.filter((session) => session !== undefined).filter((one) => !this.isOver(one));
  }

  protected async end(id: string): Promise<void> {
    const found = await this.#kept.find(idHash(id));
    if (found) await this.#end((eb) => eb('session_id', '=', found.signIn.publicId));
  }

  async revoke(publicId: string, note?: EndingNote): Promise<boolean> {
    return (await this.#end((eb) => eb('session_id', '=', publicId), undefined, note)) > 0;
  }

  async revokeOfUser(userId: string, publicId: string, note?: EndingNote): Promise<boolean> {
    const ended = await this.#end(
      (eb) => eb.and([eb('session_id', '=', publicId), eb('user_id', '=', userId)]),
      undefined,
      note,
    );
    return ended > 0;
  }

  revokeByUser(userId: string, except = '', because?: Change, note?: EndingNote): Promise<number> {
    return this.#end(
      (eb) => eb.and([eb('user_id', '=', userId), eb('session_id', '!=', except)]),
      withSignOut(userId, because),
      note,
    );
  }

  /** What Redis still has is none any more, and goes when its time is over. */
  revokeAll(): Promise<number> {
    return this.#entries.endAll();
  }

  /** Once the database has it, the sessions have ended; Redis is only tidied up. @returns how many */
  async #end(which: WhichEntries, because?: Change, note?: EndingNote): Promise<number> {
    const ended = await this.#entries.end(which, because, note);
    try {
      for (const [userId, holders] of Map.groupBy(ended, (holder) => holder.userId)) {
        const ids = new Set(holders.map(({ sessionId }) => sessionId));
        const kept = await this.#kept.ofUser(userId, this.clock.now());
        const left = kept.filter(({ signIn }) => ids.has(signIn.publicId));
        await this.#kept.remove(userId, left);
      }
    } catch (error) {
      this.#log.warn(
        { err: error },
        'Sessions that were ended are left in Redis until they expire.',
      );
    }
    return ended.length;
  }

  /** Once the database has it, the sessions have their new entries; Redis is only told. */
  async renewStatus(
    owner: SessionOwner,
    allocate: AllocateEntry,
    because?: Change,
  ): Promise<number> {
    const ready = new Map<string, StatusEntry | undefined>();
    const kept = new Map<string, Kept>();
    for (;;) {
      await this.#makeReady(owner, allocate, ready, kept);
      try {
        const renewed = await this.#entries.renew(owner, ready, because);
        await this.#tell(renewed, ready, kept);
        return renewed.length;
      } catch (error) {
        if (!(error instanceof SessionsBegan)) throw error;
      }
    }
  }

  /** Has an entry given away for each session. One that Redis does not have any more is to have none. */
  async #makeReady(
    owner: SessionOwner,
    allocate: AllocateEntry,
    ready: Map<string, StatusEntry | undefined>,
    kept: Map<string, Kept>,
  ): Promise<void> {
    const held = (await this.#entries.heldBy(owner)).filter(
      ({ sessionId }) => !ready.has(sessionId),
    );
    const [first] = held;
    if (first === undefined) return;
    for (const session of await this.#kept.ofUser(first.userId, this.clock.now())) {
      if (!this.isOver(session)) kept.set(session.signIn.publicId, session);
    }
    for (const { sessionId } of held) {
      const session = kept.get(sessionId);
      ready.set(sessionId, session && (await allocate(session.signIn.expiresAt, NOBODY)));
    }
  }

  async #tell(
    renewed: readonly string[],
    ready: ReadonlyMap<string, StatusEntry | undefined>,
    kept: ReadonlyMap<string, Kept>,
  ): Promise<void> {
    try {
      for (const sessionId of renewed) {
        const [session, entry] = [kept.get(sessionId), ready.get(sessionId)];
        if (session && entry) await this.#kept.renew(session, entry);
      }
    } catch (error) {
      this.#log.warn(
        { err: error },
        'Redis has old entries of sessions: it is read twice for them.',
      );
    }
  }
}
