import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { createVerifier, requireRoles, requireToken } from '#verify';
import { pair } from './pairs.ts';

const issuer = 'https://login.example.org';
const secret = 'a text that nobody else knows, of more than 32 bytes';
const jwksUri = `${issuer}/.well-known/jwks.json`;
const own = pair('k1');

/** As JavaScript calls it: with anything. */
const make = (options: unknown) => () => void Reflect.apply(createVerifier, undefined, [options]);
const gate = (options: unknown) => () => void Reflect.apply(requireToken, undefined, [options]);

describe('the options of a verifier', () => {
  it('are right with any of the sources of keys, and with a secret beside one that is far away', () => {
    for (const keys of [
      { secret },
      { secret: [secret, `${secret}2`] },
      { jwksUri },
      { discovery: true },
      { discovery: 'https://inside.example.org/coatcheck' },
      { keys: [own.trusted] },
      { keys: { find: () => undefined } },
      { secret, jwksUri },
      { secret, discovery: true },
      { secret, algorithms: ['HS512'] },
      { jwksUri, algorithms: ['ES256'] },
      { secret, jwksUri, algorithms: ['ES384', 'HS384', 'RS256'] },
    ]) {
      expect(make({ issuer, ...keys }), JSON.stringify(keys)).not.to.throw();
    }
  });

  it('are right with everything set', () => {
    const all = {
      issuer,
      audience: ['a', 'b'],
      jwksUri: 'http://keys.internal/jwks',
      algorithms: ['ES256'],
      revocation: 'required',
      cache: { size: 1 },
      clockTolerance: 0,
      production: true,
      allowHttp: true,
      fetch: globalThis.fetch,
      now: () => 0,
    };
    expect(make(all)).not.to.throw();
    for (const revocation of ['when-reachable', 'off', { isRevoked: () => false }]) {
      expect(make({ ...all, revocation, cache: false })).not.to.throw();
    }
  });

  const wrong: [says: string, options: Record<string, unknown>][] = [
    ['issuer', { issuer: '' }],
    ['issuer', { issuer: undefined }],
    ['issuer', { issuer: ['https://a'] }],
    ['audience', { audience: '' }],
    ['audience', { audience: [] }],
    ['audience', { audience: ['a', ' '] }],
    ['audience', { audience: ['a', 1] }],
    ['audience', { audience: undefined }],
    ['secret is undefined', { secret: undefined }],
    ['keys', { keys: [] }],
    ['keys', { keys: [own.trusted] }],
    ['secret must have at least 32 bytes', { secret: 'x'.repeat(31) }],
    ['secret must have at least 32 bytes', { secret: ['y'.repeat(32), ''] }],
    ['secret', { secret: [] }],
    ['secret', { secret: [undefined] }],
    ['secret', { secret: Buffer.alloc(64) }],
    ['secret', { secret: 1 }],
    ['jwksUri', { jwksUri: 'http://login.example.org/keys' }],
    ['jwksUri', { jwksUri: '' }],
    ['jwksUri', { jwksUri: 'file:///etc/keys' }],
    ['jwksUri', { jwksUri: 'https://user:pass@login.example.org/keys' }],
    ['jwksUri', { jwksUri: 'https://user@login.example.org/keys' }],
    ['jwksUri', { jwksUri: 'http://localhost.example.org/keys' }],
    ['jwksUri', { jwksUri: 'http://127.0.0.1.example.org/keys' }],
    ['jwksUri', { jwksUri, discovery: true }],
    ['discovery', { discovery: false }],
    ['discovery', { discovery: '/path' }],
    ['discovery', { issuer: 'coatcheck', discovery: true }],
    ['algorithms', { algorithms: undefined }],
    ['algorithms', { algorithms: [] }],
    ['algorithms', { algorithms: 'HS256' }],
    [`algorithms: ["none"]`, { algorithms: ['none'] }],
    [`algorithms: ["ES999"]`, { algorithms: ['HS256', 'ES999'] }],
    ['algorithms', { algorithms: ['HS256', 'HS512'] }],
    ['algorithms', { algorithms: ['HS256', undefined] }],
    ['algorithms', { algorithms: ['ES256'] }],
    ['algorithms', { algorithms: ['HS256', 'ES256'] }],
    ['secret is undefined', { secret: undefined, jwksUri }],
    ['algorithms', { jwksUri, algorithms: ['ES256'] }],
    ['algorithms', { jwksUri, algorithms: ['HS256'] }],
    ['revocation', { revocation: undefined }],
    ['revocation', { revocation: 'Required' }],
    ['revocation', { revocation: false }],
    ['revocation', { revocation: null }],
    ['revocation', { revocation: { isRevoked: true } }],
    ['cache', { cache: true }],
    ['cache', { cache: {} }],
    ['cache', { cache: { size: 0 } }],
    ['cache', { cache: { size: 1.5 } }],
    ['cache', { cache: { size: Infinity } }],
    ['clockTolerance', { clockTolerance: -1 }],
    ['clockTolerance', { clockTolerance: 601 }],
    ['clockTolerance', { clockTolerance: Number.NaN }],
    ['clockTolerance', { clockTolerance: '5s' }],
    ['clockTolerance', { clockTolerance: '5' }],
    ['clockTolerance', { clockTolerance: null }],
    ['clockTolerance', { clockTolerance: [5] }],
    ['clockTolerance', { clockTolerance: true }],
    ['production', { production: undefined }],
    ['production', { production: 'true' }],
    ['allowHttp', { allowHttp: 'yes' }],
    ['fetch', { fetch: null }],
    ['now', { now: 1 }],
    ['audiance', { audiance: 'orders' }],
    ['roles', { roles: ['admin'] }],
  ];
  for (const [says, options] of wrong) {
    const shown = inspect(options, { depth: 1, breakLength: Infinity });
    it(`are wrong with ${shown}`, () => {
      expect(make({ issuer, secret, ...options })).to.throw(TypeError, says);
      if (!('roles' in options)) {
        expect(gate({ issuer, secret, ...options })).to.throw(TypeError, says);
      }
    });
  }

  it('are wrong when there are none', () => {
    for (const options of [undefined, null, 'https://login.example.org', [], () => undefined]) {
      expect(make(options)).to.throw(TypeError, 'options');
      expect(gate(options)).to.throw(TypeError, 'options');
    }
  });

  it('let keys be fetched over http from this machine, and from others where that is allowed', () => {
    for (const host of [
      'localhost',
      'a.localhost',
      '127.0.0.1',
      '127.1.2.3',
      '[::1]',
      'LOCALHOST',
    ]) {
      expect(make({ issuer, jwksUri: `http://${host}:3000/keys` }), host).not.to.throw();
      expect(make({ issuer: `http://${host}:3000`, discovery: true }), host).not.to.throw();
    }
    expect(make({ issuer, jwksUri: 'http://keys.internal/', allowHttp: true })).not.to.throw();
  });

  it('refuse a public key in place of the secret: whoever knows it could sign with it', () => {
    const pem = String(own.publicKey.export({ format: 'pem', type: 'spki' }));
    const damaged = [
      pem,
      ` ${pem}`,
      `"${pem}"`,
      pem.replaceAll('\n', String.raw`\n`),
      pem.slice(0, 60),
      pem.slice(5),
      pem.slice(-60),
      JSON.stringify(own.jwk),
    ];
    for (const text of damaged)
      expect(make({ issuer, secret: text }), text).to.throw(TypeError, 'secret');
  });

  it('do not take a key for an algorithm that it does not fit', () => {
    const { kid } = own;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const shared = createSecretKey(secret, 'utf8');
    const keys = [
      { kid, algorithm: 'HS256', key: own.publicKey },
      { kid, algorithm: 'HS256', key: createSecretKey('short', 'utf8') },
      { kid, algorithm: 'ES256', key: shared },
      { kid, algorithm: 'ES256', key: own.privateKey },
      { kid, algorithm: 'ES384', key: own.publicKey },
      { kid, algorithm: 'RS256', key: own.publicKey },
      { kid, algorithm: 'RS256', key: rsa.publicKey },
      { kid, algorithm: 'none', key: shared },
      { kid, algorithm: undefined, key: shared },
      { kid: undefined, algorithm: 'HS256', key: shared },
      { kid, algorithm: 'HS256', key: secret },
      { kid, algorithm: 'HS256' },
    ];
    for (const key of keys) {
      expect(make({ issuer, keys: [key] }), JSON.stringify(key)).to.throw(TypeError, 'keys');
    }
    expect(make({ issuer, keys: [own.trusted, pair('k1').trusted] })).to.throw(TypeError, 'kid');
    expect(make({ issuer, keys: [own.trusted], algorithms: ['ES256'] })).to.throw(
      TypeError,
      'algorithms',
    );
  });
});

describe('the options of requireToken', () => {
  const verifier = createVerifier({ issuer, secret });

  it('are those of a verifier, or one that is there already', () => {
    expect(gate({ issuer, secret, roles: ['admin'], cookie: 'jwt' })).not.to.throw();
    expect(gate({ verifier, roles: ['admin'], cookie: '__Host-jwt' })).not.to.throw();
  });

  const wrong: [says: string, options: object][] = [
    ['verifier', { verifier: {} }],
    ['verifier', { verifier: undefined }],
    ['audience', { verifier, audience: 'orders' }],
    ['issuer', {}],
    ['roles', { verifier, roles: [] }],
    ['roles', { verifier, roles: 'admin' }],
    ['roles', { verifier, roles: [''] }],
    ['roles', { verifier, roles: undefined }],
    ['cookie', { verifier, cookie: '' }],
    ['cookie', { verifier, cookie: 'a=b' }],
    ['cookie', { verifier, cookie: ['jwt'] }],
    ['onRefused', { verifier, onRefused: 'next' }],
    ['onrefused', { verifier, onrefused: () => undefined }],
  ];
  for (const [says, options] of wrong) {
    const shown = inspect(options, { depth: 1, breakLength: Infinity });
    it(`are wrong with ${shown}`, () => {
      expect(gate(options)).to.throw(TypeError, says);
    });
  }

  it('and those of requireRoles name a role', () => {
    for (const roles of [[], [''], [undefined], [['admin']]]) {
      expect(() => void Reflect.apply(requireRoles, undefined, roles)).to.throw(TypeError, 'roles');
    }
  });
});
