import { constants, hash, privateEncrypt, sign } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { createVerifier, secretKey, type Verifier, type VerifierOptions } from '#verify';
import { SECOND, TestClock } from '../support/clock.ts';
import { base64url, forge, goodClaims } from '../support/forge.ts';
import { pair, type Pair, type PairAlgorithm, signed } from './pairs.ts';
import { type Publisher, startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';
const secret = 'neither an attacker nor anybody else knows this text';

/** The orders of the curves (FIPS 186-5, appendix A.1). */
const CURVES = {
  ES256: {
    length: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  ES384: {
    length: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
} as const;

/** What stands before a digest in a signature (RFC 8017, section 9.2, note 1), and the form that it must not have. */
const SHA256_INFO = '3031300d060960864801650304020105000420';
const SHA256_INFO_WITHOUT_NULL = '302f300b06096086480165030402010420';

const numberOf = (bytes: Buffer) => BigInt(`0x0${bytes.toString('hex')}`);
const bytesOf = (integer: bigint, length: number) =>
  Buffer.from(integer.toString(16).padStart(2 * length, '0'), 'hex');

/** The same header and payload under another signature. */
const withSignature = (jwt: string, bytes: Buffer) =>
  jwt.slice(0, jwt.lastIndexOf('.') + 1) + bytes.toString('base64url');
const signatureOf = (jwt: string) => Buffer.from(jwt.slice(jwt.lastIndexOf('.') + 1), 'base64url');
const inputOf = (jwt: string) => Buffer.from(jwt.slice(0, jwt.lastIndexOf('.')));

/** DER, and ways to write the same numbers that are no DER. */
function ders(raw: Buffer): Record<string, Buffer> {
  const half = raw.length / 2;
  const trimmed = (bytes: Buffer) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    return (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short;
  };
  const integer = (bytes: Buffer) => Buffer.concat([Buffer.of(2, bytes.length), bytes]);
  const sequence = (parts: Buffer[]) => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.of(0x30, body.length), body]);
  };
  const [r, s] = [raw.subarray(0, half), raw.subarray(half)];
  const zero = Buffer.of(0);
  return {
    DER: sequence([integer(trimmed(r)), integer(trimmed(s))]),
    'DER with zeros before': sequence([
      integer(Buffer.concat([zero, zero, r])),
      integer(Buffer.concat([zero, zero, s])),
    ]),
    'DER of zeros': sequence([integer(zero), integer(zero)]),
  };
}

/** Published keys of every kind, and a verifier that trusts them beside a secret. */
describe('an attacker of published keys', () => {
  const clock = new TestClock();
  const now = () => clock.now();
  const pairs = {
    ES256: pair('es256'),
    ES384: pair('es384', 'ES384'),
    RS256: pair('rs256', 'RS256'),
    PS256: pair('ps256', 'PS256'),
  };
  /** The same RSA key for two algorithms: a mistake of the issuer's that must not be ours. */
  const shared = pair('shared-rs256', 'RS256');
  const sharedPss: Pair = { ...shared, kid: 'shared-ps256', algorithm: 'PS256' };
  const all = [...Object.values(pairs), shared];
  const KINDS = Object.keys(pairs) as PairAlgorithm[];
  let service: Publisher;
  let verifier: Verifier;
  const claims = (more: object = {}) => ({
    ...goodClaims(issuer, Math.floor(clock.now() / SECOND)),
    ...more,
  });

  const verifierWith = (more: Partial<VerifierOptions> = {}) =>
    createVerifier({
      issuer,
      secret,
      jwksUri: `${service.url}/keys`,
      revocation: 'off',
      now,
      ...more,
    });

  beforeEach(async () => {
    service = await startPublisher();
    service.publish('/keys', {
      keys: [...all.map(({ jwk }) => jwk), { ...shared.jwk, kid: sharedPss.kid, alg: 'PS256' }],
    });
    verifier = verifierWith();
  });
  afterEach(() => service[Symbol.asyncDispose]());

  it('sees that the keys and the secret are good for what they are for', async () => {
    for (const by of [...all, sharedPss]) {
      expect(await reasonOf(verifier, signed(by, claims())), by.kid).to.equal('accepted');
    }
    const { kid } = secretKey(secret, 'HS256');
    const jwt = forge({ alg: 'HS256', typ: 'JWT', kid }, claims(), secret);
    expect(await reasonOf(verifier, jwt)).to.equal('accepted');
  });

  for (const algorithm of ['ES256', 'ES384'] as const) {
    describe(`with a signature of ${algorithm}`, () => {
      const own = pairs[algorithm];
      const { length, order } = CURVES[algorithm];

      it('whose numbers have no place on the curve is refused', async () => {
        const jwt = signed(own, claims());
        const bytes = signatureOf(jwt);
        const [r, s] = [numberOf(bytes.subarray(0, length)), numberOf(bytes.subarray(length))];
        const maximum = 2n ** BigInt(8 * length) - 1n;
        const pairsOf: Record<string, [bigint, bigint]> = {
          'both 0 (CVE-2022-21449)': [0n, 0n],
          'r = 0': [0n, s],
          's = 0': [r, 0n],
          'r = 0, s = 1': [0n, 1n],
          'both 1': [1n, 1n],
          'both the order': [order, order],
          'r the order': [order, s],
          's the order': [r, order],
          'r = n, s = 0': [order, 0n],
          'r = n - r': [order - r, s],
          'r = n - r, s = n - s': [order - r, order - s],
          'both the greatest': [maximum, maximum],
          exchanged: [s, r],
        };
        for (const [name, [one, other]] of Object.entries(pairsOf)) {
          const forged = Buffer.concat([bytesOf(one, length), bytesOf(other, length)]);
          const reason = await reasonOf(verifier, withSignature(jwt, forged));
          expect(reason, name).to.equal('bad_signature');
        }
      });

      it('that is written in another form is refused', async () => {
        const jwt = signed(own, claims());
        const bytes = signatureOf(jwt);
        const [r, s] = [bytes.subarray(0, length), bytes.subarray(length)];
        const zero = Buffer.of(0);
        const forms = {
          ...ders(bytes),
          'a zero before each': Buffer.concat([zero, r, zero, s]),
          'a zero after each': Buffer.concat([r, zero, s, zero]),
          'one of the two': r,
          'three of the two': Buffer.concat([r, s, s]),
          'in hexadecimal': Buffer.from(bytes.toString('hex')),
          'in base64url': Buffer.from(bytes.toString('base64url')),
        };
        for (const [name, form] of Object.entries(forms)) {
          expect(await reasonOf(verifier, withSignature(jwt, form)), name).to.equal(
            'bad_signature',
          );
        }
      });

      // mathematics: (r, s) and (r, n - s) are signatures of the same text
      it('can be mirrored by anybody: that gives the same token again, and nothing more', async () => {
        const jwt = signed(own, claims());
        const bytes = signatureOf(jwt);
        const mirrored = bytesOf(order - numberOf(bytes.subarray(length)), length);
        const twin = withSignature(jwt, Buffer.concat([bytes.subarray(0, length), mirrored]));
        expect(twin).not.to.equal(jwt);
        const [token, again] = [await verifier.verify(jwt), await verifier.verify(twin)];
        expect(again).to.deep.equal(token);
        clock.advance((21_600 + 5) * SECOND);
        expect(await reasonOf(verifier, jwt)).to.equal('expired');
        expect(await reasonOf(verifier, twin)).to.equal('expired');
      });

      it('of another curve or hash is refused', async () => {
        const other = pairs[algorithm === 'ES256' ? 'ES384' : 'ES256'];
        const { kid } = own;
        expect(await reasonOf(verifier, signed({ ...other, kid }, claims()))).to.equal(
          'wrong_algorithm',
        );
        const hidden = signed({ ...other, kid }, claims(), { alg: algorithm });
        expect(await reasonOf(verifier, hidden)).to.equal('bad_signature');
        const jwt = signed(own, claims());
        for (const digest of ['sha1', 'sha256', 'sha384', 'sha512']) {
          if (digest === `sha${algorithm.slice(2)}`) continue;
          const key = { key: own.privateKey, dsaEncoding: 'ieee-p1363' as const };
          const forged = withSignature(jwt, sign(digest, inputOf(jwt), key));
          expect(await reasonOf(verifier, forged), digest).to.equal('bad_signature');
        }
      });
    });
  }

  describe('with a signature of RSA', () => {
    const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants;
    const modulusOf = ({ jwk }: Pair) => numberOf(Buffer.from(jwk.n ?? '', 'base64url'));

    it('of the other padding is refused, even where one key is published for both', async () => {
      for (const [by, other] of [
        [shared, sharedPss],
        [sharedPss, shared],
      ] as const) {
        const { kid, algorithm } = other;
        const named = signed(by, claims(), { kid });
        expect(await reasonOf(verifier, named), kid).to.equal('wrong_algorithm');
        const hidden = signed(by, claims(), { kid, alg: algorithm });
        expect(await reasonOf(verifier, hidden), kid).to.equal('bad_signature');
      }
    });

    it('with another hash or salt is refused', async () => {
      for (const [algorithm, padding] of [
        ['RS256', RSA_PKCS1_PADDING],
        ['PS256', RSA_PKCS1_PSS_PADDING],
      ] as const) {
        const own = pairs[algorithm];
        const jwt = signed(own, claims());
        const key = { key: own.privateKey, padding };
        const others: Record<string, Buffer> = {
          'SHA-1': sign('sha1', inputOf(jwt), key),
          'SHA-384': sign('sha384', inputOf(jwt), key),
          'SHA-512': sign('sha512', inputOf(jwt), key),
        };
        if (algorithm === 'PS256') {
          for (const saltLength of [0, 20, 31, 33, 48]) {
            others[`a salt of ${saltLength}`] = sign('sha256', inputOf(jwt), {
              ...key,
              saltLength,
            });
          }
        }
        for (const [name, bytes] of Object.entries(others)) {
          expect(await reasonOf(verifier, withSignature(jwt, bytes)), name).to.equal(
            'bad_signature',
          );
        }
      }
    });

    it('that is the same number in another way is refused', async () => {
      for (const own of [pairs.RS256, pairs.PS256]) {
        const n = modulusOf(own);
        let jwt: string;
        do jwt = signed(own, claims());
        while (numberOf(signatureOf(jwt)) + n >= 2n ** 2048n); // until s + n has room
        const bytes = signatureOf(jwt);
        const s = numberOf(bytes);
        const zero = Buffer.of(0);
        const others: Record<string, Buffer> = {
          's + n': bytesOf(s + n, 256),
          'n - s': bytesOf(n - s, 256),
          'a zero before': Buffer.concat([zero, bytes]),
          'a zero after': Buffer.concat([bytes, zero]),
          zero: bytesOf(0n, 256),
          one: bytesOf(1n, 256),
          n: bytesOf(n, 256),
          'n - 1': bytesOf(n - 1n, 256),
        };
        for (const [name, other] of Object.entries(others)) {
          const reason = await reasonOf(verifier, withSignature(jwt, other));
          expect(reason, `${own.kid}: ${name}`).to.equal('bad_signature');
        }
      }
    });

    it('whose padding is not to the byte what it should be is refused', async () => {
      const own = pairs.RS256;
      const jwt = signed(own, claims());
      const digest = hash('sha256', inputOf(jwt), 'buffer');
      const named = Buffer.concat([Buffer.from(SHA256_INFO, 'hex'), digest]);
      const noNull = Buffer.concat([Buffer.from(SHA256_INFO_WITHOUT_NULL, 'hex'), digest]);
      const under = (length: number, byte = 255) => Buffer.alloc(length, byte);
      const padded = (padding: Buffer, content: Buffer) => {
        const head = Buffer.concat([Buffer.of(0, 1), padding, Buffer.of(0), content]);
        const block = Buffer.concat([head, Buffer.alloc(256 - head.length, 7)]);
        const key = { key: own.privateKey, padding: constants.RSA_NO_PADDING };
        return withSignature(jwt, privateEncrypt(key, block));
      };
      expect(await reasonOf(verifier, padded(under(202), named))).to.equal('accepted');
      const others: Record<string, string> = {
        'a short padding, with rubbish behind (Bleichenbacher, 2006)': padded(under(8), named),
        'no padding': padded(under(0), named),
        'other bytes': padded(under(202, 254), named),
        'no NULL': padded(under(204), noNull),
        'no name of the hash': padded(under(221), digest),
      };
      for (const [name, forged] of Object.entries(others)) {
        expect(await reasonOf(verifier, forged), name).to.equal('bad_signature');
      }
    });
  });

  it('is refused with every key under the name of every other, and under every other algorithm', async () => {
    for (const by of KINDS) {
      for (const under of KINDS.filter((kind) => kind !== by)) {
        const { kid } = pairs[under];
        const where = `${by} as ${under}`;
        expect(await reasonOf(verifier, signed(pairs[by], claims(), { kid })), where).to.equal(
          'wrong_algorithm',
        );
        const hidden = signed(pairs[by], claims(), { kid, alg: under });
        expect(await reasonOf(verifier, hidden), where).to.equal('bad_signature');
        const renamed = signed(pairs[by], claims(), { alg: under });
        expect(await reasonOf(verifier, renamed), where).to.equal('wrong_algorithm');
      }
      const stranger = pair(pairs[by].kid, by);
      expect(await reasonOf(verifier, signed(stranger, claims())), by).to.equal('bad_signature');
    }
  });

  it('is refused with a public key in place of the secret', async () => {
    const { kid } = secretKey(secret, 'HS256');
    for (const { publicKey, jwk, kid: published, algorithm } of all) {
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const forms = [
        pem,
        ` ${pem}`,
        pem.trimEnd(),
        pem.replaceAll('\n', String.raw`\n`),
        `"${pem}"`,
        pem.slice(0, 60),
        publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
        JSON.stringify(jwk),
        JSON.stringify({ keys: [jwk] }),
        jwk.n ?? jwk.x ?? '',
      ];
      for (const form of forms) {
        const where = `${algorithm}: ${form.slice(0, 40)}`;
        const at = async (header: object) =>
          reasonOf(verifier, forge({ typ: 'JWT', ...header }, claims(), form));
        expect(await at({ alg: 'HS256', kid: published }), where).to.equal('wrong_algorithm');
        expect(await at({ alg: 'HS256', kid }), where).to.equal('bad_signature');
        expect(await at({ alg: algorithm, kid: published }), where).to.equal('bad_signature');
        const named = secretKey(form, 'HS256').kid;
        expect(await at({ alg: 'HS256', kid: named }), where).to.equal('unknown_key');
      }
    }
  });

  it('security 1 (M8): is not helped by whoever sets up the API: a public key, or a damaged one, is no secret', () => {
    for (const { publicKey, privateKey, jwk } of all) {
      const pems = [
        publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ];
      const texts = pems.flatMap((pem) => [
        pem,
        ` ${pem}`,
        `\uFEFF${pem}`,
        pem.replaceAll('\n', '\r\n'),
        pem.replaceAll('\n', String.raw`\n`),
        pem.replaceAll('\n', ' '),
        `"${pem}"`,
        `'${pem}'`,
        pem.slice(0, 60),
        pem.slice(30),
      ]);
      for (const text of [...texts, JSON.stringify(jwk), JSON.stringify({ keys: [jwk] })]) {
        expect(() => createVerifier({ issuer, secret: text }), text.slice(0, 40)).to.throw(
          TypeError,
          'secret must not be a public or private key',
        );
        expect(() => createVerifier({ issuer, secret: [secret, text] })).to.throw(TypeError);
      }
    }
  });

  it('has nobody asked but for the keys, whatever the header or the payload says', async () => {
    const own = pairs.ES256;
    const stranger = pair('es256');
    const evil = `${service.url}/evil`;
    const status = { status_list: { idx: 0, uri: evil } };
    const strict = verifierWith({ revocation: 'required' });
    const at = (header: object, payload: object = {}) =>
      reasonOf(strict, signed(stranger, claims(payload), header));
    for (const name of ['jku', 'x5u']) {
      expect(await at({ [name]: evil }), name).to.equal('header_refused');
      expect(await at({ [name]: evil, kid: evil }), name).to.equal('header_refused');
    }
    expect(await at({ jwk: stranger.jwk })).to.equal('header_refused');
    expect(await at({ x5c: [base64url('MIIB')] })).to.equal('header_refused');
    expect(await at({ kid: evil })).to.equal('unknown_key');
    expect(await at({ jwks_uri: evil }, { iss: evil, jwks_uri: evil, status })).to.equal(
      'bad_signature',
    );
    expect(await at({ alg: 'none' }, { status })).to.equal('wrong_algorithm');
    expect(service.visits('/evil')).to.equal(0);
    expect(service.visits('/keys')).to.equal(1);
    // the listener hears whom it may hear: the issuer's own word is followed
    expect(await reasonOf(strict, signed(own, claims({ status })))).to.equal('unavailable');
    expect(service.visits('/evil')).to.equal(1);
  });

  describe('who exchanges tokens and status lists', () => {
    const uri = () => `${service.url}/list`;
    const list = (more: object = {}) => {
      const seconds = Math.floor(clock.now() / SECOND);
      const lst = deflateSync(Buffer.alloc(16)).toString('base64url');
      return {
        iss: issuer,
        sub: uri(),
        iat: seconds,
        exp: seconds + 300,
        ttl: 60,
        status_list: { bits: 1, lst },
        ...more,
      };
    };
    const status = () => ({ status_list: { idx: 3, uri: uri() } });
    const typ = 'statuslist+jwt';

    for (const kind of KINDS) {
      it(`of ${kind} is refused both ways`, async () => {
        const own = pairs[kind];
        const strict = verifierWith({ revocation: 'required' });
        const good = signed(own, claims({ status: status() }));
        // even when all the claims of the other are in it
        for (const payload of [list(), list(claims()), claims()]) {
          expect(await reasonOf(verifier, signed(own, payload, { typ }))).to.equal('wrong_type');
        }
        const both = { ...list(), ...claims({ status: status() }), sub: uri() };
        const impostors: Record<string, string> = {
          'a token': good,
          'a token with a list in it': signed(own, both),
          'a list as at+jwt': signed(own, list(), { typ: 'at+jwt' }),
          'a list without a type': signed(own, list(), { typ: undefined }),
          'a list of another address': signed(own, list({ sub: `${uri()}/` }), { typ }),
          'a list of another issuer': signed(own, list({ iss: `${issuer}.evil` }), { typ }),
          'a list of another key': signed(pair(own.kid, kind), list(), { typ }),
          'a list without a signature': signed(own, list(), { typ }).replace(/[^.]*$/, ''),
          'a list with alg none': signed(own, list(), { typ, alg: 'none' }),
        };
        for (const [name, document] of Object.entries(impostors)) {
          service.publish('/list', document);
          expect(await reasonOf(strict, good), name).to.equal('status_refused');
          clock.advance(6 * SECOND);
        }
        service.publish('/list', signed(own, list(), { typ }));
        expect(await reasonOf(strict, good)).to.equal('accepted');
      });
    }
  });
});
