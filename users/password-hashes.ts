import { argon2 } from './hashes/argon2.ts';
import { bcrypt } from './hashes/bcrypt.ts';
import { firebaseScrypt } from './hashes/firebase.ts';
import type { Check, HashReader } from './hashes/hash-reader.ts';
import { pbkdf2 } from './hashes/pbkdf2.ts';
import { scrypt } from './hashes/scrypt.ts';

/** Django writes its own name of the kind in front. */
const DJANGO = /^(?:argon2(?=\$argon2)|bcrypt\$(?=\$2))/;

const READERS: readonly HashReader[] = [argon2, bcrypt, scrypt, pbkdf2, firebaseScrypt];

/**
 * How to check passwords against a hash from elsewhere.
 * @returns or why it is not accepted, in a sentence without a trace of the hash
 */
export function readHash(hash: string): Check | string {
  for (const read of READERS) {
    const check = read(hash.replace(DJANGO, ''));
    if (typeof check === 'function') return inAnyForm(check);
    if (check !== undefined) return check;
  }
  return 'The password hash is damaged or of a kind that is not known: bcrypt, scrypt, PBKDF2, argon2 and those of Firebase are.';
}

/**
 * The forms (UAX #15) in which a password may have been hashed elsewhere: as it was typed, and composed, as most keyboards
 * give it. They differ only where letters were typed with their marks apart: then a wrong password costs two checks.
 */
export function formsOf(password: string): readonly string[] {
  return [...new Set([password, password.normalize('NFC')])];
}

function inAnyForm(check: Check): Check {
  return async (password) => {
    for (const form of formsOf(password)) if (await check(form)) return true;
    return false;
  };
}
