import { expect } from 'chai';
import { calculateJwkThumbprint } from 'jose';
import { KEY_PAIR_ALGORITHMS } from '../../tokens/algorithms.ts';
import { belongTogether, generatePair, thumbprint } from '../../tokens/key-pair.ts';

describe('a key pair', function () {
  this.timeout(120_000);

  it('is called by its thumbprint, that of RFC 7638, section 3.1, for the key there', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' };
    expect(thumbprint(jwk)).to.equal('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  for (const algorithm of KEY_PAIR_ALGORITHMS) {
    it(`for ${algorithm} signs what it verifies, and has the name that jose gives it`, async () => {
      const pair = await generatePair(algorithm);
      expect(belongTogether(pair)).to.equal(true);
      expect(pair.kid).to.equal(
        await calculateJwkThumbprint({ ...pair.publicJwk, kty: String(pair.publicJwk.kty) }),
      );
      const { asymmetricKeyDetails: details } = pair.privateKey;
      expect(details?.modulusLength ?? 3072).to.equal(3072);
    });

    it(`for ${algorithm} does not belong to the public half of another`, async () => {
      const [one, other] = [await generatePair(algorithm), await generatePair(algorithm)];
      expect(belongTogether({ ...one, publicJwk: other.publicJwk, kid: other.kid })).to.equal(
        false,
      );
      expect(belongTogether({ ...one, kid: other.kid })).to.equal(false);
    });
  }
});
