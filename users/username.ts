import { canonical } from '../core/text.ts';

/** Letters and marks without a shape (UAX #44) are left out: two names would look the same. */
const USERNAME = /^(?!.*\p{Default_Ignorable_Code_Point})[\p{L}\p{N}][\p{L}\p{M}\p{N}._'-]{0,63}$/u;

/**
 * What is wrong with a username, or `undefined`. An `@` is never allowed in it: a name that looks like
 * somebody's e-mail address could otherwise be registered to catch their logins.
 */
export function usernameProblem(username: string): string | undefined {
  if (!USERNAME.test(canonical(username)) || !USERNAME.test(username)) {
    return 'A username is 1 to 64 letters, digits, dots, dashes, underscores or apostrophes, and begins with a letter or digit.';
  }
  return undefined;
}

const EMAIL =
  /^(?!.*[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}])[^\s@]{1,64}@[^\s@]{1,255}$/u;

/** What is wrong with an e-mail address, or `undefined`. Only its shape: whether mail arrives is another question. */
export function emailProblem(email: string): string | undefined {
  return EMAIL.test(email) && email.length <= 254
    ? undefined
    : 'An e-mail address looks like name@example.org and has at most 254 characters.';
}

const NAME = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u;

/** What is wrong with a person's name for display, or `undefined`. */
export function displayNameProblem(name: string): string | undefined {
  return NAME.test(name) && name.trim() === name
    ? undefined
    : 'A name has 1 to 128 characters, without control characters and without blanks at its ends.';
}

const ROLE = /^[\p{L}\p{N}][\p{L}\p{N}_.:/-]{0,63}$/u;

/** What is wrong with a role, or `undefined`. No comma in it: lists of roles are written with commas. */
export function roleProblem(role: string): string | undefined {
  return ROLE.test(role)
    ? undefined
    : `A role is 1 to 64 letters, digits or any of _ . : / -, and begins with a letter or digit; "${role}" is not.`;
}
