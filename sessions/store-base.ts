import { hash } from 'node:crypto';
import { type SessionData, Store } from 'express-session';
import type { Clock } from '../core/clock.ts';
import type { Change } from '../storage/database.ts';
import { endOf, lastSeenInterval, type SessionLifetime } from './lifetime.ts';
import type { EndingNote, SessionSummary, SignIn } from './session-store.ts';

/** When a session was in use last, and when it ends if it is not used again. Milliseconds since 1970. */
export interface Seen {
  readonly lastSeenAt: number;
  readonly idleExpiresAt: number;
}

/** What an engine knows of a session. */
export interface Found extends Seen {
  readonly signIn: SignIn;
}

/** A session with what else is kept in it, as JSON. */
export interface FoundWhole extends Found {
  readonly data: string;
}

/**
 * So many sessions a user has at most, more than anybody has devices. A program that signs in for each of its calls would
 * otherwise pile up what every list of them, and whatever ends them, takes longer and longer for.
 */
const MOST_OF_A_USER = 100;

/**
 * What session stores have in common, whatever the engine: express-session's callbacks, when a session ends by itself,
 * and which sessions may only be updated.
 */
export abstract class SessionStoreBase extends Store {
  protected readonly clock: Clock;
  readonly #lifetime: SessionLifetime;
  readonly #lastSeenInterval: number;
  /**
   * When the session of a sign-in that came out of the store was last seen. A sign-in that is in here is kept, or was
   * until it was removed: it may only be updated. Any other is new and may be inserted.
   */
  readonly #stored = new WeakMap<SignIn, number>();
  readonly #notes = new WeakMap<SignIn, Change>();
  readonly #conditions = new WeakMap<SignIn, Change>();

  constructor(clock: Clock, lifetime: SessionLifetime) {
    super();
    this.clock = clock;
    this.#lifetime = lifetime;
    this.#lastSeenInterval = lastSeenInterval(lifetime);
  }

  /** The session of that id, whether it has come to its end by itself or not. */
  protected abstract lookUp(id: string): Promise<Found | undefined>;
  protected abstract lookUpWhole(id: string): Promise<FoundWhole | undefined>;
  /** Keeps a new sign-in. One that is there under the same id is ended. */
  protected abstract insert(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void>;
  /** Changes a session, if it is still there. */
  protected abstract update(id: string, signIn: SignIn, data: string, seen: Seen): Promise<void>;
  protected abstract writeSeen(id: string, signIn: SignIn, seen: Seen): Promise<void>;
  /** Ends the session of that id, if there is one. */
  protected abstract end(id: string): Promise<unknown>;
  abstract list(userId?: string): Promise<SessionSummary[]>;
  abstract revoke(publicId: string, note?: EndingNote): Promise<boolean>;

  override get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    this.#read(id).then(
      (session) => callback(null, session),
      (error: unknown) => callback(error),
    );
  }

  async #read(id: string): Promise<SessionData | null> {
    const found = await this.lookUpWhole(id);
    if (found === undefined || !this.#isAlive(found)) return null;
    const session: unknown = JSON.parse(found.data);
    if (!isSessionData(session)) throw new TypeError('a session in the store is damaged');
    session.passport = { user: found.signIn };
    return session;
  }

  keepProvided(signIn: SignIn, condition: Change): void {
    this.#conditions.set(signIn, condition);
  }

  /** What has to hold for a sign-in that is to be inserted. */
  protected conditionOf(signIn: SignIn): Change | undefined {
    return this.#conditions.get(signIn);
  }

  async find(id: string): Promise<SignIn | undefined> {
    const found = await this.lookUp(id);
    return found && this.#isAlive(found) ? found.signIn : undefined;
  }

  /** Whether a session has not come to its end. Its sign-in is remembered as one that is stored. */
  #isAlive(found: Found): boolean {
    if (this.isOver(found)) return false;
    this.#stored.set(found.signIn, found.lastSeenAt);
    return true;
  }

  /** Whether a session has come to its end by itself. */
  protected isOver({ signIn, idleExpiresAt }: Found): boolean {
    const now = this.clock.now();
    return now >= idleExpiresAt || now >= signIn.expiresAt;
  }

  noteWith(signIn: SignIn, note: Change): void {
    this.#notes.set(signIn, note);
  }

  /** What is to be written with a new sign-in. */
  protected noteOf(signIn: SignIn): Change | undefined {
    return this.#notes.get(signIn);
  }

  override set(id: string, session: SessionData, callback?: (error?: unknown) => void): void {
    settle(this.#write(id, session), callback);
  }

  async #write(id: string, { passport, ...rest }: SessionData): Promise<void> {
    const signIn = passport?.user;
    if (signIn === undefined) return; // nobody is signed in: nothing to keep
    const now = this.clock.now();
    const data = JSON.stringify(rest);
    if (this.#stored.has(signIn)) {
      await this.update(id, signIn, data, this.#seen(signIn, now));
    } else {
      await this.#makeRoom(signIn);
      await this.insert(id, signIn, data, this.#seen(signIn, now));
    }
    this.#stored.set(signIn, now);
  }

  /** Newest first come those that may stay beside the one that is to be kept. */
  async #makeRoom({ userId, publicId }: SignIn): Promise<void> {
    const others = (await this.list(userId)).filter((one) => one.publicId !== publicId);
    for (const oldest of others.slice(MOST_OF_A_USER - 1)) await this.revoke(oldest.publicId);
  }

  /** express-session calls this at the end of every request that changed nothing. */
  override touch(id: string, session: SessionData, callback?: (error?: unknown) => void): void {
    const signIn = session.passport?.user;
    const writing = signIn && this.markSeen(id, signIn);
    if (writing === undefined) callback?.();
    else settle(writing, callback);
  }

  markSeen(id: string, signIn: SignIn): Promise<void> | undefined {
    const now = this.clock.now();
    if (this.#seenLately(signIn, now) !== undefined) return undefined;
    this.#stored.set(signIn, now);
    return this.writeSeen(id, signIn, this.#seen(signIn, now));
  }

  endIfUnused(signIn: SignIn): number {
    const now = this.clock.now();
    return this.#seen(signIn, this.#seenLately(signIn, now) ?? now).idleExpiresAt;
  }

  /** When the session was last seen, if that is less than a minute ago: this request is not noted then. */
  #seenLately(signIn: SignIn, now: number): number | undefined {
    const before = this.#stored.get(signIn);
    return before !== undefined && now - before < this.#lastSeenInterval ? before : undefined;
  }

  #seen(signIn: SignIn, now: number): Seen {
    const { idleExpiresAt } = endOf(this.#lifetime, signIn.createdAt, now);
    return { lastSeenAt: now, idleExpiresAt: Math.min(idleExpiresAt, signIn.expiresAt) };
  }

  override destroy(id: string, callback?: (error?: unknown) => void): void {
    settle(this.end(id), callback);
  }
}

/** What stands for a cookie's id at rest: a copy of the store opens no session. */
export function idHash(id: string): string {
  return hash('sha256', id, 'base64url');
}

/** Hands the outcome to express-session's kind of callback. */
function settle(work: Promise<unknown>, callback?: (error?: unknown) => void): void {
  work.then(
    () => callback?.(),
    (error: unknown) => callback?.(error),
  );
}

function isSessionData(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && 'cookie' in value;
}
