import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier, TokenError } from '#verify';
import { USER_CLAIMS } from '../../tokens/claims.ts';
import { createIssuer } from '../../tokens/issuer.ts';
import type { HmacAlgorithm } from '../../tokens/algorithms.ts';
import { DAY, SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { base64url, forge, goodClaims, trustedKey } from '../support/forge.ts';
import { hmacKeyRing } from '../support/key-ring.ts';

const ISSUER = 'https://login.example.org';
const secret = randomBytes(64).toString('hex');
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('an attacker', () => {
  const clock = new TestClock();
  const keyRing = hmacKeyRing('HS256', secret);
  const { kid } = keyRing.signing();
  const verifier = createVerifier({
    issuer: ISSUER,
    keys: keyRing,
    revocation: 'off',
    now: () => clock.now(),
  });
  const header = { alg: 'HS256', typ: 'JWT', kid };
  const claims = (more: object = {}) => ({ ...goodClaims(ISSUER, clock.now() / SECOND), ...more });

  /** A token as the service issues it. */
  async function issued(algorithm: HmacAlgorithm = 'HS256'): Promise<string> {
    const issuer = createIssuer({
      keyRing: hmacKeyRing(algorithm, secret),
      clock,
      issuer: ISSUER,
      audiences: [],
      claims: USER_CLAIMS,
      expiresIn: 21_600,
      profile: 'jwt',
      statusListUri: (list) => `${ISSUER}/status-lists/${list}`,
    });
    const user = { id: 'u1', username: 'ada', name: null, email: null, roles: [] };
    const session = {
      publicId: 's1',
      amr: 'pwd',
      createdAt: clock.now(),
      expiresAt: clock.now() + DAY,
      status: { list: 'l1', index: 7 },
    };
    return (await issuer.issue(user, session)).jwt;
  }

  async function reason(jwt: string) {
    try {
      await verifier.verify(jwt);
      return 'accepted';
    } catch (error) {
      if (error instanceof TokenError) return error.reason;
      throw error;
    }
  }

  it('gets nowhere, while the token itself is right', async () => {
    expect(await reason(await issued())).to.equal('accepted');
    expect(await reason(forge(header, claims(), secret))).to.equal('accepted');
  });

  describe('who changes one character', () => {
    /** Every token that differs from this one in one place. */
    function* variants(jwt: string, replacements: string): Generator<[at: number, jwt: string]> {
      for (let at = 0; at < jwt.length; at += 1) {
        for (const character of replacements) {
          if (jwt[at] !== character) yield [at, jwt.slice(0, at) + character + jwt.slice(at + 1)];
        }
      }
    }
    const nearby = (jwt: string) => {
      const last = jwt.at(-1) ?? '';
      const index = BASE64URL.indexOf(last);
      return [1, 2, 3].map((step) => BASE64URL[(index & ~3) | ((index + step) & 3)] ?? '').join('');
    };

    it('is refused by our verifier, whatever and wherever it is', async () => {
      const jwt = await issued();
      for (const [at, altered] of variants(jwt, `AQgw9-_.=+/ \n\u0000é${nearby(jwt)}`)) {
        expect(await reason(altered), `${altered} at ${at}`).not.to.equal('accepted');
      }
    });

    it('is refused by jsonwebtoken', async () => {
      const jwt = await issued();
      expect(jsonwebtoken.verify(jwt, secret)).to.include({ sub: 'u1' });
      for (const [at, altered] of variants(jwt, `AQgw9-_.=${nearby(jwt)}`)) {
        expect(() => jsonwebtoken.verify(altered, secret), `${altered} at ${at}`).to.throw();
      }
    });

    it('is refused by jose, but for the bits that the last character of a signature has to spare', async () => {
      const key = new TextEncoder().encode(secret);
      // 32 and 64 bytes leave 2 and 4 bits of their last character unused, 48 bytes none: same bytes, other spellings.
      for (const [algorithm, spellings] of [
        ['HS256', 3],
        ['HS384', 0],
        ['HS512', 15],
      ] as const) {
        const jwt = await issued(algorithm);
        const accepted: string[] = [];
        for (const [, altered] of variants(jwt, 'AQgw9-_')) {
          await jwtVerify(altered, key).then(
            () => accepted.push(altered),
            () => undefined,
          );
        }
        for (const character of BASE64URL) {
          const altered = jwt.slice(0, -1) + character;
          if (altered === jwt || accepted.includes(altered)) continue;
          await jwtVerify(altered, key).then(
            () => accepted.push(altered),
            () => undefined,
          );
        }
        const signature = (text: string) =>
          Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url').toString('hex');
        expect(accepted, algorithm).to.have.length(spellings);
        for (const altered of accepted) {
          expect(altered.slice(0, -1)).to.equal(jwt.slice(0, -1));
          expect(signature(altered)).to.equal(signature(jwt));
          expect(await reason(altered)).not.to.equal('accepted');
        }
      }
    });
  });

  describe('who leaves the signature out', () => {
    it('is refused with "none" in every spelling', async () => {
      const spellings = [
        'none',
        'None',
        'NONE',
        'nOnE',
        'none ',
        ' none',
        'none\u0000',
        'ｎｏｎｅ',
        '',
        'null',
      ];
      for (const alg of spellings) {
        for (const more of [{ kid }, {}]) {
          const [head = '', payload = '', signature = ''] = forge(
            { ...more, alg },
            claims(),
            secret,
          ).split('.');
          for (const end of ['', signature, base64url('x'), 'AAAA']) {
            expect(await reason(`${head}.${payload}.${end}`), alg).not.to.equal('accepted');
          }
          expect(await reason(`${head}.${payload}`)).to.equal('malformed');
        }
      }
    });

    it('is refused with an empty, a short and a long signature', async () => {
      const jwt = await issued();
      const [head = '', payload = '', signature = ''] = jwt.split('.');
      const bytes = Buffer.from(signature, 'base64url');
      const others = [
        '',
        'AA',
        base64url(bytes.subarray(0, 31)),
        base64url(Buffer.concat([bytes, Buffer.of(0)])),
        base64url(Buffer.alloc(32)),
      ];
      for (const other of others)
        expect(await reason(`${head}.${payload}.${other}`), other).not.to.equal('accepted');
    });
  });

  describe('security 1: who chooses the algorithm', () => {
    it('is refused with another hash under the same secret', async () => {
      for (const alg of ['HS384', 'HS512']) {
        expect(await reason(forge({ ...header, alg }, claims(), secret, alg))).to.equal(
          'wrong_algorithm',
        );
        expect(await reason(forge(header, claims(), secret, alg))).to.equal('bad_signature');
        const its = hmacKeyRing(alg === 'HS384' ? 'HS384' : 'HS512', secret).signing().kid;
        expect(await reason(forge({ alg, kid: its }, claims(), secret, alg))).to.equal(
          'unknown_key',
        );
      }
    });

    it('is refused with any other name of an algorithm', async () => {
      for (const alg of [
        'hs256',
        'HS256 ',
        'RS256',
        'ES256',
        'PS256',
        'EdDSA',
        'dir',
        'A128KW',
        'HS1',
        ['HS256'],
        { HS256: 1 },
        null,
        256,
        true,
        undefined,
      ]) {
        expect(
          await reason(forge({ ...header, alg }, claims(), secret)),
          JSON.stringify(alg),
        ).to.equal('wrong_algorithm');
      }
    });

    it('is refused when a key of another kind is asked to verify an HMAC', async () => {
      const publicPem =
        '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----';
      for (const pem of [
        publicPem,
        ` ${publicPem}`,
        publicPem.replaceAll('\n', String.raw`\n`),
        `"${publicPem}"`,
        publicPem.slice(0, 40),
      ]) {
        expect(await reason(forge(header, claims(), pem))).to.equal('bad_signature');
      }
    });
  });

  describe('who names the key', () => {
    it('is refused without a name, and with one that is unknown or no text', async () => {
      const kids = [
        undefined,
        null,
        '',
        'other',
        kid.toUpperCase(),
        ` ${kid}`,
        `${kid}\u0000`,
        [kid],
        [[kid]],
        { kid },
        0,
        true,
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        '../../../../dev/null',
        '/dev/null',
        'file:///dev/null',
        "' OR '1'='1",
        "x' UNION SELECT 'secret' --",
        '*',
        '%',
        'http://127.0.0.1/key',
        'x'.repeat(1000),
      ];
      for (const named of kids) {
        expect(
          await reason(forge({ ...header, kid: named }, claims(), secret)),
          JSON.stringify(named),
        ).to.equal('unknown_key');
        expect(
          await reason(forge({ ...header, kid: named }, claims(), '')),
          JSON.stringify(named),
        ).to.equal('unknown_key');
      }
    });

    it('is refused with the right name and another secret', async () => {
      for (const other of [
        '',
        '\u0000',
        secret.slice(1),
        `${secret} `,
        kid,
        'secret',
        'undefined',
        'null',
        '[object Object]',
      ]) {
        expect(await reason(forge(header, claims(), other)), other).to.equal('bad_signature');
      }
    });
  });

  describe('security 18: who brings a key or rules along in the header', () => {
    it('is refused, and nobody is asked for that key', async () => {
      let visits = 0;
      const listener = createServer((_, res) => {
        visits += 1;
        res.end();
      });
      listener.on('connection', () => (visits += 1));
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      try {
        const address = listener.address();
        const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : ''}/keys`;
        const own = { kty: 'oct', k: base64url('attacker'), kid, alg: 'HS256' };
        const additions: Record<string, unknown>[] = [
          { jku: url },
          { x5u: url },
          { jku: url, kid: 'other' },
          { jwk: own },
          { jwk: own, kid: undefined },
          { x5c: ['MIIB'] },
          { crit: [] },
          { crit: ['exp'], exp: 1 },
          { crit: ['b64'], b64: false },
          { crit: ['x'], x: 1 },
          { crit: 'exp' },
          { jwk: null },
          { crit: null },
          { jku: '' },
          { x5u: false },
        ];
        for (const addition of additions) {
          for (const key of [secret, 'attacker']) {
            expect(
              await reason(forge({ ...header, ...addition }, claims(), key)),
              JSON.stringify(addition),
            ).to.equal('header_refused');
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
        expect(visits).to.equal(0);
      } finally {
        await new Promise((resolve) => listener.close(resolve));
      }
    });

    it('cannot hide that behind a second name', async () => {
      const twice = `{"alg":"HS256","kid":"${kid}","jku":"http://127.0.0.1","jku":null}`;
      expect(await reason(forge(twice, claims(), secret))).to.equal('header_refused');
      expect(
        await reason(
          forge(`{"alg":"none","alg":"HS256","kid":"${kid}","crit":[]}`, claims(), secret),
        ),
      ).to.equal('header_refused');
    });

    it('cannot put them on the prototype', async () => {
      const polluted = `{"alg":"HS256","__proto__":{"kid":"${kid}"}}`;
      expect(await reason(forge(polluted, claims(), secret))).to.equal('unknown_key');
      const algorithm = `{"kid":"${kid}","__proto__":{"alg":"HS256"}}`;
      expect(await reason(forge(algorithm, claims(), secret))).to.equal('wrong_algorithm');
    });

    it('is refused with a header that is no object', async () => {
      for (const text of [
        '[]',
        'null',
        '"x"',
        '1',
        '',
        '{',
        'x',
        `[{"alg":"HS256","kid":"${kid}"}]`,
        '\u0000',
        '\uFEFF{}',
      ]) {
        expect(await reason(forge(text, claims(), secret)), text).to.equal('malformed');
      }
      expect(await reason(forge('{}', claims(), secret))).to.equal('unknown_key');
    });
  });

  describe('who writes the token in another form', () => {
    it('is refused', async () => {
      const jwt = await issued();
      const [head = '', payload = '', signature = ''] = jwt.split('.');
      const json = { payload, protected: head, signature };
      const forms = [
        '',
        '.',
        '..',
        '...',
        'x',
        jwt.slice(0, -1),
        jwt.slice(1),
        `${head}.${payload}`,
        `${head}.${payload}.`,
        `.${payload}.${signature}`,
        `${head}..${signature}`,
        `${payload}.${head}.${signature}`,
        `${jwt}.`,
        `.${jwt}`,
        `${jwt}.${signature}`,
        `${jwt}.${jwt}`,
        jwt + jwt,
        `${head}.${payload}.${signature}.${payload}.${signature}`,
        ` ${jwt}`,
        `${jwt} `,
        `${jwt}\n`,
        `\t${jwt}`,
        `${jwt}\u0000`,
        `${head}. ${payload}.${signature}`,
        `${head}.\n${payload}.${signature}`,
        `${jwt}=`,
        `${jwt}==`,
        `${head}=.${payload}.${signature}`,
        `${head}.${payload}=.${signature}`,
        `Bearer ${jwt}`,
        `"${jwt}"`,
        encodeURIComponent(`${jwt} `),
        jwt.replaceAll('.', '%2E'),
        jwt.replaceAll('.', '。'),
        jwt.toUpperCase(),
        jwt.toLowerCase(),
        jwt.split('').toReversed().join(''),
        base64url(jwt),
        `${jwt},${jwt}`,
        `\uFEFF${jwt}`,
        JSON.stringify(json),
        JSON.stringify({ payload, signatures: [{ protected: head, signature }] }),
        JSON.stringify([jwt]),
        'a.b.c.d.e',
        `${head}.${payload}.${Buffer.from(signature, 'base64url').toString('base64')}=`,
      ];
      for (const form of forms)
        expect(await reason(form), form.slice(0, 60)).not.to.equal('accepted');
    });

    it('is refused with a token of a megabyte, at once', async () => {
      const long = 'x'.repeat(1_000_000);
      expect(await reason(forge(header, claims({ long }), secret))).to.equal('malformed');
      expect(await reason(forge({ ...header, long }, claims(), secret))).to.equal('malformed');
      for (const text of [
        long,
        '.'.repeat(1_000_000),
        `${long}.${long}.${long}`,
        'x.'.repeat(500_000),
      ]) {
        expect(await reason(text)).to.equal('malformed');
      }
    });
  });

  it('is refused with the secret of one key under the name of another', async () => {
    const two = [trustedKey(secret, 'a'), trustedKey(`${secret}2`, 'b')];
    const other = createVerifier({ issuer: ISSUER, keys: two, now: () => clock.now() });
    const swapped = forge({ alg: 'HS256', typ: 'JWT', kid: 'b' }, claims(), secret);
    expect(await failureOf(other.verify(swapped))).to.include({ reason: 'bad_signature' });
  });
});
