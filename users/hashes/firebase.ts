import { createCipheriv, timingSafeEqual } from 'node:crypto';
import { Problem } from '../../core/errors.ts';
import { base64, type HashReader, lengthProblem } from './hash-reader.ts';
import { costProblem, scryptKey } from './scrypt.ts';

/** What all hashes of a Firebase project have in common, as its console shows it. */
export interface FirebaseParameters {
  readonly signerKey: Buffer;
  readonly saltSeparator: Buffer;
  /** r of scrypt. */
  readonly rounds: number;
  /** The logarithm of scrypt's N. */
  readonly memCost: number;
}

/**
 * Reads what the console shows under "Password hash parameters".
 * @throws {Problem} `invalid_request` when something is missing in it, or costs too much
 */
export function firebaseParameters(text: string): FirebaseParameters {
  const value = (name: string) =>
    new RegExp(String.raw`\b${name}"?\s*[:=]\s*"?([\w+/-]+=*)`).exec(text)?.[1] ?? '';
  const parameters = {
    signerKey: base64(value('base64_signer_key')),
    saltSeparator: base64(value('base64_salt_separator')),
    rounds: wholeNumber(value('rounds')),
    memCost: wholeNumber(value('mem_cost')),
  };
  const { signerKey, rounds, memCost } = parameters;
  if (signerKey.length === 0 || Number.isNaN(rounds + memCost)) {
    throw new Problem(
      'invalid_request',
      'Firebase\'s parameters are base64_signer_key, base64_salt_separator, rounds and mem_cost, each with a colon and its value: copy them from "Password hash parameters" in the console.',
    );
  }
  const problem = costProblem({ ln: memCost, r: rounds, p: 1 }) ?? lengthProblem(signerKey);
  if (problem !== undefined) throw new Problem('invalid_request', problem);
  return parameters;
}

function wholeNumber(text: string): number {
  return /^\d{1,7}$/.test(text) ? Number(text) : NaN;
}

/**
 * A hash of Firebase's as a string of its own, without the project's signer key. Firebase stores that key, encrypted
 * (AES-256 in counter mode) with a key that scrypt makes of the password. In counter mode the cipher adds a stream of
 * bytes: without the signer key that stream is left, which says just as well whether a password is right.
 *
 * @param hash `passwordHash` of an account that was exported, in base64
 * @param salt its `salt`, in base64
 * @throws {Problem} `invalid_request` when the hash cannot have been made with that signer key
 */
export function fromFirebase(
  { signerKey, saltSeparator, rounds, memCost }: FirebaseParameters,
  hash: string,
  salt: string,
): string {
  const encrypted = base64(hash);
  if (encrypted.length !== signerKey.length) {
    throw new Problem(
      'invalid_request',
      "The password hash is not as long as Firebase's signer key: it is none of Firebase's, or of another project.",
    );
  }
  const stream = encrypted.map((byte, index) => byte ^ (signerKey[index] ?? 0));
  const salted = Buffer.concat([base64(salt), saltSeparator]);
  return `$firebase-scrypt$ln=${memCost},r=${rounds}$${unpadded(salted)}$${unpadded(stream)}`;
}

const FORM = /^\$firebase-scrypt\$ln=(\d{1,2}),r=(\d{1,7})\$([\w+/]*)\$([\w+/]+)$/;

/** What `fromFirebase` makes. */
export const firebaseScrypt: HashReader = (hash) => {
  const [, ln, r, salt = '', stream = ''] = FORM.exec(hash) ?? [];
  if (ln === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: 1 };
  const expected = base64(stream);
  const problem = costProblem(cost) ?? lengthProblem(expected);
  if (problem !== undefined) return problem;
  return async (password) => {
    const key = await scryptKey(password, base64(salt), cost, 32);
    const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
    return timingSafeEqual(cipher.update(Buffer.alloc(expected.length)), expected);
  };
};

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
