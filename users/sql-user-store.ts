import { randomUUID } from 'node:crypto';
import type { Kysely, Selectable, Transaction, Updateable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import { canonical } from '../core/text.ts';
import type { Database } from '../storage/database.ts';
import { isDuplicate } from '../storage/duplicates.ts';
import type { Schema, UsersTable } from '../storage/schema.ts';
import {
  emailTaken,
  type NewUser,
  refuseBadEmail,
  refuseBadNames,
  refuseBadRoles,
  type User,
  type UserStore,
} from './user-store.ts';

const COLUMNS = [
  'id',
  'username',
  'email',
  'name',
  'password_hash',
  'roles',
  'disabled_at',
  'sign_outs',
  'created_at',
] as const satisfies readonly (keyof UsersTable)[];

type UserRow = Pick<Selectable<UsersTable>, (typeof COLUMNS)[number]>;

/** Users in the SQL database. */
export function sqlUserStore(database: Database, clock: Clock): UserStore {
  const db = database.kysely;
  const users = db.selectFrom('users').select(COLUMNS);
  const rowById = database.prepareFirst(users.where('id', '=', '').compile());

  async function change(
    id: string,
    values: Updateable<UsersTable>,
    inside: Kysely<Schema> = db,
  ): Promise<boolean> {
    const { numUpdatedRows } = await inside
      .updateTable('users')
      .set({ ...values, updated_at: clock.now() })
      .where('id', '=', id)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  return {
    async add(newUser, note) {
      refuseBadNames(newUser);
      const row = rowOf(newUser, clock.now());
      const isAdded = note
        ? await database.transaction(async (inside) => {
            if (!(await insert(inside, row))) return false;
            await note(inside, userOf(row));
            return true;
          })
        : await insert(db, row);
      if (isAdded) return userOf(row);
      const sameName = users.where('username_canonical', '=', row.username_canonical);
      throw (await sameName.executeTakeFirst()) === undefined
        ? emailTaken()
        : new Problem('username_taken', 'Another user has that username.', { field: 'username' });
    },

    async findById(id) {
      const row = await rowById([id]);
      return row && userOf(row);
    },

    async findActive(id) {
      const row = await rowById([id]);
      return row?.disabled_at === null ? userOf(row) : undefined;
    },

    async findByUsername(username) {
      const row = await users
        .where('username_canonical', '=', canonical(username))
        .executeTakeFirst();
      return row && userOf(row);
    },

    async findLogin(login) {
      const name = canonical(login);
      const column = name.includes('@') ? 'email_canonical' : 'username_canonical';
      const row = await users.where(column, '=', name).executeTakeFirst();
      return row && { user: userOf(row), passwordHash: row.password_hash, signOuts: row.sign_outs };
    },

    async passwordHash(id) {
      return (await rowById([id]))?.password_hash ?? null;
    },

    async holdActive(id, inside, { passwordHash, signOuts } = {}) {
      let row = held(id, inside).where('disabled_at', 'is', null);
      if (passwordHash !== undefined) row = row.where('password_hash', '=', passwordHash);
      if (signOuts !== undefined) row = row.where('sign_outs', '=', signOuts);
      return (await row.executeTakeFirst()).numUpdatedRows > 0n;
    },

    async holdRoles(id, inside) {
      const row = await held(id, inside).returning('roles').executeTakeFirst();
      return row && rolesOf(row.roles);
    },

    async list() {
      return (await users.orderBy('username_canonical').execute()).map(userOf);
    },

    setPassword: (id, passwordHash, inside) => change(id, { password_hash: passwordHash }, inside),

    async replacePassword(id, current, passwordHash, inside = db) {
      const { numUpdatedRows } = await inside
        .updateTable('users')
        .set({ password_hash: passwordHash, updated_at: clock.now() })
        .where('id', '=', id)
        .where('password_hash', '=', current)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async setEmail(id, email, inside) {
      if (email !== null) refuseBadEmail(email);
      try {
        return await change(id, emailColumns(email), inside);
      } catch (error) {
        throw isDuplicate(error) ? emailTaken() : error;
      }
    },

    async setRoles(id, roles, inside) {
      refuseBadRoles(roles);
      return change(id, { roles: JSON.stringify([...new Set(roles)]) }, inside);
    },

    setDisabled: (id, disabled, inside) =>
      change(id, { disabled_at: disabled ? clock.now() : null }, inside),

    async remove(id, inside = db) {
      const { numDeletedRows } = await inside
        .deleteFrom('users')
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

/** Changes nothing, and keeps others from the row: both engines have a word for that, but not the same one. */
function held(id: string, db: Transaction<Schema>) {
  return db
    .updateTable('users')
    .set((eb) => ({ updated_at: eb.ref('updated_at') }))
    .where('id', '=', id);
}

/** @returns whether name and e-mail address were free */
async function insert(db: Kysely<Schema>, row: Selectable<UsersTable>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('users')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** The row of a user who is added now. */
export function rowOf(user: NewUser, now: number): Selectable<UsersTable> {
  return {
    id: randomUUID(),
    username: user.username.normalize('NFC'),
    username_canonical: canonical(user.username),
    ...emailColumns(user.email ?? null),
    name: user.name?.normalize('NFC') ?? null,
    password_hash: user.passwordHash ?? null,
    roles: JSON.stringify([...new Set(user.roles)]),
    disabled_at: user.disabled ? now : null,
    sign_outs: 0,
    created_at: user.createdAt ?? now,
    updated_at: now,
  };
}

function emailColumns(email: string | null) {
  if (email === null) return { email: null, email_canonical: null };
  return { email: email.normalize('NFC'), email_canonical: canonical(email) };
}

/** The user of a row. */
export function userOf(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    name: row.name,
    email: row.email,
    roles: rolesOf(row.roles),
    disabled: row.disabled_at !== null,
    hasPassword: row.password_hash !== null,
    createdAt: row.created_at,
  };
}

function rolesOf(json: string): string[] {
  if (json === '[]') return [];
  const roles: unknown = JSON.parse(json);
  return Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : [];
}
