import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { calculateJwkThumbprint, compactVerify } from 'jose';
import { z } from 'zod';
import { createVerifier, fixedKeys } from '#verify';
import { KEY_PAIR_ALGORITHMS } from '../../packages/verify/algorithms.ts';
import { openJws } from '../../packages/verify/jws.ts';
import { readKeySet } from '../../packages/verify/key-set.ts';
import { thumbprint } from '../../tokens/key-pair.ts';
import { failureOf } from '../support/failure.ts';
import { startPublisher } from './published.ts';
import { reasonOf } from './reason.ts';

const issuer = 'https://login.example.org';

const Vector = z.object({
  input: z.object({
    payload: z.string(),
    key: z.looseObject({ kty: z.string(), kid: z.string() }),
    alg: z.string(),
  }),
  output: z.object({ compact: z.string(), json: z.unknown(), json_flat: z.unknown() }),
});

/** An example, with the key that verifies it. */
function example(file: string) {
  const { input, output } = Vector.parse(JSON.parse(readFileSync(`test/vectors/${file}`, 'utf8')));
  const jwk: JsonWebKey & { kty: string; kid: string } = input.key;
  const key =
    jwk.kty === 'oct'
      ? createSecretKey(jwk.k ?? '', 'base64url')
      : createPublicKey({ key: jwk, format: 'jwk' });
  return { ...input, ...output, jwk, key, kid: jwk.kid };
}

/** As it would be published. */
function published(key: KeyObject, members: object) {
  return { ...key.export({ format: 'jwk' }), ...members };
}

/** Every text that differs from this one in one byte of its payload or its signature. */
function* altered(jws: string): Generator<[where: string, jws: string]> {
  const parts = jws.split('.');
  for (const at of [1, 2]) {
    const bytes = Buffer.from(parts[at] ?? '', 'base64url');
    for (const [index, byte] of bytes.entries()) {
      const others = Buffer.from(bytes);
      others[index] = byte ^ 1;
      yield [
        `byte ${index} of part ${at + 1}`,
        parts.with(at, others.toString('base64url')).join('.'),
      ];
    }
  }
}

const EXAMPLES = {
  '4.1, RSA v1.5': 'rfc7520-4.1-rsa-v15.json',
  '4.2, RSA-PSS': 'rfc7520-4.2-rsa-pss.json',
  '4.3, ECDSA': 'rfc7520-4.3-ecdsa.json',
  '4.4, HMAC': 'rfc7520-4.4-hmac-sha2.json',
};

for (const [section, file] of Object.entries(EXAMPLES)) {
  describe(`The example of RFC 7520, section ${section},`, () => {
    const { payload, alg, compact, json, json_flat, key, kid, jwk } = example(file);

    it('is verified by the library that our verifier stands on', async () => {
      const opened = await compactVerify(compact, key, { algorithms: [alg] });
      expect(new TextDecoder().decode(opened.payload)).to.equal(payload);
    });

    it('is refused in its two JSON serialisations', async () => {
      const keys = { find: () => ({ kid, algorithm: alg, key }) };
      for (const form of [json, json_flat]) {
        const failure = await failureOf(openJws(JSON.stringify(form), keys));
        expect(failure).to.include({ reason: 'malformed' });
        expect(failure.message).to.equal('The token is not a compact JWS.');
      }
    });

    if (alg === 'RS256' || alg === 'HS256') {
      it('has a signature that we find right; its payload is no token', async () => {
        const keys = fixedKeys([{ kid, algorithm: alg, key }]);
        const failure = await failureOf(openJws(compact, keys));
        expect(failure).to.include({ reason: 'malformed', message: 'The token cannot be read.' });
        expect(failure.cause, 'nothing that the signature check has thrown').to.equal(undefined);
        const verifier = createVerifier({ issuer, keys: [{ kid, algorithm: alg, key }] });
        expect(await reasonOf(verifier, compact)).to.equal('malformed');
      });

      it('has a signature that we find wrong when one byte is another', async () => {
        const keys = fixedKeys([{ kid, algorithm: alg, key }]);
        for (const [where, jws] of altered(compact)) {
          expect(await failureOf(openJws(jws, keys)), where).to.include({
            reason: 'bad_signature',
          });
        }
      });
    } else {
      it(`is refused for its algorithm: ${alg} is none of ours`, async () => {
        for (const trusted of alg === 'PS384' ? ['PS256', 'RS256'] : ['ES256']) {
          const keys = fixedKeys([{ kid, algorithm: trusted, key }]);
          expect(await failureOf(openJws(compact, keys))).to.include({
            reason: 'wrong_algorithm',
          });
        }
      });

      it(`cannot be let in: ${alg} is refused by name where a verifier is set up`, () => {
        const jwksUri = `${issuer}/keys`;
        expect(() => createVerifier({ issuer, jwksUri, algorithms: [alg] })).to.throw(
          TypeError,
          `algorithms: ["${alg}"] is unknown`,
        );
        const keys = [{ kid, algorithm: alg, key }];
        expect(() => createVerifier({ issuer, keys })).to.throw(TypeError, 'unknown algorithm');
      });
    }

    if (jwk.kty !== 'oct') {
      it('has a key whose name by RFC 7638 is what jose makes of it, private members or not', async () => {
        const expected = await calculateJwkThumbprint(jwk);
        expect(thumbprint(jwk)).to.equal(expected);
        expect(thumbprint(published(key, { use: 'sig', alg, kid: 'other' }))).to.equal(expected);
      });
    }
  });
}

describe('A JWK Set with the keys of RFC 7520', () => {
  const rsa = example('rfc7520-4.1-rsa-v15.json');
  const ec = example('rfc7520-4.3-ecdsa.json');
  const { kid } = rsa;

  it('gives its RSA key, for the algorithm that it says', () => {
    for (const alg of ['RS256', 'PS256']) {
      const keys = [published(rsa.key, { kid, alg, use: 'sig' })];
      const trusted = readKeySet({ keys }, KEY_PAIR_ALGORITHMS).get(kid);
      expect(trusted?.algorithm).to.equal(alg);
      expect(trusted?.key.equals(rsa.key)).to.equal(true);
    }
  });

  it('gives no key that says no algorithm, or another one than ours, or one that does not fit', () => {
    const rows: [object, KeyObject][] = [
      [{}, rsa.key],
      [{ alg: 'PS384' }, rsa.key],
      [{ alg: 'ES256' }, rsa.key],
      [{ alg: 'HS256' }, rsa.key],
      [{ alg: 'none' }, rsa.key],
      [{ alg: 'RS256', use: 'enc' }, rsa.key],
      [{}, ec.key],
      [{ alg: 'ES512' }, ec.key],
      [{ alg: 'ES256' }, ec.key],
      [{ alg: 'ES384' }, ec.key],
      [{ alg: 'RS256' }, ec.key],
    ];
    for (const [members, key] of rows) {
      const set = { keys: [published(key, { kid, ...members })] };
      const keys = readKeySet(set, KEY_PAIR_ALGORITHMS);
      expect([...keys.keys()], JSON.stringify(members)).to.deep.equal([]);
    }
  });

  it('is no set to go by when a private or a shared key is in it', () => {
    const hmac = example('rfc7520-4.4-hmac-sha2.json');
    for (const { jwk } of [rsa, ec, hmac]) {
      expect(() => readKeySet({ keys: [{ ...jwk, alg: 'RS256' }] }, KEY_PAIR_ALGORITHMS)).to.throw(
        'private or a symmetric key',
      );
    }
  });

  it('is fetched, and finds the signature of section 4.1 right, those of the others not ours', async () => {
    await using service = await startPublisher();
    const verifierOf = (alg: string) => {
      service.publish(`/${alg}`, { keys: [published(rsa.key, { kid, alg, use: 'sig' })] });
      return createVerifier({ issuer, jwksUri: `${service.url}/${alg}` });
    };
    const pss = example('rfc7520-4.2-rsa-pss.json');
    const rows: [alg: string, jws: string, reason: string][] = [
      ['RS256', rsa.compact, 'malformed'],
      ['PS256', rsa.compact, 'wrong_algorithm'],
      ['RS256', pss.compact, 'wrong_algorithm'],
      ['PS256', pss.compact, 'wrong_algorithm'],
      ['PS384', pss.compact, 'unknown_key'],
      ['ES512', ec.compact, 'unknown_key'],
    ];
    for (const [alg, jws, reason] of rows) {
      expect(await reasonOf(verifierOf(alg), jws), alg).to.equal(reason);
    }
    const [first] = altered(rsa.compact);
    expect(await reasonOf(verifierOf('RS256'), first?.[1] ?? '')).to.equal('bad_signature');
  });
});
