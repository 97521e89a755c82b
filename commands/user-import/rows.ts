/** What a file says of one user, before anybody has looked at it. */
export interface Row {
  /** Where it is, from 1 on; of a row over several lines the last. */
  readonly line: number;
  /** By the names of the columns, or whatever a line of JSON holds. Left out where the line cannot be read. */
  readonly fields?: unknown;
  /** Why it cannot be read, in a sentence. */
  readonly problem?: string;
}

/** The longest row in bytes: many times what fits into the fields. */
export const LONGEST_ROW = 65_536;

/** What a row may say of a user. `password_salt` is for hashes of Firebase's. */
export const FIELDS = [
  'username',
  'email',
  'name',
  'roles',
  'disabled',
  'password_hash',
  'password_salt',
  'created_at',
] as const;

export const REQUIRED = ['username', 'password_hash'] as const;

/** Said wherever there is a column of that name. */
export const NO_PASSWORDS =
  'Passwords in plain text are not taken: hash them, or import the users without and set one with "user password".';
