import { looksLikeAKey } from '#verify';

/** Bytes that a secret needs: as many as SHA-256 gives (RFC 7518, section 3.2). */
const MINIMUM_BYTES = 32;

/** Secrets that tutorials, examples and this repository have made known to everybody. */
const WELL_KNOWN = [
  'asupersecretkey',
  '46a5fdfe16fa710867102d1f0dbd2329f2eae69be3ed56ca084d9e0ad',
  'replace-this-with-a-random-secret',
  'keyboard cat',
  'your-256-bit-secret',
  'your-512-bit-secret',
  'a-string-secret-at-least-256-bits-long',
  'shhhhh',
  'changeme',
  'change-me',
  'supersecret',
  'super-secret',
  'secretsecret',
  'mysecretkey',
];

/** The secrets of `.env.test`: public, so good for tests alone. */
const TEST_SECRETS = 'for-tests-only';

/** What is wrong with a secret, without a word of the secret itself, or `undefined`. */
export function secretProblem(secret: string, forTests: boolean): string | undefined {
  if (Buffer.byteLength(secret) < MINIMUM_BYTES) {
    return `is too short: at least ${MINIMUM_BYTES} bytes are needed`;
  }
  const plain = secret.toLowerCase();
  if (WELL_KNOWN.some((known) => plain.includes(known) || known.includes(plain))) {
    return 'is an example that everybody knows';
  }
  if (!forTests && plain.includes(TEST_SECRETS)) {
    return 'is the one of .env.test, which everybody knows';
  }
  if (looksLikeAKey(secret)) {
    return 'is a key, whole or damaged, and no secret: whoever knows its public half could sign';
  }
  if (new Set(secret).size < 10 || isRepetition(secret)) {
    return 'repeats itself and can be guessed';
  }
  return undefined;
}

/** Whether the text is one piece written several times, the last time perhaps not to its end. */
function isRepetition(text: string): boolean {
  for (let length = 1; length <= text.length / 2; length += 1) {
    if (text.startsWith(text.slice(length))) return true; // the text, moved by one piece, lies upon itself
  }
  return false;
}

/** How to make a good one, for the end of a message. */
export const SECRET_ADVICE = 'make one with: node -p "crypto.randomBytes(64).toString(\'hex\')"';
