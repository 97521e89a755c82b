import { inflateSync } from 'node:zlib';
import { expect } from 'chai';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { z } from 'zod';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { SECOND, TestClock } from '../support/clock.ts';
import { StorageError } from '../../core/errors.ts';
import { claimsOf } from '../support/session.ts';
import { temporaryDirectory } from '../support/directory.ts';

const Reference = z.object({
  status: z.object({ status_list: z.object({ idx: z.int(), uri: z.string() }) }),
});
const ListClaims = z.strictObject({
  iss: z.string(),
  sub: z.string(),
  iat: z.int(),
  exp: z.int(),
  ttl: z.int(),
  status_list: z.strictObject({ bits: z.literal(1), lst: z.string() }),
});

describe('the status lists', () => {
  let app: TestApp;
  let ada: Client;
  before(async () => (app = await startApp()));
  beforeEach(async () => (ada = await signIn(app, 'ada')));
  after(() => app[Symbol.asyncDispose]());

  async function entryOf(client: Client) {
    const { idx, uri } = Reference.parse(claimsOf(await client.token())).status.status_list;
    return { idx, uri, path: new URL(uri).pathname };
  }

  const get = (path: string, headers: Record<string, string> = {}, by = app) =>
    fetch(by.url + path, { headers });

  async function bitAt({ idx, path }: { idx: number; path: string }, by = app): Promise<number> {
    const claims = ListClaims.parse(claimsOf(await (await get(path, {}, by)).text()));
    const bytes = inflateSync(Buffer.from(claims.status_list.lst, 'base64url'));
    expect(bytes.length).to.equal(2 ** 14);
    return ((bytes[idx >> 3] ?? 0) >> (idx & 7)) & 1;
  }

  describe('GET /status-lists/:id', () => {
    it('answers a signed list as the draft has it', async () => {
      const { uri, path } = await entryOf(ada);
      expect(uri).to.match(/^http:\/\/localhost:3000\/status-lists\/[\w-]{22}$/);
      const response = await get(path);
      expect([response.status, response.headers.get('content-type')]).to.deep.equal([
        200,
        'application/statuslist+jwt',
      ]);
      const jwt = await response.text();
      const { kid, algorithm, key } = app.services.keyRing.signing();
      expect(decodeProtectedHeader(jwt)).to.deep.equal({
        alg: algorithm,
        typ: 'statuslist+jwt',
        kid,
      });
      const options = { typ: 'statuslist+jwt', currentDate: new Date(app.clock.now()) };
      const { payload } = await jwtVerify(jwt, key, options);
      const claims = ListClaims.parse(payload);
      expect(claims).to.include({ iss: 'http://localhost:3000', sub: uri, ttl: 60 });
      expect(claims.exp - claims.iat).to.equal(300);
    });

    it('has the bit of a session that was logged out, and of no other', async () => {
      const other = await signIn(app, 'bob');
      const [mine, others] = [await entryOf(ada), await entryOf(other)];
      expect([await bitAt(mine), await bitAt(others)]).to.deep.equal([0, 0]);
      await ada.post('/auth/logout');
      expect([await bitAt(mine), await bitAt(others)]).to.deep.equal([1, 0]);
    });

    it('is no token that anything else accepts', async () => {
      const list = await (await get((await entryOf(ada)).path)).text();
      const response = await get('/auth/me', { Authorization: `Bearer ${list}` });
      expect(response.status).to.equal(401);
    });

    it('may be kept by caches until five seconds before its end, and is signed anew after ten', async () => {
      const { path } = await entryOf(ada);
      const load = async () => {
        const response = await get(path);
        return [response.headers.get('cache-control'), await response.text()];
      };
      const past = (app.clock.now() % SECOND) - SECOND;
      app.clock.advance(-past); // a whole second
      await ada.post('/auth/logout'); // a new version
      const first = await load();
      app.clock.advance(9 * SECOND);
      const second = await load();
      app.clock.advance(SECOND);
      const third = await load();
      expect(first[0]).to.equal('public, max-age=55');
      expect(second).to.deep.equal(['public, max-age=46', first[1]]);
      expect(third[0]).to.equal('public, max-age=55');
      expect(third[1]).to.not.equal(first[1]);
    });

    it('is not sent again to whoever has it', async () => {
      const { path } = await entryOf(ada);
      const etag = (await get(path)).headers.get('etag') ?? '';
      expect(etag).to.match(/^"[\w-]{43}"$/);
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const response = await get(path, { 'If-None-Match': known });
        expect([response.status, await response.text()], known).to.deep.equal([304, '']);
        expect(response.headers.get('etag')).to.equal(etag);
        expect(response.headers.get('cache-control')).to.match(/^public, max-age=\d+$/);
        expect(response.headers.get('access-control-allow-origin')).to.equal('*');
      }
      expect((await get(path, { 'If-None-Match': '"other"' })).status).to.equal(200);
      await ada.post('/auth/logout');
      expect((await get(path, { 'If-None-Match': etag })).status).to.equal(200);
    });

    it('answers HEAD with the same headers and nothing else', async () => {
      const { path } = await entryOf(ada);
      const [head, whole] = [await app.client().request('HEAD', path), await get(path)];
      for (const name of ['etag', 'content-type', 'content-length', 'cache-control'])
        expect(head.headers.get(name), name).to.equal(whole.headers.get(name));
      expect([head.status, await head.text()]).to.deep.equal([200, '']);
    });

    it('may be read by a page of any site', async () => {
      for (const path of [(await entryOf(ada)).path, '/status-lists', '/status-lists/unknown']) {
        const { headers } = await get(path, { Origin: 'https://elsewhere.example' });
        expect(headers.get('access-control-allow-origin'), path).to.equal('*');
        expect(headers.get('cross-origin-resource-policy')).to.equal('cross-origin');
        expect(headers.has('access-control-allow-credentials')).to.equal(false);
        expect(headers.has('set-cookie')).to.equal(false);
      }
    });

    it('comes in the form that is accepted, or not at all', async () => {
      const { path } = await entryOf(ada);
      const accepted = {
        'application/statuslist+jwt': 200,
        'application/*': 200,
        '*/*': 200,
        'application/statuslist+cwt, application/statuslist+jwt;q=0.5': 200,
        'text/html, */*;q=0.1': 200,
        'application/statuslist+cwt': 406,
        'application/json': 406,
        'application/statuslist+jwt;q=0': 406,
        'text/*': 406,
      };
      for (const [Accept, status] of Object.entries(accepted)) {
        expect((await get(path, { Accept })).status, Accept).to.equal(status);
      }
      const refusal = await get(path, { Accept: 'application/statuslist+cwt' });
      expect(refusal.headers.get('cache-control')).to.equal('no-store');
      expect((await bodyOf(refusal))['code']).to.equal('not_acceptable');
    });

    it('is 404 where there is none', async () => {
      const { path } = await entryOf(ada);
      for (const id of [
        'unknown',
        '%00',
        '%',
        '%ff',
        '%zz',
        '..%2f',
        `${path.slice(14)}x`,
        path.slice(14).toLowerCase(),
      ]) {
        const response = await get(`/status-lists/${id}`);
        expect([response.status, (await bodyOf(response))['code']], id).to.deep.equal([
          404,
          'not_found',
        ]);
      }
    });

    it('is 405 for whoever wants to change it', async () => {
      const { path } = await entryOf(ada);
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const response = await app.client().request(method, path);
        expect([response.status, response.headers.get('allow')]).to.deep.equal([
          405,
          'GET, HEAD, OPTIONS',
        ]);
      }
    });

    it('is 503 while the database is away, and never an old list', async () => {
      await using broken = await startApp();
      const { path } = await entryOf(await signIn(broken, 'ada'));
      expect((await get(path, {}, broken)).status).to.equal(200);
      broken.services.statusLists.version = () => Promise.reject(new StorageError('away'));
      const response = await get(path, {}, broken);
      expect([response.status, response.headers.get('cache-control')]).to.deep.equal([
        503,
        'no-store',
      ]);
    });
  });

  it('GET /status-lists names them all', async () => {
    const { uri } = await entryOf(ada);
    const response = await get('/status-lists');
    expect(response.headers.get('content-type')).to.equal('application/json');
    expect(response.headers.get('cache-control')).to.equal('public, max-age=60');
    expect(await response.json()).to.deep.equal({ status_lists: [uri] });
    const known = { 'If-None-Match': response.headers.get('etag') ?? '' };
    expect((await get('/status-lists', known)).status).to.equal(304);
  });

  it('are the same for every service on the database: a logout here is in the list there', async () => {
    using directory = temporaryDirectory();
    const environment = { DATABASE_URL: `sqlite:${directory.path}/shared.db` };
    const clock = new TestClock();
    await using here = await startApp(environment, { clock });
    await using there = await startApp(environment, { clock });
    const bob = await signIn(here, 'bob');
    const entry = await entryOf(bob);
    const token = await bob.token();
    const bearer = { Authorization: `Bearer ${token}` };
    expect(await bitAt(entry, there)).to.equal(0);
    expect((await get('/auth/me', bearer, there)).status).to.equal(200);
    await bob.post('/auth/logout');
    expect(await bitAt(entry, there)).to.equal(1);
    expect((await get('/auth/me', bearer, there)).status).to.equal(401);
  });
});
