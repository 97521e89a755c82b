import type { Kysely, Transaction } from 'kysely';
import { Problem } from '../core/errors.ts';
import type { Schema } from '../storage/schema.ts';
import { displayNameProblem, emailProblem, roleProblem, usernameProblem } from './username.ts';

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
  /** PHC string, or a hash from elsewhere; without it the user can only come in through the bypass. */
  passwordHash?: string | undefined;
  disabled?: boolean | undefined;
  /** Milliseconds since 1970. Default: now. */
  createdAt?: number | undefined;
}

/** What a login has found of a user, and rests on. */
export interface Login {
  readonly user: User;
  readonly passwordHash: string | null;
  /** How often all sessions of the user, or all but one, have been ended. */
  readonly signOuts: number;
}

/** Where users are kept. Names are found whatever their case or Unicode form. */
export interface UserStore {
  /**
   * @param note what is written with it, in one transaction
   * @throws {Problem} `invalid_request` for a name that cannot be one, `username_taken`, `email_taken`.
   */
  add(user: NewUser, note?: (db: Kysely<Schema>, added: User) => Promise<unknown>): Promise<User>;
  findById(id: string): Promise<User | undefined>;
  /** The user of that id unless disabled: what each exchange asks. */
  findActive(id: string): Promise<User | undefined>;
  findByUsername(username: string): Promise<User | undefined>;
  /** By username or e-mail address, with the hash to check a password against. */
  findLogin(login: string): Promise<Login | undefined>;
  passwordHash(id: string): Promise<string | null>;
  /**
   * Whether the user is there, not disabled, and has what is given of a login still. It stays so until the
   * transaction is over: who wants to change it waits for that, and this waits for whoever is changing it.
   */
  holdActive(
    id: string,
    db: Transaction<Schema>,
    login?: Partial<Pick<Login, 'signOuts'> & { passwordHash: string }>,
  ): Promise<boolean>;
  /** The roles that the user has, held in the same way, also if the user is disabled; `undefined` if there is none. */
  holdRoles(id: string, db: Transaction<Schema>): Promise<readonly string[] | undefined>;
  /** All of them, by canonical username. */
  list(): Promise<User[]>;
  /** @returns whether the user exists; so do the next five. `db` is the transaction of what else is to be done with it. */
  setPassword(id: string, passwordHash: string, db?: Kysely<Schema>): Promise<boolean>;
  /** Replaces the hash only where it is still `current`: two changes at once cannot both win. */
  replacePassword(
    id: string,
    current: string,
    passwordHash: string,
    db?: Kysely<Schema>,
  ): Promise<boolean>;
  /**
   * @param email `null` to have none
   * @throws {Problem} `invalid_request` for what cannot be one, `email_taken`
   */
  setEmail(id: string, email: string | null, db?: Kysely<Schema>): Promise<boolean>;
  setRoles(id: string, roles: readonly string[], db?: Kysely<Schema>): Promise<boolean>;
  setDisabled(id: string, disabled: boolean, db?: Kysely<Schema>): Promise<boolean>;
  remove(id: string, db?: Kysely<Schema>): Promise<boolean>;
}

/** @throws {Problem} `invalid_request` for what cannot be a username, an e-mail address, a name or a role. */
export function refuseBadNames({ username, email, name, roles = [] }: NewUser): void {
  refuse('username', usernameProblem(username));
  if (email !== undefined) refuseBadEmail(email);
  if (name !== undefined) refuse('name', displayNameProblem(name));
  refuseBadRoles(roles);
}

/** For whoever adds an address that somebody has already, in whatever spelling. */
export function emailTaken(): Problem {
  return new Problem('email_taken', 'Another user has that e-mail address.', { field: 'email' });
}

/** @throws {Problem} `invalid_request` */
export function refuseBadEmail(email: string): void {
  refuse('email', emailProblem(email));
}

/** @throws {Problem} `invalid_request` */
export function refuseBadRoles(roles: readonly string[]): void {
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
