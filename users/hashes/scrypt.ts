import { scrypt as derive, timingSafeEqual } from 'node:crypto';
import { base64, type HashReader, lengthProblem, tooCostly } from './hash-reader.ts';

/** N = 2^ln, r and p of RFC 7914. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,7}),p=(\d{1,7})\$([\w+/.-]*=*)\$([\w+/.-]+=*)$/;

/** N·r·p of the strongest parameters that OWASP recommends: 128 MiB where p is 1. */
const MOST = 2 ** 20;

/** A PHC string of scrypt. */
export const scrypt: HashReader = (hash) => {
  const [, ln, r, p, salt = '', key = ''] = FORM.exec(hash) ?? [];
  if (ln === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const expected = base64(key);
  const problem = costProblem(cost) ?? lengthProblem(expected);
  if (problem !== undefined) return problem;
  return async (password) =>
    timingSafeEqual(await scryptKey(password, base64(salt), cost, expected.length), expected);
};

/** What is wrong with the cost, or `undefined`. */
export function costProblem({ ln, r, p }: ScryptCost): string | undefined {
  if (ln < 1 || r < 1 || p < 1) return 'The password hash has a cost of nothing.';
  if (ln >= 16 * r)
    return 'The password hash has an N that is too large for its r (RFC 7914, section 2).';
  return 2 ** ln * r * p <= MOST
    ? undefined
    : tooCostly(`scrypt, ln=${ln}, r=${r}, p=${p}`, 'ln=17 with r=8 and p=1, or as much');
}

/** The key of `length` bytes that scrypt makes of a password, off the main thread. */
export function scryptKey(
  password: string,
  salt: Buffer,
  { ln, r, p }: ScryptCost,
  length: number,
): Promise<Buffer> {
  const N = 2 ** ln;
  const maxmem = 128 * r * (N + p + 2); // Node's own limit is 32 MiB
  return new Promise((resolve, reject) => {
    derive(password, salt, length, { N, r, p, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
