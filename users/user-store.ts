import { randomUUID } from 'node:crypto';
import type { Selectable, Updateable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { Problem } from '../core/errors.ts';
import type { Database } from '../storage/database.ts';
import type { UsersTable } from '../storage/schema.ts';
import {
  canonical,
  displayNameProblem,
  emailProblem,
  roleProblem,
  usernameProblem,
} from './username.ts';

/** A user as the rest of the service knows them. The password hash stays in this room. */
export interface User {
  /** Never changes and is never given to anyone else; `sub` of the tokens. */
  readonly id: string;
  /** As typed. */
  readonly username: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly roles: readonly string[];
  readonly disabled: boolean;
  readonly hasPassword: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface NewUser {
  username: string;
  name?: string | undefined;
  email?: string | undefined;
  roles?: readonly string[] | undefined;
  /** PHC string; without it the user can only come in through the bypass. */
  passwordHash?: string | undefined;
}

/** Where users are kept. Names are found whatever their case or Unicode form. */
export interface UserStore {
  /** @throws {Problem} `invalid_request` for a name that cannot be one, `username_taken`, `email_taken`. */
  add(user: NewUser): Promise<User>;
  findById(id: string): Promise<User | undefined>;
  /** The user of that id unless disabled: what each exchange asks. */
  findActive(id: string): Promise<User | undefined>;
  findByUsername(username: string): Promise<User | undefined>;
  /** By username or e-mail address, with the hash to check a password against. */
  findLogin(login: string): Promise<{ user: User; passwordHash: string | null } | undefined>;
  passwordHash(id: string): Promise<string | null>;
  /** All of them, by canonical username. */
  list(): Promise<User[]>;
  /** @returns whether the user exists; so do the next four. */
  setPassword(id: string, passwordHash: string): Promise<boolean>;
  /** Replaces the hash only where it is still `current`: two changes at once cannot both win. */
  replacePassword(id: string, current: string, passwordHash: string): Promise<boolean>;
  setRoles(id: string, roles: readonly string[]): Promise<boolean>;
  setDisabled(id: string, disabled: boolean): Promise<boolean>;
  remove(id: string): Promise<boolean>;
}

const COLUMNS = [
  'id',
  'username',
  'email',
  'name',
  'password_hash',
  'roles',
  'disabled_at',
  'created_at',
] as const satisfies readonly (keyof UsersTable)[];

type UserRow = Pick<Selectable<UsersTable>, (typeof COLUMNS)[number]>;

/** Users in the SQL database. */
export function sqlUserStore(database: Database, clock: Clock): UserStore {
  const db = database.kysely;
  const users = db.selectFrom('users').select(COLUMNS);
  const rowById = database.prepareFirst(users.where('id', '=', '').compile());

  async function change(id: string, values: Updateable<UsersTable>): Promise<boolean> {
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ ...values, updated_at: clock.now() })
      .where('id', '=', id)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  return {
    async add(newUser) {
      refuseBadNames(newUser);
      const row = rowOf(newUser, clock.now());
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('users')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows === 1n) return userOf(row);
      const sameName = users.where('username_canonical', '=', row.username_canonical);
      throw (await sameName.executeTakeFirst()) === undefined
        ? new Problem('email_taken', 'Another user has that e-mail address.', { field: 'email' })
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
      return row && { user: userOf(row), passwordHash: row.password_hash };
    },

    async passwordHash(id) {
      return (await rowById([id]))?.password_hash ?? null;
    },

    async list() {
      return (await users.orderBy('username_canonical').execute()).map(userOf);
    },

    setPassword: (id, passwordHash) => change(id, { password_hash: passwordHash }),

    async replacePassword(id, current, passwordHash) {
      const { numUpdatedRows } = await db
        .updateTable('users')
        .set({ password_hash: passwordHash, updated_at: clock.now() })
        .where('id', '=', id)
        .where('password_hash', '=', current)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async setRoles(id, roles) {
      refuseBadRoles(roles);
      return change(id, { roles: JSON.stringify([...new Set(roles)]) });
    },

    setDisabled: (id, disabled) => change(id, { disabled_at: disabled ? clock.now() : null }),

    async remove(id) {
      const { numDeletedRows } = await db
        .deleteFrom('users')
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

/** @throws {Problem} `invalid_request` for what cannot be a username, an e-mail address, a name or a role. */
export function refuseBadNames({ username, email, name, roles = [] }: NewUser): void {
  refuse('username', usernameProblem(username));
  if (email !== undefined) refuse('email', emailProblem(email));
  if (name !== undefined) refuse('name', displayNameProblem(name));
  refuseBadRoles(roles);
}

function refuseBadRoles(roles: readonly string[]): void {
  if (roles.join(',').length > 2048) {
    refuse(
      'roles',
      'All roles of a user together have at most 2,048 characters: they travel in every token.',
    );
  }
  for (const role of roles) refuse('roles', roleProblem(role));
}

function refuse(field: string, problem: string | undefined): void {
  if (problem !== undefined) throw new Problem('invalid_request', problem, { field });
}

function rowOf(user: NewUser, now: number): Selectable<UsersTable> {
  return {
    id: randomUUID(),
    username: user.username.normalize('NFC'),
    username_canonical: canonical(user.username),
    email: user.email?.normalize('NFC') ?? null,
    email_canonical: user.email === undefined ? null : canonical(user.email),
    name: user.name?.normalize('NFC') ?? null,
    password_hash: user.passwordHash ?? null,
    roles: JSON.stringify([...new Set(user.roles)]),
    disabled_at: null,
    created_at: now,
    updated_at: now,
  };
}

function userOf(row: UserRow): User {
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
