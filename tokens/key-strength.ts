import { checkPrimeSync, type JsonWebKey } from 'node:crypto';

/** Shorter moduli are within reach of those who can pay for it (NIST SP 800-131A). */
const LEAST_BITS = 2048;
export const RECOMMENDED_BITS = 3072;

/** The least and the greatest public exponent: smaller ones invite attacks on padding, greater ones many verifiers cannot read. */
const LEAST_EXPONENT = 65_537n;
const GREATEST_EXPONENT = 2n ** 31n - 1n;

/** The private and public numbers of an RSA key (RFC 7518, section 6.3). */
type RsaNumbers = Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', bigint>;

/** What is wrong with an RSA key, as the end of a sentence, or `undefined`. @param jwk with all private members */
export function rsaProblem(jwk: JsonWebKey): string | undefined {
  const key = numbersOf(jwk);
  const bits = key.n.toString(2).length;
  if (bits < LEAST_BITS) {
    return `has ${bits} bits: at least ${LEAST_BITS} are needed, and ${RECOMMENDED_BITS} recommended`;
  }
  if (key.e % 2n === 0n) return 'has an even public exponent: it cannot work';
  if (key.e < LEAST_EXPONENT) return `has the public exponent ${key.e}: at least 65537 is needed`;
  if (key.e > GREATEST_EXPONENT) return 'has a public exponent that many verifiers cannot read';
  if (isRocaWeak(key.n)) {
    return 'comes from a chip or library whose keys can be broken (ROCA, CVE-2017-15361): make a new one elsewhere';
  }
  return belongs(key)
    ? weakPrimes(key, bits)
    : 'has a private part that does not belong to its public part';
}

/** What should be said of a key that is taken all the same. */
export function rsaAdvice(bits: number): string | undefined {
  return bits < RECOMMENDED_BITS
    ? `The key has ${bits} bits; ${RECOMMENDED_BITS} are recommended for one that is used after 2030.`
    : undefined;
}

function numbersOf(jwk: JsonWebKey): RsaNumbers {
  const number = (text = '') => BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`);
  const { n, e, d, p, q, dp, dq, qi } = jwk;
  return {
    n: number(n),
    e: number(e),
    d: number(d),
    p: number(p),
    q: number(q),
    dp: number(dp),
    dq: number(dq),
    qi: number(qi),
  };
}

/** Whether the private numbers are those of the public ones: OpenSSL mends some that are not, and others sign with them. */
function belongs({ n, e, d, p, q, dp, dq, qi }: RsaNumbers): boolean {
  if (p < 3n || q < 3n || p * q !== n) return false;
  return (
    (d * e) % (p - 1n) === 1n &&
    (d * e) % (q - 1n) === 1n &&
    dp === d % (p - 1n) &&
    dq === d % (q - 1n) &&
    (qi * q) % p === 1n
  );
}

function weakPrimes({ p, q }: RsaNumbers, bits: number): string | undefined {
  if (!checkPrimeSync(p) || !checkPrimeSync(q)) return 'is not made of two primes';
  // closer ones are found from the root of the modulus (FIPS 186-5, appendix A.1.1)
  const distance = p > q ? p - q : q - p;
  return distance < 2n ** BigInt(bits / 2 - 100) ? 'has two primes that are too close' : undefined;
}

/** The odd primes that the fingerprint of ROCA looks at. */
const SMALL_PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
  103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/**
 * Whether a modulus has the fingerprint of the weak generator: its primes are powers of 65537 modulo the product of the
 * small primes, and so is the modulus modulo each of them. Of good keys one in some hundred million has it (Nemec et
 * al., "The Return of Coppersmith's Attack", 2017, section 2.3).
 */
export function isRocaWeak(modulus: bigint): boolean {
  return SMALL_PRIMES.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))));
}

function powersOf65537(prime: number): Set<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}
