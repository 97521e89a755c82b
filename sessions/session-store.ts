import type { SessionData, Store } from 'express-session';

/** How somebody proved who they are (RFC 8176): by password, or not at all, through the development bypass. */
export type Amr = 'pwd' | 'bypass';

/**
 * A sign-in: what a session is about. Passport's serializer makes it once at login, and it stays as it is
 * until the session ends. Times are milliseconds since 1970.
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
}

declare module 'express-session' {
  interface SessionData {
    /** Where Passport keeps what its serializer answered. */
    passport?: { user?: SignIn };
  }
}

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
 * - `touch` and `markSeen` write at most once a minute.
 * - When the store is away every method fails with `StorageError`; none answers "no such session".
 */
export interface SessionStore extends Store {
  get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void;
  set(id: string, session: SessionData, callback?: (error?: unknown) => void): void;
  touch(id: string, session: SessionData, callback?: (error?: unknown) => void): void;
  destroy(id: string, callback?: (error?: unknown) => void): void;
  /** The sign-in of a session that is alive, without what else `get` answers: what the exchange asks for. */
  find(id: string): Promise<SignIn | undefined>;
  /** Notes that a session that was found is in use. @returns nothing to wait for if that was noted a minute ago */
  markSeen(id: string, signIn: SignIn): Promise<void> | undefined;
  /** When a session ends if it is not used after this request, in milliseconds since 1970. */
  endIfUnused(signIn: SignIn): number;
  /** Sessions that are alive, newest first. @param userId of one user only */
  list(userId?: string): Promise<SessionSummary[]>;
  /** Ends the session of that public id. A request in flight cannot bring it back. @returns whether it existed. */
  revoke(publicId: string): Promise<boolean>;
  /** Ends all sessions of a user, but for the one of the public id `except`. @returns how many there were. */
  revokeByUser(userId: string, except?: string): Promise<number>;
}
