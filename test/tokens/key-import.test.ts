import { checkPrimeSync, generateKeyPairSync, generatePrimeSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Problem } from '../../core/errors.ts';
import type { Algorithm } from '../../tokens/algorithms.ts';
import { importKey } from '../../tokens/key-import.ts';
import { generatePair, type KeyPair } from '../../tokens/key-pair.ts';
import { isRocaWeak } from '../../tokens/key-strength.ts';

type Jwk = Record<string, unknown>;

const pemOf = (pair: KeyPair) => String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const jwkOf = (pair: KeyPair): Jwk => ({ ...pair.privateKey.export({ format: 'jwk' }) });
const base64url = (number: bigint) => {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
};

function inverse(value: bigint, modulus: bigint): bigint {
  let [r0, r1, s0, s1] = [modulus, value % modulus, 0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1, s0, s1] = [r1, r0 - quotient * r1, s1, s0 - quotient * s1];
  }
  return ((s0 % modulus) + modulus) % modulus;
}

/** The JWK of an RSA key of these primes, everything in it right. */
function rsaOf(p: bigint, q: bigint, e = 65_537n): Jwk {
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const members: Jwk = { kty: 'RSA' };
  for (const [name, value] of Object.entries(numbers)) members[name] = base64url(value);
  return members;
}

const prime = (bits: number) => generatePrimeSync(bits, { bigint: true });

/** A prime such as the weak generator makes: a power of 65537 modulo the product of the first primes. */
function rocaPrime(): bigint {
  const primes = Array.from({ length: 700 }, (_, index) => index + 2).filter((candidate) =>
    checkPrimeSync(BigInt(candidate)),
  );
  const product = primes.slice(0, 126).reduce((all, one) => all * BigInt(one), 1n);
  for (;;) {
    let power = 1n;
    for (let times = randomBytes(2).readUInt16BE(); times > 0; times -= 1) {
      power = (power * 65_537n) % product;
    }
    const factor = 2n ** 1024n / product - BigInt(randomBytes(3).readUIntBE(0, 3));
    const candidate = factor * product + power;
    if (checkPrimeSync(candidate)) return candidate;
  }
}

function refusal(text: string, settings: Algorithm, asked?: string): string {
  try {
    importKey(text, asked, settings);
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  throw new Error('this should have been refused, but was not');
}

describe('the import of a key', function () {
  this.timeout(120_000);
  let es256: KeyPair;
  let es384: KeyPair;
  let rsa: KeyPair;
  before(async () => {
    [es256, es384, rsa] = await Promise.all([
      generatePair('ES256'),
      generatePair('ES384'),
      generatePair('RS256'),
    ]);
  });

  const refuses = (
    name: string,
    text: () => string,
    says: string | RegExp,
    settings: Algorithm = 'ES256',
  ) => {
    it(`refuses ${name}`, () => {
      const message = refusal(text(), settings);
      expect(message).to.match(typeof says === 'string' ? new RegExp(says) : says);
      expect(message).to.match(/^[^\n]+$/);
    });
  };
  const json = (value: unknown) => JSON.stringify(value);

  describe('takes', () => {
    it('PKCS #8, SEC 1 with and without its parameters, and a JWK, for one and the same key', () => {
      const sec1 = String(es256.privateKey.export({ format: 'pem', type: 'sec1' }));
      const parameters =
        '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
      const windows = pemOf(es256).replaceAll('\n', '\r\n');
      const set = json({ keys: [jwkOf(es256)] });
      const jwk = json({ ...jwkOf(es256), alg: 'ES256', use: 'sig', key_ops: ['sign'], kid: 'x' });
      for (const text of [
        pemOf(es256),
        sec1,
        parameters + sec1,
        windows,
        set,
        jwk,
        `\n ${jwk}\n`,
      ]) {
        expect(importKey(text, undefined, 'ES256').pair.kid).to.equal(es256.kid);
      }
    });

    it('an RSA key in PKCS #1 or as a JWK, for whichever of its algorithms is set', () => {
      const pkcs1 = String(rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }));
      for (const text of [pkcs1, pemOf(rsa), json(jwkOf(rsa))]) {
        for (const algorithm of ['RS256', 'PS256'] as const) {
          const { pair, advice } = importKey(text, undefined, algorithm);
          expect(pair).to.include({ kid: rsa.kid, algorithm });
          expect(advice).to.equal(undefined);
        }
      }
    });

    it('an RSA key of 2048 bits, and recommends a longer one', () => {
      const key = json(rsaOf(prime(1024), prime(1024)));
      expect(importKey(key, undefined, 'RS256').advice).to.include('3072 are recommended');
    });

    it('nothing of a JWK but the numbers that make the key', () => {
      const jwk = { ...jwkOf(es256), x5c: ['AAAA'], jku: 'https://evil.example' };
      expect(importKey(json(jwk), undefined, 'ES256').pair.publicJwk).to.have.all.keys(
        'crv',
        'kty',
        'x',
        'y',
      );
    });
  });

  describe('of a PEM', () => {
    refuses('a blank before it', () => ` ${pemOf(es256)}`, 'blanks');
    refuses('an empty line before it', () => `\n${pemOf(es256)}`, 'blanks');
    refuses('indented lines', () => pemOf(es256).replaceAll('\n', '\n  '), 'blanks');
    refuses('literal \\n', () => pemOf(es256).replaceAll('\n', String.raw`\n`), 'two characters');
    refuses('quotation marks around it', () => `"${pemOf(es256)}"`, 'quotation marks');
    refuses('one quotation mark after it', () => `${pemOf(es256)}'`, 'quotation marks');
    refuses('a byte order mark', () => `\uFEFF${pemOf(es256)}`, 'byte order mark');
    refuses('text before it', () => `key: ${pemOf(es256)}`, 'before the BEGIN line');
    refuses(
      'lines that were joined',
      () => pemOf(es256).replaceAll('\n', ' '),
      'lines of their own',
    );
    refuses('an END that is missing', () => pemOf(es256).slice(0, 120), 'cut off');
    refuses(
      'lines that are missing',
      () => pemOf(es256).split('\n').toSpliced(2, 1).join('\n'),
      'cut off',
    );
    refuses(
      'characters that are missing',
      () => pemOf(es256).replace(/....\n-----END/, '\n-----END'),
      'cut off|damaged',
    );
    refuses(
      'one character that is missing',
      () => pemOf(es256).replace(/.\n-----END/, '\n-----END'),
      'damaged',
    );
    refuses(
      'another END than BEGIN',
      () => pemOf(es256).replace('END PRIVATE', 'END RSA PRIVATE'),
      'name different things',
    );
    refuses('two keys', () => pemOf(es256) + pemOf(es384), '2 PEM blocks');
    refuses(
      'base64 that is no key',
      () => '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n',
      'no key in it',
    );
    refuses(
      'a public key',
      () => {
        const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        return String(publicKey.export({ format: 'pem', type: 'spki' }));
      },
      'public key only',
    );
    refuses(
      'a certificate',
      () => '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n',
      'certificate only',
    );
    refuses(
      'an encrypted key',
      () => {
        const format = {
          format: 'pem',
          type: 'pkcs8',
          cipher: 'aes-256-cbc',
          passphrase: 'x',
        } as const;
        return String(es256.privateKey.export(format));
      },
      'encrypted with a passphrase',
    );
    refuses(
      'an encrypted key of the old kind',
      () => {
        const format = {
          format: 'pem',
          type: 'sec1',
          cipher: 'aes-256-cbc',
          passphrase: 'x',
        } as const;
        return String(es256.privateKey.export(format));
      },
      'encrypted with a passphrase',
    );
    refuses('an empty file', () => ' \n', 'empty');
    refuses('anything else', () => 'hunter2', 'neither a PEM nor a JWK');
    refuses('what is too long', () => 'A'.repeat(100_000), 'too long');
  });

  describe('of a key that no algorithm uses', () => {
    const generated = (name: 'ed25519' | 'x25519') => () =>
      String(
        (name === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('x25519')
        ).privateKey.export({
          format: 'pem',
          type: 'pkcs8',
        }),
      );
    refuses('Ed25519', generated('ed25519'), 'the type ed25519');
    refuses('X25519', generated('x25519'), 'the type x25519');
    refuses(
      'another curve',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
        return String(privateKey.export({ format: 'pem', type: 'pkcs8' }));
      },
      'the curve secp256k1',
    );
    refuses(
      'RSA for PSS alone',
      () => {
        const { privateKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
        return String(privateKey.export({ format: 'pem', type: 'pkcs8' }));
      },
      'the type rsa-pss',
      'PS256',
    );
  });

  describe('of a JWK', () => {
    const jwk =
      (change: Jwk = {}) =>
      () =>
        json({ ...jwkOf(es256), ...change });
    refuses('text that is no JSON', () => '{"kty":', 'not JSON');
    refuses('a public one', jwk({ d: undefined }), 'public only');
    refuses('a shared secret', () => json({ kty: 'oct', k: 'AAAA' }), 'shared secret');
    refuses(
      'another kind of key',
      () => json({ kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA' }),
      'EC or an RSA',
    );
    refuses('none at all', () => '{}', 'EC or an RSA');
    refuses('one to encrypt with', jwk({ use: 'enc' }), '"use"');
    refuses('one that also encrypts', jwk({ key_ops: ['sign', 'encrypt'] }), '"key_ops"');
    refuses('one that only verifies', jwk({ key_ops: ['verify'] }), '"key_ops"');
    refuses('"key_ops" that are no list', jwk({ key_ops: 'sign' }), '"key_ops"');
    refuses('an algorithm that is not supported', jwk({ alg: 'ES512' }), 'must be one of');
    refuses('an algorithm of shared secrets', jwk({ alg: 'HS256' }), 'must be one of');
    refuses('no algorithm at all', jwk({ alg: 'none' }), 'must be one of');
    refuses('an algorithm of another curve', jwk({ alg: 'ES384' }), 'does not fit');
    refuses('an algorithm of another kind of key', jwk({ alg: 'RS256' }), 'does not fit');
    refuses('an algorithm that is no text', jwk({ alg: ['ES256'] }), 'no text');
    refuses('a curve that is not supported', jwk({ crv: 'P-521' }), '"crv"');
    refuses('the name of a property of every object', jwk({ crv: 'constructor' }), '"crv"');
    refuses('a coordinate that is missing', jwk({ y: undefined }), 'lacks "y"');
    refuses('a coordinate that is too short', jwk({ x: 'AAAA' }), '32 bytes');
    refuses(
      'base64 with padding',
      () => json({ ...jwkOf(es256), d: `${String(jwkOf(es256)['d'])}=` }),
      '"d" of the JWK is damaged',
    );
    refuses('a private part that is a number', jwk({ d: 7 }), 'damaged');
    refuses(
      'a point that is not on the curve',
      () => json({ ...jwkOf(es256), y: jwkOf(es256)['x'] }),
      'not on the curve',
    );
    refuses(
      'the private part of another key',
      () => {
        const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
        return json({ ...jwkOf(es256), d: other.export({ format: 'jwk' }).d });
      },
      'does not belong',
    );
    refuses(
      'a private part of nothing',
      () => json({ ...jwkOf(es256), d: Buffer.alloc(32).toString('base64url') }),
      'no number of the curve|does not belong',
    );
  });

  describe('of a JWK set', () => {
    refuses('an empty one', () => json({ keys: [] }), 'empty');
    refuses('one that holds no keys', () => json({ keys: ['x'] }), 'damaged');
    refuses('several keys', () => json({ keys: [jwkOf(es256), jwkOf(es384)] }), '2 keys');
    refuses(
      'one kid twice',
      () =>
        json({
          keys: [
            { ...jwkOf(es256), kid: 'a' },
            { ...jwkOf(es384), kid: 'a' },
          ],
        }),
      'one "kid"',
    );
    refuses(
      'private keys among public ones',
      () => json({ keys: [jwkOf(es256), es384.publicJwk] }),
      'mixes',
    );
    refuses(
      'shared secrets among key pairs',
      () => json({ keys: [jwkOf(es256), { kty: 'oct', k: 'AA' }] }),
      'mixes',
    );
  });

  describe('of an RSA key', () => {
    const damaged = (change: (jwk: Jwk) => Jwk) => () =>
      json({ ...jwkOf(rsa), ...change(jwkOf(rsa)) });
    const number = (jwk: Jwk, name: string) =>
      BigInt(`0x${Buffer.from(String(jwk[name]), 'base64url').toString('hex')}`);
    refuses(
      '1024 bits',
      () => json(rsaOf(prime(512), prime(512))),
      /has 1024 bits: at least 2048 .* 3072 recommended/,
      'RS256',
    );
    refuses(
      'the exponent 3',
      () => {
        const fitting = () => {
          for (;;) {
            const candidate = prime(1024);
            if (candidate % 3n === 2n) return candidate;
          }
        };
        return json(rsaOf(fitting(), fitting(), 3n));
      },
      'exponent 3',
      'RS256',
    );
    refuses(
      'the exponent 1',
      damaged(() => ({ e: 'AQ' })),
      'exponent 1',
      'RS256',
    );
    refuses(
      'an even exponent',
      damaged(() => ({ e: base64url(65_538n) })),
      'even public exponent',
      'RS256',
    );
    refuses(
      'a huge exponent',
      () => json(rsaOf(prime(1024), prime(1024), 2n ** 61n - 1n)),
      'many verifiers',
      'RS256',
    );
    refuses(
      'another modulus',
      damaged((jwk) => ({ n: base64url(number(jwk, 'n') + 2n) })),
      'does not belong',
      'RS256',
    );
    refuses(
      'another private exponent',
      damaged((jwk) => ({ d: base64url(number(jwk, 'd') + 2n) })),
      'does not belong',
      'RS256',
    );
    for (const name of ['dp', 'dq', 'qi']) {
      refuses(
        `another "${name}", which OpenSSL would mend`,
        damaged((jwk) => ({ [name]: base64url(number(jwk, name) + 2n) })),
        'does not belong',
        'RS256',
      );
    }
    refuses(
      'missing primes',
      damaged(() => ({ p: undefined, q: undefined })),
      'lacks "p", "q"',
      'RS256',
    );
    refuses(
      'more than two primes',
      damaged(() => ({ oth: [] })),
      'more than two primes',
      'RS256',
    );
    refuses(
      'primes that are too close',
      () => {
        const p = prime(1024);
        let q = p + 2n;
        while (!checkPrimeSync(q)) q += 2n;
        return json(rsaOf(p, q));
      },
      'too close',
      'RS256',
    );
    refuses(
      'the fingerprint of ROCA',
      () => json(rsaOf(rocaPrime(), rocaPrime())),
      'ROCA',
      'RS256',
    );

    it('finds no fingerprint of ROCA in good keys', () => {
      const jwk = rsa.privateKey.export({ format: 'jwk' });
      expect(isRocaWeak(number({ ...jwk }, 'n'))).to.equal(false);
      for (let times = 0; times < 200; times += 1) {
        expect(isRocaWeak(BigInt(`0x${randomBytes(256).toString('hex')}`) | 1n)).to.equal(false);
      }
    });
  });

  describe('for JWT_ALGORITHM', () => {
    it('refuses a key that the next start would withdraw, and says in which order to go', () => {
      for (const settings of ['HS256', 'ES384', 'RS256'] as const) {
        expect(refusal(pemOf(es256), settings)).to.include('set JWT_ALGORITHM=ES256 first');
      }
    });

    it('refuses an algorithm that does not fit the key, or contradicts its JWK', () => {
      expect(refusal(pemOf(es256), 'ES256', 'RS256')).to.include('does not fit');
      const named = json({ ...jwkOf(rsa), alg: 'PS256' });
      expect(refusal(named, 'RS256', 'RS256')).to.include('for PS256, not for RS256');
      expect(refusal(named, 'RS256')).to.include('set JWT_ALGORITHM=PS256 first');
    });
  });
});
