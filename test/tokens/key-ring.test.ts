import { createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { HMAC_ALGORITHMS, hmacKeyRing } from '../../tokens/key-ring.ts';

const secret = () => randomBytes(64).toString('hex');

describe('a key ring', () => {
  it('verifies with the key that signs and with those before it', () => {
    const [now, before, first] = [secret(), secret(), secret()];
    const { signing, verifying } = hmacKeyRing('HS256', now, [before, first]);
    expect(verifying[0]).to.equal(signing);
    expect(verifying.map(({ key }) => key.export().toString())).to.deep.equal([now, before, first]);
    expect(verifying.map(({ algorithm }) => algorithm)).to.deep.equal(['HS256', 'HS256', 'HS256']);
  });

  it('holds secret keys that were made once, not texts', () => {
    const { signing } = hmacKeyRing('HS256', secret());
    expect([signing.key.type, signing.key.symmetricKeySize]).to.deep.equal(['secret', 128]);
  });

  it('gives every secret and every algorithm a name of its own, the same at each start', () => {
    const secrets = [secret(), secret(), secret()];
    const kids = () =>
      HMAC_ALGORITHMS.flatMap((algorithm) =>
        secrets.map((text) => hmacKeyRing(algorithm, text).signing.kid),
      );
    expect(new Set(kids()).size).to.equal(9);
    expect(kids()).to.deep.equal(kids());
  });

  it('gives names that tell nothing of the secret', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 32 }),
        fc.constantFrom(...HMAC_ALGORITHMS),
        (text, algorithm) => {
          const { kid } = hmacKeyRing(algorithm, text).signing;
          expect(kid).to.match(/^[\w-]{16}$/);
          for (const digest of ['sha1', 'sha256', 'sha512', 'md5']) {
            for (const encoding of ['hex', 'base64url'] as const) {
              expect(createHash(digest).update(text).digest(encoding)).not.to.include(kid);
            }
          }
          expect(createHmac('sha256', text).update('').digest('base64url')).not.to.include(kid);
        },
      ),
    );
  });

  it('takes a secret that looks like a PEM for the text that it is', () => {
    const text = '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----';
    expect(hmacKeyRing('HS256', text).signing.key.type).to.equal('secret');
  });
});
