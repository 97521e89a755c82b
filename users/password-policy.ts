import { dictionary } from '@zxcvbn-ts/language-common';
import { canonical } from './username.ts';

/** What a password must be (NIST SP 800-63B-4, section 3.1.1.2): long enough and not guessed first; no composition rules. */
const PASSWORD_MINIMUM = 8;
const PASSWORD_RECOMMENDED = 15;
const PASSWORD_MAXIMUM = 1024;

const common = new Set(dictionary['passwords-common']);

/**
 * What is wrong with a new password, or `undefined`. Lengths count Unicode code points after NFC.
 * @param own the user's username, e-mail address and name, as far as they have them
 */
export function passwordProblem(
  password: string,
  own: readonly (string | null | undefined)[],
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
  return undefined;
}

function isOneCharacter(text: string): boolean {
  return new Set(text).size === 1;
}

/** The text itself, or the part of an e-mail address before the `@`. */
function isOwn(password: string, text: string): boolean {
  return password === text || (text.includes('@') && password === text.slice(0, text.indexOf('@')));
}
