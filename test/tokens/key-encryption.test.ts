import { createPrivateKey } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decryptKey, encryptKey } from '../../tokens/key-encryption.ts';
import { generatePair } from '../../tokens/key-pair.ts';
import { freshSecret } from '../support/keys.ts';

describe('security 25: an encrypted private key', () => {
  const [secret, other] = [freshSecret(), freshSecret()];
  const name = { kid: 'k1', algorithm: 'ES256' };
  let text: string;
  let pem: string;
  before(async () => {
    const { privateKey } = await generatePair('ES256');
    pem = String(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    text = encryptKey(privateKey, name, secret);
  });

  it('is decrypted with its secret, wherever that stands in the list', () => {
    for (const secrets of [[secret], [other, secret], [secret, other]]) {
      const found = decryptKey(text, name, secrets);
      if (typeof found === 'string') throw new Error(found);
      expect(found.key.export({ format: 'pem', type: 'pkcs8' })).to.equal(pem);
      expect(found.secret).to.equal(secret);
    }
  });

  it('tells apart a secret that is missing from damage', () => {
    expect(decryptKey(text, name, [other])).to.equal('unknown_secret');
    expect(decryptKey(text, name, [])).to.equal('unknown_secret');
    expect(decryptKey(`v2${text.slice(2)}`, name, [secret])).to.equal('damaged');
  });

  it('is bound to its kid and its algorithm', () => {
    for (const wrong of [
      { ...name, kid: 'k2' },
      { ...name, algorithm: 'ES384' },
    ]) {
      expect(decryptKey(text, wrong, [secret])).to.equal('damaged');
    }
  });

  it('is not decrypted when any of its bits is another', () => {
    const parts = text.split('.');
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (part, at, bit) => {
          const bytes = Buffer.from(parts[part] ?? '', 'base64url');
          const place = at % bytes.length;
          bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
          const changed = parts.with(part, bytes.toString('base64url')).join('.');
          expect(decryptKey(changed, name, [secret])).to.equal('damaged');
        },
      ),
    );
  });

  it('is refused with a tag that was cut short, and for any other text', () => {
    for (let cut = 1; cut < 40; cut += 1) {
      expect(decryptKey(text.slice(0, -cut), name, [secret])).to.equal('damaged');
    }
    fc.assert(
      fc.property(fc.string(), (junk) => {
        expect(decryptKey(junk, name, [secret])).to.be.oneOf(['damaged', 'unknown_secret']);
      }),
    );
  });

  it('never has the same salt or IV twice, and tells nothing of the secret', () => {
    const key = createPrivateKey(pem);
    const texts = Array.from({ length: 100 }, () => encryptKey(key, name, secret));
    for (const part of [2, 3, 4]) {
      expect(new Set(texts.map((one) => one.split('.')[part]))).to.have.property('size', 100);
    }
    expect(texts.join('')).not.to.include(secret.slice(0, 16));
  });
});
