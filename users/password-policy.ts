import { dictionary } from '@zxcvbn-ts/language-common';
import { canonical } from '../core/text.ts';

/** What a password must be (NIST SP 800-63B-4, section 3.1.1.2): long enough and not guessed first; no composition rules. */
const PASSWORD_MINIMUM = 8;
const PASSWORD_RECOMMENDED = 15;
const PASSWORD_MAXIMUM = 1024;

const common = new Set(dictionary['passwords-common']);

/** What is wrong with a new password of somebody who has these names, or `undefined`. */
export type PasswordPolicy = (
  password: string,
  own: readonly (string | null | undefined)[],
) => string | undefined;

/** The policy of the service at that address: its names are no passwords there. */
export function passwordPolicy(publicUrl: string): PasswordPolicy {
  const { hostname } = new URL(publicUrl);
  const names = ['coatcheck', hostname, ...hostname.split('.')].filter(isWord);
  return (password, own) => passwordProblem(password, own, names);
}

/** `www`, `org` and the numbers of an address begin too much. */
function isWord(text: string): boolean {
  return text.length > 3 && /\p{L}/u.test(text);
}

/**
 * What is wrong with a new password, or `undefined`. Lengths count Unicode code points after NFC.
 * @param own the user's username, e-mail address and name, as far as they have them
 * @param service names of the service, in lower case
 */
export function passwordProblem(
  password: string,
  own: readonly (string | null | undefined)[],
  service: readonly string[] = [],
): string | undefined {
  const normalized = password.normalize('NFC');
  const length = Array.from(normalized).length;
  if (length < PASSWORD_MINIMUM) {
    return `A password has at least ${PASSWORD_MINIMUM} characters; ${PASSWORD_RECOMMENDED} or more are recommended.`;
  }
  if (length > PASSWORD_MAXIMUM) return `A password has at most ${PASSWORD_MAXIMUM} characters.`;
  if (normalized.includes('\0') || !normalized.isWellFormed()) {
    return 'A password is text: this one has characters that are none.';
  }
  const folded = canonical(normalized);
  if (common.has(folded) || common.has(normalized) || isOneCharacter(folded)) {
    return 'That password is one of those that attackers try first.';
  }
  if (own.some((text) => typeof text === 'string' && isOwn(folded, canonical(text)))) {
    return 'A password must not be your own username, e-mail address or name.';
  }
  if (service.some((name) => isTrimmed(folded, name))) {
    return 'A password must not be a name of this service, with or without digits around it.';
  }
  return undefined;
}

/** Whether it is the name with nothing but digits and signs around it, as in `Coatcheck2026!`. */
function isTrimmed(password: string, name: string): boolean {
  return password.includes(name) && !/\p{L}/u.test(password.replace(name, ''));
}

function isOneCharacter(text: string): boolean {
  return new Set(text).size === 1;
}

/** The text itself, or the part of an e-mail address before the `@`. */
function isOwn(password: string, text: string): boolean {
  return password === text || (text.includes('@') && password === text.slice(0, text.indexOf('@')));
}
