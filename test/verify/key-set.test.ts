import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createVerifier } from '#verify';
import { goodClaims } from '../support/forge.ts';
import { type Pair, pair, type PairAlgorithm, signed } from './pairs.ts';
import { startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';
const own = pair('k1');
const rsa = pair('k1', 'RS256');

/** What becomes of a token of that key, when this is published. */
async function reason(set: unknown, by: Pair = own, algorithms?: PairAlgorithm[]): Promise<string> {
  await using service = await startPublisher();
  service.publish('/keys', set as object);
  const options = algorithms === undefined ? {} : { algorithms };
  const verifier = createVerifier({ issuer, jwksUri: `${service.url}/keys`, ...options });
  return await reasonOf(verifier, signed(by, goodClaims(issuer, Math.floor(Date.now() / 1000))));
}

const published = (more: object, by: Pair = own) => reason({ keys: [{ ...by.jwk, ...more }] }, by);
/** Without these members. */
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(own.jwk).filter(([name]) => !names.includes(name)));

describe('a set of published keys', () => {
  for (const algorithm of ['ES256', 'ES384', 'RS256', 'PS256'] satisfies PairAlgorithm[]) {
    it(`may have keys for ${algorithm}, unless that is not wanted`, async () => {
      const by = pair('k1', algorithm);
      expect(await reason({ keys: [by.jwk] }, by)).to.equal('accepted');
      expect(await reason({ keys: [by.jwk] }, by, [algorithm])).to.equal('accepted');
      const other = algorithm === 'ES256' ? 'ES384' : 'ES256';
      expect(await reason({ keys: [by.jwk] }, by, [other])).to.equal('unknown_key');
    });
  }

  it('may have keys with and without a purpose, as long as it is to verify', async () => {
    expect(await reason({ keys: [without('use')] })).to.equal('accepted');
    for (const operations of [['verify'], ['encrypt', 'verify']]) {
      expect(await published({ key_ops: operations })).to.equal('accepted');
    }
    for (const use of ['enc', '', null, ['sig']]) {
      expect(await published({ use }), String(use)).to.equal('unknown_key');
    }
    for (const operations of [[], ['sign'], 'verify', null]) {
      expect(await published({ key_ops: operations })).to.equal('unknown_key');
    }
  });

  it('has to say of a key which algorithm it is for', async () => {
    expect(await reason({ keys: [without('alg')] })).to.equal('unknown_key');
    for (const alg of ['ES384', 'RS256', 'HS256', 'none', 'es256', '', null, ['ES256']]) {
      expect(await published({ alg }), String(alg)).to.equal('unknown_key');
    }
    expect(await published({ alg: 'ES256' }, rsa)).to.equal('unknown_key');
  });

  it('has to give a key an id', async () => {
    expect(await reason({ keys: [without('kid')] })).to.equal('unknown_key');
    for (const kid of ['', null, 1, ['k1']]) {
      expect(await published({ kid }), String(kid)).to.equal('unknown_key');
    }
    expect(await published({}, pair('')), 'an empty one is none').to.equal('unknown_key');
  });

  it('may have keys that nobody here knows; the others are good', async () => {
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    const keys = [
      own.jwk,
      { ...ed25519, kid: 'k2', alg: 'EdDSA' },
      { kty: 'XX', kid: 'k3', alg: 'ES256' },
      { ...own.jwk, kid: 'k4', x: 'AAAA' },
      { ...own.jwk, kid: 'k5', crv: 'P-384' },
      { ...own.jwk, kid: 'k6', y: 1 },
      { kid: 'k7', alg: 'RS256', kty: 'RSA', n: 'x', e: 'AQAB' },
      {},
      null,
      1,
      'k8',
      [own.jwk],
    ];
    expect(await reason({ keys })).to.equal('accepted');
    expect(await reason({ keys: keys.slice(1) })).to.equal('unknown_key');
  });

  it('may be empty, as that of a service with a shared secret is', async () => {
    expect(await reason({ keys: [] })).to.equal('unknown_key');
  });

  it('does not lend a weak RSA key', async () => {
    const weak = pair('k1', 'RS256', 1024);
    expect(await reason({ keys: [weak.jwk] }, weak)).to.equal('unknown_key');
  });

  it('does not lend a key of another curve than that of its algorithm', async () => {
    const p384 = pair('k1', 'ES384');
    const mistaken = { ...p384, algorithm: 'ES256' as const };
    expect(await reason({ keys: [{ ...p384.jwk, alg: 'ES256' }] }, mistaken)).to.equal(
      'unknown_key',
    );
  });

  describe('is refused as a whole', () => {
    it('with a private key in it', async () => {
      for (const by of [own, rsa]) {
        const jwk = { ...by.privateKey.export({ format: 'jwk' }), kid: 'k2', alg: by.algorithm };
        expect(createPublicKey({ key: jwk, format: 'jwk' }).type, 'Node would take it').to.equal(
          'public',
        );
        expect(await reason({ keys: [own.jwk, jwk] })).to.equal('unavailable');
      }
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']) {
        expect(await published({ [member]: null }), member).to.equal('unavailable');
      }
    });

    it('with a symmetric key in it', async () => {
      const oct = { kty: 'oct', kid: 'k2' };
      expect(await reason({ keys: [own.jwk, oct] })).to.equal('unavailable');
      const k = randomBytes(32).toString('base64url');
      expect(await reason({ keys: [own.jwk, { ...oct, alg: 'HS256', k }] })).to.equal(
        'unavailable',
      );
    });

    it('with two keys of one id, whatever they are for', async () => {
      expect(await reason({ keys: [own.jwk, pair('k1').jwk] })).to.equal('unavailable');
      expect(await reason({ keys: [own.jwk, own.jwk] })).to.equal('unavailable');
      expect(await reason({ keys: [own.jwk, { kty: 'XX', kid: 'k1' }] })).to.equal('unavailable');
      const twice = [own.jwk, { ...pair('k2').jwk, use: 'enc' }, pair('k2').jwk];
      expect(await reason({ keys: twice })).to.equal('unavailable');
    });

    it('when it is no set', async () => {
      for (const set of [
        own.jwk,
        { keys: own.jwk },
        { keys: null },
        [own.jwk],
        'null',
        '"k1"',
        '',
      ]) {
        expect(await reason(set), JSON.stringify(set)).to.equal('unavailable');
      }
    });
  });
});
