import { createECDH, generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { Problem } from '../../core/errors.ts';
import { readPasted } from '../../tokens/pasted-token.ts';
import { base64url, forge } from '../support/forge.ts';

const token = forge({ alg: 'HS256', kid: 'k' }, { sub: 'ada' }, 'secret');
const [header = '', payload = '', signature = ''] = token.split('.');

/** What is said of a text that is no token. */
function refusal(text: string): string {
  try {
    readPasted(text);
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_request') return error.detail;
    throw error;
  }
  throw new Error(`that was taken for a token: ${text}`);
}

describe('A text that is pasted for a token', () => {
  it('is a token with or without what it was copied with', () => {
    const wrapped = [
      token,
      `\t ${token} \r\n`,
      `Bearer ${token}`,
      `BEARER   ${token}`,
      `Authorization: Bearer ${token}`,
      `"${token}"`,
      `'${token}'`,
      `\`${token}\``,
      `“${token}”`,
      `<${token}>`,
      `${token},`,
      `"Bearer ${token}";`,
      `\ufeff${token}\u200b`,
      token.replaceAll('.', ' .\n'),
      token.split('').join('\n'),
      JSON.stringify({ token }),
      JSON.stringify({ access_token: token, token_type: 'Bearer' }, null, 2),
      JSON.stringify({ id_token: `Bearer ${token}`.slice(7) }),
    ];
    for (const text of wrapped) {
      const read = readPasted(text);
      expect(read.jwt, text).to.equal(token);
      expect(read.claims).to.deep.equal({ sub: 'ada' });
      expect(read.header).to.deep.equal({ alg: 'HS256', kid: 'k' });
    }
  });

  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: 'privateKey' | 'publicKey') =>
    pair[key].export({ format: 'pem', type: key === 'privateKey' ? 'pkcs8' : 'spki' }) as string;
  const jwk = (key: 'privateKey' | 'publicKey') =>
    JSON.stringify(pair[key].export({ format: 'jwk' }));
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();

  const others: Record<string, readonly [text: string, says: RegExp]> = {
    nothing: ['', /^Nothing was pasted/],
    blanks: [' \n\t "" ', /^Nothing was pasted/],
    'a private key': [pem('privateKey'), /^That looks like a private key/],
    'a private key on one line': [pem('privateKey').replaceAll('\n', '\\n'), /private key/],
    'an encrypted private key': ['-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII', /private key/],
    'a private key of OpenSSH': ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3B', /private key/],
    'a private JWK': [jwk('privateKey'), /^That looks like a private key/],
    'a symmetric JWK': ['{"kty":"oct","k":"c2VjcmV0"}', /^That looks like a private key/],
    'a set with a private JWK': [
      `{"keys":[${jwk('privateKey')}]}`,
      /^That looks like a private key/,
    ],
    'a private key in DER': [
      pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      /^That looks like a key or a secret/,
    ],
    'a secret': [randomBytes(64).toString('hex'), /^That looks like a key or a secret/],
    'a public key': [pem('publicKey'), /^That is a public key, a certificate or a key set/],
    'a certificate': ['-----BEGIN CERTIFICATE-----\nMIIB', /^That is a public key, a certificate/],
    'a public JWK': [jwk('publicKey'), /^That is a public key/],
    'a key set': [`{"keys":[${jwk('publicKey')}]}`, /^That is a public key/],
    'a session cookie': ['session=s%3Aabc.def', /^That looks like a session cookie/],
    'the cookie with its prefix': [
      '__Host-session=s%3Aabc.def',
      /^That looks like a session cookie/,
    ],
    'the value of a cookie': ['s%3AUq0.x7Yb', /^That looks like a session cookie/],
    'a JWE': [
      `${base64url('{"alg":"dir","enc":"A256GCM"}')}..aaaa.bbbb.cccc`,
      /^That is an encrypted token \(JWE/,
    ],
    'a JWE in JSON': [
      '{"protected":"e30","ciphertext":"aaaa"}',
      /^That is an encrypted token in JSON/,
    ],
    'a JWS in JSON': [
      JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
      /^That is a JWS in its JSON form/,
    ],
    'a flattened JWS': [
      JSON.stringify({ payload, protected: header, signature }),
      /^That is a JWS in its JSON form/,
    ],
    claims: ['{"sub":"ada","exp":1}', /^That is JSON without a token in it/],
    'a list': ['[{"sub":"ada"}]', /^That is JSON without a token in it/],
    'an address': [`https://app.example/?access_token=${token}`, /^That is an address/],
    'a token without its signature': [
      `${header}.${payload}`,
      /^Two parts: the signature is missing/,
    ],
    'a part of one': [header, /^That is one part of a token alone/],
    'an opaque token': ['2YotnFZFEjr1zCsicMWpAA', /^That has no dots in it: an opaque token/],
    'a word': ['umbrella', /^That has no dots in it/],
    'a sentence': ['Please look at my token.', /^That is no token\. A token is three parts/],
    'four parts': [`${token}.x`, /^That is no token\. A token is three parts/],
    'an empty header': [`.${payload}.${signature}`, /header, is empty/],
    'an empty payload': [`${header}..${signature}`, /payload, is empty/],
    base64: [`${header}==.${payload}.${signature}`, /header, is base64, but not base64url/],
    'a header that was cut': [
      `${header.slice(3)}.${payload}.${signature}`,
      /header, (is not|has lost)/,
    ],
    'a lost character': ['aaaaa.e30.e30', /header, has lost characters/],
    'a header that is no JSON': [`${base64url('alg')}.${payload}.x2`, /header, is not JSON/],
    'a header that is no text': [
      `${base64url(Buffer.from([0xff]))}.${payload}.x2`,
      /header, is not text/,
    ],
    'a header that is no object': [`W10.${payload}.${signature}`, /JSON, but no object/],
  };

  for (const [name, [text, says]] of Object.entries(others)) {
    it(`is told what it is instead, and repeated by nobody: ${name}`, () => {
      expect(refusal(text)).to.match(says);
      expect(refusal(` "${text}" `)).to.match(says);
      const secret = text.replaceAll(/\s/g, '').slice(8, 24);
      if (secret.length > 12) expect(refusal(text).replaceAll(/\s/g, '')).to.not.include(secret);
    });
  }

  it('has a name twice in it, or has not', () => {
    const doubled = forge('{"alg":"a","a\\u006cg":"b"}', '{}', 's');
    expect(readPasted(doubled).doubled).to.equal('alg');
    expect(readPasted(forge('{}', '{"a":{"b":1,"b":2}}', 's')).doubled).to.equal('b');
    expect(readPasted(forge('{}', '{"a":{"b":1},"b":2}', 's')).doubled).to.equal(undefined);
  });

  it('keeps names of the prototype as names', () => {
    const read = readPasted(
      forge('{"__proto__":1}', '{"__proto__":{"sub":"x"},"constructor":2}', 's'),
    );
    expect(Object.keys(read.header)).to.deep.equal(['__proto__']);
    expect(Object.keys(read.claims ?? {})).to.deep.equal(['__proto__', 'constructor']);
    expect(read.claims?.['sub']).to.equal(undefined);
  });

  it('is a token or is told why not, whatever it is', () => {
    const part = fc.oneof(
      fc.base64String({ maxLength: 30 }),
      fc.json().map(base64url),
      fc.constantFrom(header, payload, signature, '', 'e30', '====', ' '),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.json(),
    );
    const around = fc.constantFrom('', ' ', '"', 'Bearer ', '\n', '-----BEGIN ', '{', 's:');
    fc.assert(
      fc.property(text, around, around, (inner, before, after) => {
        const pasted = before + inner + after;
        try {
          const { jwt } = readPasted(pasted);
          expect(jwt.split('.')).to.have.length(3);
        } catch (error) {
          expect(error).to.be.instanceOf(Problem).and.have.property('code', 'invalid_request');
          expect(error)
            .to.have.property('detail')
            .that.matches(/^[A-Z].*[.]$/s);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of ten times the length of a body is read at once: nothing takes the square of it', function () {
    this.timeout(10_000); // the square would take minutes
    const units = [' ', '"', '{', '[', '.', 'a', '-----BEGIN ', 'Bearer ', '\u200b', '{"a":'];
    for (const unit of units) {
      expect(refusal(`x${unit.repeat(160_000 / unit.length)}x`)).to.be.a('string');
    }
  });
});
