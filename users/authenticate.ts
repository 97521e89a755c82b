import type { Transaction } from 'kysely';
import type { Schema } from '../storage/schema.ts';
import type { Line, PasswordHasher } from './password.ts';
import type { User, UserStore } from './user-store.ts';

/** Somebody who knew the password a moment ago. */
export interface Authenticated {
  readonly user: User;
  /** The hash of that password. */
  readonly passwordHash: string;
  /**
   * Whether the user may sign in and that password is theirs still, and their sessions were not ended meanwhile: whoever
   * signs out everywhere means this one too. See `UserStore.holdActive`.
   */
  readonly stillHolds: (db: Transaction<Schema>) => Promise<boolean>;
}

/** Somebody who may not sign in. For the log, and for whoever looks after it: the caller gets to know none of it. */
export interface Unauthenticated {
  readonly user: undefined;
  /** Whose name it was, if it is somebody's. */
  readonly userId: string | undefined;
  readonly reason: 'unknown name' | 'wrong password' | 'disabled';
}

/**
 * The user whose login and password these are. Unknown, wrong and disabled take one way and one time. A right password
 * whose hash is from elsewhere gets one of today's kind.
 * @param login username or e-mail address
 * @param line in which to wait
 */
export async function authenticate(
  users: UserStore,
  passwords: PasswordHasher,
  { login, password, line }: { login: string; password: string; line: Line },
): Promise<Authenticated | Unauthenticated> {
  return authenticateSince(undefined, users, passwords, { login, password, line });
}

/** @param since how many sign-outs there had been when the user was looked at first, if that was before */
async function authenticateSince(
  since: number | undefined,
  ...[users, passwords, { login, password, line }]: Parameters<typeof authenticate>
): ReturnType<typeof authenticate> {
  const found = await users.findLogin(login);
  const matches = await passwords.matches(found?.passwordHash ?? null, password, line);
  if (found === undefined) return { user: undefined, userId: undefined, reason: 'unknown name' };
  const { user, passwordHash } = found;
  const signOuts = since ?? found.signOuts;
  if (user.disabled) return { user: undefined, userId: user.id, reason: 'disabled' };
  if (!matches || passwordHash === null) {
    return { user: undefined, userId: user.id, reason: 'wrong password' };
  }
  const renewed = await passwords.renewed(passwordHash, password);
  if (renewed !== undefined && !(await users.replacePassword(user.id, passwordHash, renewed))) {
    // Somebody was faster: another login of theirs, or one who changed the password.
    return authenticateSince(signOuts, users, passwords, { login, password, line });
  }
  const current = renewed ?? passwordHash;
  return {
    user,
    passwordHash: current,
    stillHolds: (db) => users.holdActive(user.id, db, { passwordHash: current, signOuts }),
  };
}
