import type { Kysely } from 'kysely';
import { canonical } from '../core/text.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import { rowOf, userOf } from './sql-user-store.ts';
import type { NewUser, User } from './user-store.ts';

/** What became of a user: `exists` means that somebody of that name and e-mail address was there before. */
export type ImportOutcome = 'imported' | 'exists' | { readonly refused: string };

export interface ImportOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Adds nobody, and says what would become of them. */
  readonly dryRun: boolean;
  /** What is written in the transaction of those that were added. */
  readonly note?: (db: Kysely<Schema>, added: readonly User[]) => Promise<unknown>;
}

/**
 * Adds users: all that can be or, if it fails, none. Nobody who exists is changed.
 *
 * @param users with names that have been looked at, each name and e-mail address once
 * @returns what became of each
 */
export async function importUsers(
  database: Database,
  users: readonly NewUser[],
  { now, dryRun, note }: ImportOptions,
): Promise<(user: NewUser) => ImportOutcome> {
  if (users.length === 0) return () => 'imported';
  if (dryRun) {
    const inTheWay = await lookUp(database.kysely, users);
    return (user) => inTheWay(user) ?? 'imported';
  }
  return database.transaction(async (db) => {
    const added = await insert(db, users, now);
    if (added.length > 0) await note?.(db, added);
    if (added.length === users.length) return () => 'imported';
    const inTheWay = await lookUp(db, users);
    const names = new Set(added.map(({ username }) => canonical(username)));
    return (user) =>
      names.has(canonical(user.username))
        ? 'imported'
        : (inTheWay(user) ?? {
            refused: 'Who was in the way has just been removed: run it again.',
          });
  });
}

/** @returns those that were added */
async function insert(
  db: Kysely<Schema>,
  users: readonly NewUser[],
  now: number,
): Promise<readonly User[]> {
  const rows = users.map((user) => rowOf(user, now));
  const inserted = await db
    .insertInto('users')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute();
  const ids = new Set(inserted.map(({ id }) => id));
  return rows.filter(({ id }) => ids.has(id)).map(userOf);
}

/** Looks who is there already. @returns why that is in the way of a user, or `undefined` */
async function lookUp(
  db: Kysely<Schema>,
  users: readonly NewUser[],
): Promise<(user: NewUser) => ImportOutcome | undefined> {
  const names = users.map(({ username }) => canonical(username));
  const there = await db
    .selectFrom('users')
    .select(['username_canonical', 'email_canonical'])
    .where((where) =>
      where.or([
        where('username_canonical', 'in', names),
        where('email_canonical', 'in', users.map(address)),
      ]),
    )
    .execute();
  const addresses = new Map(there.map((row) => [row.username_canonical, row.email_canonical]));
  const taken = new Set(there.map((row) => row.email_canonical));
  return (user) => {
    const own = address(user);
    const other = addresses.get(canonical(user.username));
    if (other === undefined) {
      if (own === null || !taken.has(own)) return undefined;
      return { refused: 'Another user has that e-mail address.' };
    }
    if (other === own) return 'exists';
    return { refused: 'There is a user of that name with another e-mail address, or none.' };
  };
}

function address({ email }: NewUser): string | null {
  return email === undefined ? null : canonical(email);
}
