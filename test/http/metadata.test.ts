import { expect } from 'chai';
import { calculateJwkThumbprint, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { send } from '../support/raw.ts';

const KEYS = '/.well-known/jwks.json';
const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
const PATHS = [KEYS, ...METADATA];

/** The members that only a private or a secret key has (RFC 7518, section 6). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

async function keysOf(client: Client): Promise<Record<string, unknown>[]> {
  const { keys } = await bodyOf(await client.get(KEYS));
  if (!Array.isArray(keys)) throw new Error('that is no key set');
  return keys.map((key: unknown) => ({ ...(typeof key === 'object' ? key : {}) }));
}

describe('what APIs can look up', () => {
  let app: TestApp;
  let anyone: Client;
  before(async () => {
    app = await startApp({ JWT_ALGORITHM: 'ES256' });
    anyone = app.client();
  });
  after(() => app[Symbol.asyncDispose]());

  it('may be kept for ten minutes, by anyone, and read by the scripts of any site', async () => {
    for (const path of PATHS) {
      const response = await anyone.get(path, { Origin: 'https://api.example.net' });
      expect(response.status, path).to.equal(200);
      const { headers } = response;
      expect(headers.get('cache-control')).to.equal('public, max-age=600');
      expect(headers.get('access-control-allow-origin')).to.equal('*');
      expect(headers.get('access-control-allow-credentials')).to.equal(null);
      expect(headers.get('cross-origin-resource-policy')).to.equal('cross-origin');
      expect(headers.get('set-cookie')).to.equal(null);
      expect(headers.get('vary')).to.equal(null);
    }
  });

  it('is not sent again to whoever has it', async () => {
    for (const path of PATHS) {
      const etag = (await anyone.get(path)).headers.get('etag') ?? '';
      expect(etag).to.match(/^"[\w-]+"$/);
      for (const known of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
        const again = await anyone.get(path, { 'If-None-Match': known });
        expect(again.status, known).to.equal(304);
        expect(again.headers.get('etag')).to.equal(etag);
        expect(again.headers.get('cache-control')).to.equal('public, max-age=600');
        expect(await again.text()).to.equal('');
      }
      expect((await anyone.get(path, { 'If-None-Match': '"x"' })).status).to.equal(200);
    }
  });

  it('lets the scripts of any site ask under a condition', async () => {
    for (const path of PATHS) {
      const leave = await anyone.request('OPTIONS', path, {
        Origin: 'https://api.example.net',
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'if-none-match',
      });
      expect(leave.status).to.equal(204);
      expect(leave.headers.get('access-control-allow-origin')).to.equal('*');
      expect(leave.headers.get('access-control-allow-headers')).to.include('If-None-Match');
      const { headers } = await anyone.get(path);
      expect(headers.get('access-control-expose-headers')).to.equal('ETag');
    }
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of PATHS) {
      const body = await (await anyone.get(path)).text();
      const head = await anyone.request('HEAD', path);
      expect(head.status).to.equal(200);
      expect(head.headers.get('content-length')).to.equal(String(Buffer.byteLength(body)));
      expect(await head.text()).to.equal('');
    }
  });

  it('has one address: no slash at the end, no other case, no other method', async () => {
    for (const path of [`${KEYS}/`, KEYS.toUpperCase(), '/.well-known', '/.well-known/jwks']) {
      expect((await anyone.get(path)).status, path).to.equal(404);
    }
    const post = await anyone.post(KEYS, {});
    expect([post.status, post.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, OPTIONS']);
  });

  describe('the key set', () => {
    it('has the public half of the key, named by its thumbprint (RFC 7638)', async () => {
      const response = await anyone.get(KEYS);
      expect(response.headers.get('content-type')).to.equal('application/jwk-set+json');
      const [key = {}, ...others] = await keysOf(anyone);
      expect(others).to.deep.equal([]);
      expect(Object.keys(key).toSorted()).to.deep.equal([
        'alg',
        'crv',
        'kid',
        'kty',
        'use',
        'x',
        'y',
      ]);
      expect(key).to.include({ alg: 'ES256', use: 'sig', kty: 'EC', crv: 'P-256' });
      expect(key['kid']).to.equal(await calculateJwkThumbprint(key));
    });

    for (const JWT_ALGORITHM of ['ES256', 'ES384', 'RS256', 'PS256']) {
      it(`verifies what ${JWT_ALGORITHM} signs, and tells nothing private`, async () => {
        await using one = await startApp({ JWT_ALGORITHM });
        const jwt = await (await signIn(one, 'ada')).token();
        const { protectedHeader } = await jwtVerify(
          jwt,
          createRemoteJWKSet(new URL(one.url + KEYS)),
          {
            issuer: 'http://localhost:3000',
            algorithms: [JWT_ALGORITHM],
          },
        );
        const keys = await keysOf(one.client());
        expect(keys.map(({ kid }) => kid)).to.deep.equal([protectedHeader.kid]);
        for (const key of keys) expect(key).not.to.have.any.keys(...PRIVATE);
      });
    }

    it('is empty with a shared secret', async () => {
      await using one = await startApp({ JWT_ALGORITHM: 'HS256' });
      expect(await keysOf(one.client())).to.deep.equal([]);
      expect(decodeProtectedHeader(await (await signIn(one, 'ada')).token()).alg).to.equal('HS256');
    });
  });

  describe('the metadata', () => {
    it('is one document under two names, and says only what exists', async () => {
      const base = 'http://localhost:3000';
      for (const path of METADATA) {
        const response = await anyone.get(path);
        expect(response.headers.get('content-type')).to.match(/^application\/json/);
        expect(await bodyOf(response)).to.deep.equal({
          issuer: base,
          jwks_uri: `${base}${KEYS}`,
          introspection_endpoint: `${base}/oauth/introspect`,
          introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
          revocation_endpoint: `${base}/oauth/revoke`,
          revocation_endpoint_auth_methods_supported: ['client_secret_basic'],
          status_list_aggregation_endpoint: `${base}/status-lists`,
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        });
      }
    });

    it('names addresses that answer', async () => {
      const port = await freePort();
      const PUBLIC_URL = `http://localhost:${port}`;
      await using one = await startApp({ PUBLIC_URL }, { port });
      const metadata = await bodyOf(await one.client().get(METADATA[0] ?? ''));
      const addresses = Object.entries(metadata).filter(([name]) => /_(uri|endpoint)$/.test(name));
      expect(addresses).to.have.length(4);
      for (const [name, address] of addresses) {
        expect((await fetch(String(address))).status, name).to.be.oneOf([200, 405]);
      }
    });

    it('security 22: takes nothing from the request', async () => {
      const { body } = await send(app, 'GET', METADATA[0] ?? '', {
        Host: 'evil.example',
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'https',
      });
      expect(body).to.include('http://localhost:3000').and.not.include('evil.example');
    });
  });
});
