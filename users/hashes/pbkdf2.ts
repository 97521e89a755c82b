import { pbkdf2 as derive, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { base64, type HashReader, lengthProblem, tooCostly } from './hash-reader.ts';

/** `$pbkdf2-sha256$i=600000,l=32$…` is a PHC string, `$pbkdf2-sha256$29000$…` one of passlib's. */
const PHC =
  /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,10})(?:,l=\d{1,3})?\$([\w+/.-]*=*)\$([\w+/.-]+=*)$/;

/** Django's. The salt is text, and not base64. */
const DJANGO = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,10})\$([^$]*)\$([\w+/]+=*)$/;

const DIGEST_BYTES: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** Iterations, for each part of the hash that is as long as the digest. */
const MOST = 2_000_000;

/** A PBKDF2 hash with SHA-1, SHA-256 or SHA-512, as PHC, passlib or Django write it. */
export const pbkdf2: HashReader = (hash) => {
  const phc = PHC.exec(hash);
  const [, digest = 'sha1', iterations, salt = '', key = ''] = phc ?? DJANGO.exec(hash) ?? [];
  if (iterations === undefined) return undefined;
  const expected = base64(key);
  const problem = costProblem(digest, Number(iterations), expected) ?? lengthProblem(expected);
  if (problem !== undefined) return problem;
  const salted = phc ? base64(salt) : Buffer.from(salt);
  return async (password) => {
    const { length } = expected;
    const derived = await promisify(derive)(password, salted, Number(iterations), length, digest);
    return timingSafeEqual(derived, expected);
  };
};

function costProblem(digest: string, iterations: number, { length }: Buffer): string | undefined {
  if (iterations < 1) return 'The password hash has a cost of nothing.';
  const parts = Math.ceil(length / (DIGEST_BYTES[digest] ?? 1));
  return iterations * parts <= MOST
    ? undefined
    : tooCostly(`PBKDF2, ${iterations} iterations for ${length} bytes`, `${MOST} for a digest`);
}
