import type { SessionData, Store } from 'express-session';
import type { Transaction } from 'kysely';
import type { Change } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { EntryHolder, StatusEntry } from '../storage/status-entries.ts';

/** How somebody proved who they are (RFC 8176): by password, or not at all, through the development bypass. */
export type Amr = 'pwd' | 'bypass';

/**
 * A sign-in: what a session is about. Passport's serializer makes it once at login, and it stays as it is
 * until the session ends, but for `status`. Times are milliseconds since 1970.
 */
export interface SignIn {
  /** Names the session in tokens (`sid`), lists and commands; it opens nothing. */
  readonly publicId: string;
  readonly userId: string;
  readonly amr: Amr;
  readonly createdAt: number;
  /** The absolute end of the session. */
  readonly expiresAt: number;
  readonly address: string | null;
  readonly userAgent: string | null;
  /** The entry of a status list that its tokens carry: when the session is ended, so are they. May be renewed. */
  readonly status: StatusEntry;
}

declare module 'express-session' {
  interface SessionData {
    /** Where Passport keeps what its serializer answered. */
    passport?: { user?: SignIn };
  }
}

/** Whose sessions are meant: all of a user, or one by its public id. */
export type SessionOwner = { readonly userId: string } | { readonly publicId: string };

/** Gives away an entry for the tokens of a session, which end by then, in milliseconds since 1970. */
export type AllocateEntry = (end: number, holder: EntryHolder) => Promise<StatusEntry>;

/** What is written in the transaction that ends sessions, if there was one to be ended. */
export type EndingNote = (
  db: Transaction<Schema>,
  ended: readonly EntryHolder[],
) => Promise<unknown>;

/** A session in a list. */
export interface SessionSummary extends SignIn {
  readonly lastSeenAt: number;
  /** When it ends if it is not used again. */
  readonly idleExpiresAt: number;
}

/**
 * Where sessions are kept: express-session's `Store`, with promises that its documentation does not ask for.
 *
 * - The cookie's id is hashed at rest.
 * - `set` writes a session only if somebody is signed in with it, and none of `set`, `touch` and `markSeen` brings back
 *   a session that has been removed since it was read.
 * - `get` and `find` do not find a session past its idle or absolute end.
 * - `touch` and `markSeen` write at most once a minute, or in a tenth of an idle timeout that is short.
 * - Whatever ends a session before its time (`destroy`, `revoke`, `revokeOfUser`, `revokeByUser`, another sign-in under
 *   its id) revokes its tokens with it: both or neither, and for good when the promise resolves or the callback is called.
 * - A user has 100 sessions at most: a sign-in more ends the oldest.
 * - When the store is away every method fails with `StorageError`; none answers "no such session".
 */
export interface SessionStore extends Store {
  get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void;
  set(id: string, session: SessionData, callback?: (error?: unknown) => void): void;
  touch(id: string, session: SessionData, callback?: (error?: unknown) => void): void;
  destroy(id: string, callback?: (error?: unknown) => void): void;
  /** What is written with the session of a new sign-in: in one transaction where both are in the database, else right after. */
  noteWith(signIn: SignIn, note: Change): void;
  /**
   * Says what has to hold for a new sign-in to be kept. `set` asks in the transaction that keeps it, or before it goes
   * elsewhere; what is thrown then, `set` fails with. So whoever changes that by `revokeByUser` leaves no session behind:
   * either it is there already and ended, or it is not kept.
   */
  keepProvided(signIn: SignIn, condition: Change): void;
  /** The sign-in of a session that is alive, without what else `get` answers: what the exchange asks for. */
  find(id: string): Promise<SignIn | undefined>;
  /** Notes that a session that was found is in use. @returns nothing to wait for if that was noted a minute ago */
  markSeen(id: string, signIn: SignIn): Promise<void> | undefined;
  /** When a session ends if it is not used after this request, in milliseconds since 1970. */
  endIfUnused(signIn: SignIn): number;
  /** Sessions that are alive, newest first. @param userId of one user only */
  list(userId?: string): Promise<SessionSummary[]>;
  /** Ends the session of that public id. A request in flight cannot bring it back. @returns whether it existed. */
  revoke(publicId: string, note?: EndingNote): Promise<boolean>;
  /**
   * Ends the session of that public id if it is one of that user, in one step. @returns whether it was; not whether there
   * is one of somebody else
   */
  revokeOfUser(userId: string, publicId: string, note?: EndingNote): Promise<boolean>;
  /**
   * Ends all sessions of a user, but for the one of the public id `except`. A sign-in that is under way, and kept provided
   * that this has not happened, is not kept.
   * @param because the change that is the reason for it: both are done, or neither, as when it throws. It may run more
   *   than once, and touches nothing but the database.
   * @returns how many there were
   */
  revokeByUser(
    userId: string,
    except?: string,
    because?: Change,
    note?: EndingNote,
  ): Promise<number>;
  /**
   * Ends every session and revokes every token, also those that only a status list knows of, as after a restore from a
   * backup. Nobody should sign in meanwhile. @returns how many entries of status lists were revoked
   */
  revokeAll(): Promise<number>;
  /**
   * Revokes all tokens of sessions that go on: each gets a new entry before the old one is revoked. A session that ends
   * meanwhile stays ended. May be called again after a failure.
   *
   * @param because a change of the user that is the reason for it: both are done, or neither, as with `revokeByUser`. It
   *   keeps sign-ins that are kept provided something holds of that user from being kept meanwhile.
   * @returns how many sessions there were
   */
  renewStatus(owner: SessionOwner, allocate: AllocateEntry, because?: Change): Promise<number>;
}
