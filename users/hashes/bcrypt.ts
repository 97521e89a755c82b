import { verify } from '@node-rs/bcrypt';
import { type HashReader, tooCostly } from './hash-reader.ts';

/** 2a, 2b and 2y are the same but for passwords that nobody can type; 2x is the one with the broken sign. */
const FORM = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/** The logarithm of its rounds. */
const MOST = 14;

/**
 * A bcrypt hash. It covers the first 72 bytes of a password only, wherever it was made: whatever follows them matches.
 * Most implementations end a password at a NUL, and to bcrypt itself `ab` and `ab\0ab` are the same: one with a NUL is no
 * password here.
 */
export const bcrypt: HashReader = (hash) => {
  const cost = FORM.exec(hash)?.[1];
  if (cost === undefined) return undefined;
  if (Number(cost) > MOST) return tooCostly(`bcrypt, cost ${cost}`, `cost ${MOST}`);
  return async (password) => !password.includes('\0') && verify(password, hash);
};
