import { z } from 'zod';
import { Problem } from '../../core/errors.ts';
import { type FirebaseParameters, fromFirebase } from '../../users/hashes/firebase.ts';
import { readHash } from '../../users/password-hashes.ts';
import { type NewUser, refuseBadNames } from '../../users/user-store.ts';
import { NO_PASSWORDS } from './rows.ts';

export interface Reading {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly firebase?: FirebaseParameters | undefined;
}

/** In CSV what is not there is an empty field. */
function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess(
    (value) => (value === '' || value === null ? undefined : value),
    schema.optional(),
  );
}

const text = (error: string) => z.string({ error });

const record = z.strictObject(
  {
    username: text('There is no username.'),
    email: optional(text('email must be text.')),
    name: optional(text('name must be text.')),
    roles: optional(
      z.union([z.string().transform((list) => list.split(',')), z.array(z.string())], {
        error: 'roles must be a list of texts, or one text with commas.',
      }),
    ),
    disabled: optional(
      z.union([z.boolean(), z.stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] })], {
        error: 'disabled must be true or false.',
      }),
    ),
    // There, though it may be empty: otherwise it may have another name, and all users would come without.
    password_hash: z.preprocess(
      (value) => (value === null ? '' : value),
      text('There is no password_hash; an empty one says that the user has none.'),
    ),
    password_salt: optional(text('password_salt must be text.')),
    created_at: optional(
      z.union([z.string(), z.number()], { error: 'created_at must be a time.' }),
    ),
  },
  { error: unknownFields },
);

function unknownFields(issue: { code?: string; keys?: readonly PropertyKey[] }): string {
  if (issue.code !== 'unrecognized_keys') return 'The line is not a JSON object.';
  const names = (issue.keys ?? []).map(String);
  if (names.some((name) => name.toLowerCase() === 'password')) return NO_PASSWORDS;
  return `Not a field here: ${names
    .slice(0, 5)
    .map((name) => name.slice(0, 40))
    .join(', ')}.`;
}

/**
 * The user that a row describes.
 * @throws {Problem} `invalid_request` for what cannot be imported, never with a hash in it
 */
export function newUser(fields: unknown, { now, firebase }: Reading): NewUser {
  const { data, error } = record.safeParse(fields);
  if (data === undefined) throw refused(error?.issues[0]?.message ?? 'It is no user.');
  const { username, email, name, disabled = false, created_at: created } = data;
  const roles = data.roles?.map((role) => role.trim());
  refuseBadNames({ username, email, name, roles });
  return {
    username,
    email,
    name,
    roles,
    disabled,
    passwordHash: passwordHash(data.password_hash, data.password_salt, firebase),
    createdAt: created === undefined ? undefined : time(created, now),
  };
}

function passwordHash(
  hash: string,
  salt: string | undefined,
  firebase: FirebaseParameters | undefined,
): string | undefined {
  if (hash === '') return undefined;
  const whole = salt === undefined ? hash : ofFirebase(hash, salt, firebase);
  const check = readHash(whole);
  if (typeof check === 'string') throw refused(check);
  return whole;
}

function ofFirebase(hash: string, salt: string, firebase: FirebaseParameters | undefined): string {
  if (firebase === undefined) {
    throw refused('A password_salt is for hashes of Firebase: say --firebase <file> as well.');
  }
  return fromFirebase(firebase, hash, salt);
}

const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/;

/** In seconds the year 5138, in milliseconds 1973. */
const MILLISECONDS = 1e11;

function time(created: string | number, now: number): number {
  const given = String(created);
  const seconds = /^\d+$/.test(given) ? Number(given) : undefined;
  if (seconds !== undefined && seconds >= MILLISECONDS) {
    throw refused('created_at is in milliseconds; it must be in seconds since 1970, or ISO 8601.');
  }
  const at = seconds === undefined ? (ISO.test(given) ? Date.parse(given) : NaN) : seconds * 1000;
  if (Number.isNaN(at)) {
    throw refused(
      'created_at must be a time as 2024-05-17T09:30:00Z, or in whole seconds since 1970.',
    );
  }
  if (at > now) throw refused('created_at is in the future.');
  return at;
}

function refused(why: string): Problem {
  return new Problem('invalid_request', why);
}
