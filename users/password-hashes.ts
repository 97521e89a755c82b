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
    if (typeof check === 'function') return asTypedOrComposed(check);
    if (check !== undefined) return check;
  }
  return 'The password hash is damaged or of a kind that is not known: bcrypt, scrypt, PBKDF2, argon2 and those of Firebase are.';
}

/** Elsewhere a password was hashed in the form (UAX #15) in which it was typed; most keyboards give it composed. */
function asTypedOrComposed(check: Check): Check {
  return async (password) => {
    const composed = password.normalize('NFC');
    return (await check(password)) || (composed !== password && (await check(composed)));
  };
}
