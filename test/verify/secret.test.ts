import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createVerifier, secretKey } from '#verify';
import { HMAC_ALGORITHMS } from '../../tokens/algorithms.ts';
import { forge, goodClaims } from '../support/forge.ts';
import { hmacKeyRing } from '../support/key-ring.ts';
import { pair, signed } from './pairs.ts';
import { startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';
const secret = randomBytes(64).toString('hex');
const earlier = randomBytes(64).toString('hex');
const claims = () => goodClaims(issuer, Math.floor(Date.now() / 1000));
const by = (text: string, algorithm = 'HS256') =>
  forge(
    { alg: algorithm, typ: 'JWT', kid: secretKey(text, algorithm).kid },
    claims(),
    text,
    algorithm,
  );

describe('a verifier with a shared secret', () => {
  for (const algorithm of HMAC_ALGORITHMS) {
    it(`takes what the service signs with ${algorithm}, and nothing else`, async () => {
      const verifier = createVerifier({
        issuer,
        secret,
        ...(algorithm === 'HS256' ? {} : { algorithms: [algorithm] }),
      });
      expect(secretKey(secret, algorithm).kid).to.equal(
        hmacKeyRing(algorithm, secret).signing().kid,
      );
      for (const other of HMAC_ALGORITHMS) {
        const expected = other === algorithm ? 'accepted' : 'unknown_key';
        expect(await reasonOf(verifier, by(secret, other)), other).to.equal(expected);
      }
    });
  }

  it('takes tokens of earlier secrets, as long as it is given them', async () => {
    const both = createVerifier({ issuer, secret: [secret, earlier] });
    expect(await reasonOf(both, by(secret))).to.equal('accepted');
    expect(await reasonOf(both, by(earlier))).to.equal('accepted');
    const current = createVerifier({ issuer, secret });
    expect(await reasonOf(current, by(earlier))).to.equal('unknown_key');
  });

  it('demands the id of the secret: one without it may have been made for something else', async () => {
    const verifier = createVerifier({ issuer, secret });
    for (const kid of [undefined, 'k1', '']) {
      const jwt = forge({ alg: 'HS256', typ: 'JWT', kid }, claims(), secret);
      expect(await reasonOf(verifier, jwt)).to.equal('unknown_key');
    }
  });

  it('takes published keys as well, for a service that moves from one to the other', async () => {
    await using service = await startPublisher();
    const own = pair('k1');
    service.publish('/keys', { keys: [own.jwk] });
    const verifier = createVerifier({ issuer, secret, jwksUri: `${service.url}/keys` });
    expect(await reasonOf(verifier, by(secret))).to.equal('accepted');
    expect(service.visits('/keys'), 'asked for a key that was at hand').to.equal(0);
    expect(await reasonOf(verifier, signed(own, claims()))).to.equal('accepted');
    expect(await reasonOf(verifier, by(earlier))).to.equal('unknown_key');
    const pem = String(own.publicKey.export({ format: 'pem', type: 'spki' }));
    const confused = forge({ alg: 'HS256', typ: 'JWT', kid: 'k1' }, claims(), pem);
    expect(await reasonOf(verifier, confused)).to.equal('wrong_algorithm');
  });

  it('keeps to the algorithms given for each of the two', async () => {
    await using service = await startPublisher();
    const [es256, es384] = [pair('k1'), pair('k2', 'ES384')];
    service.publish('/keys', { keys: [es256.jwk, es384.jwk] });
    const algorithms = ['ES384', 'HS512'];
    const verifier = createVerifier({ issuer, secret, jwksUri: `${service.url}/keys`, algorithms });
    expect(await reasonOf(verifier, by(secret, 'HS512'))).to.equal('accepted');
    expect(await reasonOf(verifier, by(secret))).to.equal('unknown_key');
    expect(await reasonOf(verifier, signed(es384, claims()))).to.equal('accepted');
    expect(await reasonOf(verifier, signed(es256, claims()))).to.equal('unknown_key');
  });
});
