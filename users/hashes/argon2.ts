import { verify } from '@node-rs/argon2';
import { base64, type HashReader, lengthProblem, tooCostly } from './hash-reader.ts';

const FORM =
  /^\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m=(0|[1-9]\d{0,9}),t=(0|[1-9]\d{0,9}),p=(0|[1-9]\d{0,7})\$([A-Za-z\d+/]+)\$([A-Za-z\d+/]+)$/;

/** Bytes of the least that argon2 takes for a salt (RFC 9106, section 3.1). */
const SHORTEST_SALT = 8;

/** KiB, KiB times passes, and lanes. */
const MOST_MEMORY = 262_144;
const MOST_WORK = 4 * MOST_MEMORY;
const MOST_LANES = 64;

/** A PHC string of argon2i, argon2d or argon2id, with whatever parameters. */
export const argon2: HashReader = (hash) => {
  const [, m, t, p, salt = '', key = ''] = FORM.exec(hash) ?? [];
  if (m === undefined) return undefined;
  const memory = Number(m);
  const passes = Number(t);
  const lanes = Number(p);
  if (memory < 8 * lanes || passes < 1 || lanes < 1) {
    return 'The password hash has a cost of nothing.';
  }
  if (memory > MOST_MEMORY || memory * passes > MOST_WORK || lanes > MOST_LANES) {
    return tooCostly(
      `argon2, m=${memory}, t=${passes}, p=${lanes}`,
      `m=${MOST_MEMORY} with t=4, or as much, and p=${MOST_LANES}`,
    );
  }
  if (base64(salt).length < SHORTEST_SALT || ![salt, key].every(isCanonical)) {
    return 'The salt of the password hash is too short, or it is damaged.';
  }
  return lengthProblem(base64(key)) ?? ((password) => verify(hash, password));
};

/** Whether it is what encoding its bytes gives: the library takes nothing else. */
function isCanonical(text: string): boolean {
  return base64(text).toString('base64').replace(/=+$/, '') === text;
}
