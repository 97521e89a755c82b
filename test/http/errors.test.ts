import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { StorageError } from '../../core/errors.ts';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { send } from '../support/raw.ts';
import { sessionRows } from '../support/session.ts';

const ROUTES: Record<string, string> = {
  '/auth/login': 'POST',
  '/auth/register': 'POST',
  '/auth/password': 'POST',
  '/auth/logout': 'GET, POST',
  '/auth/bypass': 'GET',
  '/auth/token': 'GET',
  '/auth/session': 'GET',
  '/auth/me': 'GET',
  '/status-lists': 'GET, HEAD, OPTIONS',
  '/.well-known/jwks.json': 'GET, HEAD, OPTIONS',
  '/oauth/introspect': 'POST',
  '/oauth/revoke': 'POST',
  '/healthz': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
  '/': 'GET, HEAD',
  '/login': 'GET, HEAD',
  '/register': 'GET, HEAD',
  '/account': 'GET, HEAD',
  '/inspect': 'GET, HEAD, POST',
  '/assets/style.css': 'GET, HEAD',
};
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];

describe('problem details', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  it('have exactly type, title, status, code, detail and request_id (RFC 9457)', async () => {
    const anyone = app.client();
    const json = { 'Content-Type': 'application/json' };
    const answers = [
      await anyone.get('/nowhere'),
      await anyone.request('PUT', '/auth/token'),
      await anyone.get('/auth/token'),
      await anyone.get('/auth/me'),
      await anyone.get('/auth/me?access_token=x'),
      await anyone.get('/auth/me', { Authorization: 'Bearer x' }),
      await anyone.get('/auth/token', { 'Sec-Fetch-Site': 'cross-site' }),
      await anyone.post('/auth/login', {}),
      await anyone.login('ada', 'wrong'),
      await anyone.request('POST', '/auth/login', json, '{'),
      await anyone.request('POST', '/auth/login', json, 'x'.repeat(20_000)),
      await anyone.request('POST', '/auth/login', { 'Content-Type': 'text/plain' }, 'x'),
      await anyone.post('/auth/register', { username: 'bob', password: 'short' }),
      await anyone.post('/auth/register', { username: 'ADA', password: PASSWORD }),
      await anyone.get('/auth/bypass?token=a%20b'),
    ];
    const ids = new Set<unknown>();
    for (const response of answers) {
      expect(response.headers.get('content-type')).to.equal(
        'application/problem+json; charset=utf-8',
      );
      const body = await bodyOf(response);
      expect(body).to.have.all.keys('type', 'title', 'status', 'code', 'detail', 'request_id');
      expect(body['type']).to.equal(`urn:coatcheck:problem:${String(body['code'])}`);
      expect(body['status']).to.equal(response.status);
      expect(body['code']).to.match(/^[a-z]+(_[a-z]+)*$/);
      expect(body['request_id']).to.match(/^[0-9a-f-]{36}$/);
      ids.add(body['request_id']);
    }
    expect(ids.size, 'each request has an id of its own').to.equal(answers.length);
  });

  for (const [path, allow] of Object.entries(ROUTES)) {
    it(`${path} answers 405 with Allow: ${allow} to every other method`, async () => {
      const others = METHODS.filter((method) => !allow.split(', ').includes(method));
      for (const method of others) {
        const answer = await send(app, method, path);
        expect([answer.status, answer.headers.get('allow')], method).to.deep.equal([405, allow]);
        if (method !== 'HEAD') expect(answer.body).to.include('"code":"method_not_allowed"');
        expect(answer.headers.get('cache-control')).to.equal('no-store');
      }
    });

    it(`${path} is exact: case and a slash at the end count`, async () => {
      if (path === '/') return;
      for (const other of [path.toUpperCase(), `${path}/`]) {
        expect((await app.client().get(other)).status, other).to.equal(404);
      }
    });
  }

  it('security 4: strange paths and queries are 404 or 400, never an error of ours', async () => {
    const paths = [
      '/%',
      '/%ff',
      '/%00',
      '/auth/%',
      '/auth/token%00',
      '//',
      '/../..',
      '/auth/../auth',
      '/?%',
      '/?a[__proto__]=1',
      '/?__proto__=1',
      '/login?returnTo[]=x',
      '/login?returnTo=%ff',
      `/${'a'.repeat(8000)}`,
    ];
    for (const path of paths) {
      expect((await send(app, 'GET', path)).status, path.slice(0, 40)).to.be.oneOf([200, 404]);
    }
  });
});

describe('an error that nobody expected', () => {
  it('is a 500 with a request id; the log has the cause; the process lives on', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const { users } = app.services;
    const findActive = users.findActive.bind(users);
    users.findActive = () => Promise.reject(new TypeError('the private cause'));
    const response = await ada.get('/auth/token');
    expect(response.status).to.equal(500);
    const body = await bodyOf(response);
    expect(body['code']).to.equal('internal_error');
    expect(JSON.stringify(body)).not.to.include('private cause').and.not.to.include('TypeError');
    const line = app
      .logged()
      .split('\n')
      .find((text) => text.includes('the private cause'));
    expect(line).to.include(String(body['request_id']));
    users.findActive = findActive;
    expect((await ada.get('/auth/token')).status).to.equal(200);
  });

  it('thrown at every step of a login becomes an answer, not a rejection that nobody handles (M1)', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const { users, passwords, sessions } = app.services;
    const sabotage = (): never => {
      throw new Error('sabotage');
    };
    const breaks = [
      () => (users.findLogin = () => Promise.reject(new Error('sabotage'))),
      () => (users.findLogin = sabotage),
      () => (passwords.matches = sabotage),
      () => (sessions.set = (_id, _session, callback) => callback?.(new Error('sabotage'))),
    ];
    const findLogin = users.findLogin.bind(users);
    const matches = passwords.matches.bind(passwords);
    const set = sessions.set.bind(sessions);
    for (const breakIt of breaks) {
      breakIt();
      const response = await app.client().login('ada', PASSWORD);
      expect(response.status).to.equal(500);
      expect(await response.text()).not.to.include('sabotage');
      expect(response.headers.getSetCookie()).to.deep.equal([]);
      users.findLogin = findLogin;
      passwords.matches = matches;
      sessions.set = set;
    }
    expect((await app.client().login('ada', PASSWORD)).status).to.equal(200);
    expect(await sessionRows(app)).to.equal(1);
  });

  it('answers a browser with a page', async () => {
    await using app = await startApp();
    app.services.users.list = () => Promise.reject(new Error('the private cause'));
    const response = await app.client().get('/auth/bypass', { Accept: 'text/html' });
    expect(response.status).to.equal(500);
    expect(await response.text())
      .to.include('internal_error')
      .and.not.to.include('private cause');
  });
});

describe('security 10: while the database is away', () => {
  it('every session is answered with 503, never 200 or 401, and is still there afterwards', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const { sessions } = app.services;
    const get = sessions.get.bind(sessions);
    const find = sessions.find.bind(sessions);
    sessions.get = (_id, callback) => callback(new StorageError('away'));
    sessions.find = () => Promise.reject(new StorageError('away'));
    for (const path of [
      '/auth/token',
      '/auth/session',
      '/',
      '/account',
      '/auth/bypass?token=ada',
    ]) {
      const response = await ada.get(path);
      expect(response.status, path).to.equal(503);
      expect(response.headers.get('retry-after'), path).to.match(/^\d+$/);
      expect(response.headers.getSetCookie(), path).to.deep.equal([]);
      expect((await bodyOf(response))['code']).to.equal('unavailable');
    }
    expect((await ada.post('/auth/logout')).status).to.equal(503);
    sessions.get = get;
    sessions.find = find;
    expect((await ada.get('/auth/token')).status).to.equal(200);
  });

  it('nobody is told that their password or token is wrong', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const ada = await signIn(app, 'ada');
    const token = await ada.token();
    const { users } = app.services;
    users.findActive = () => Promise.reject(new StorageError('away'));
    users.findLogin = () => Promise.reject(new StorageError('away'));
    expect((await ada.get('/auth/token')).status).to.equal(503);
    expect((await ada.get('/auth/me', { Authorization: `Bearer ${token}` })).status).to.equal(503);
    expect((await app.client().login('ada', PASSWORD)).status).to.equal(503);
    const form = await app.client().submit('/auth/login', { username: 'ada', password: PASSWORD });
    expect([form.status, form.headers.get('retry-after')]).to.deep.equal([503, '5']);
  });

  it('a login that cannot end the session before it leaves that session and its cookie as they are', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const { sessions } = app.services;
    const destroy = sessions.destroy.bind(sessions);
    sessions.destroy = (_id, callback) => callback?.(new StorageError('away'));
    const response = await ada.get('/auth/bypass?token=bob');
    expect(response.status).to.equal(503);
    expect(response.headers.getSetCookie()).to.deep.equal([]);
    sessions.destroy = destroy;
    const { user } = await bodyOf(await ada.get('/auth/session'));
    expect(user).to.include({ username: 'ada' });
  });

  it('locked by another process: a login is 503 with Retry-After and leaves nothing; then it mends', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const ada = await signIn(app, 'ada');
    const other = new DatabaseSync(app.services.settings.databaseUrl.replace('sqlite:', ''));
    other.exec('BEGIN IMMEDIATE');
    const someone = app.client();
    const response = await someone.login('ada', PASSWORD);
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '5']);
    expect(someone.cookies.size).to.equal(0);
    expect((await ada.get('/auth/token')).status, 'reading goes on').to.equal(200);
    other.exec('ROLLBACK');
    other.close();
    expect(await sessionRows(app)).to.equal(1);
    expect((await someone.login('ada', PASSWORD)).status).to.equal(200);
    expect((await ada.get('/auth/token')).status).to.equal(200);
  });

  it('an answer that is whole is not cut off because "last seen" could not be written', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    app.services.sessions.touch = (_id, _session, callback) => {
      setImmediate(() => callback?.(new StorageError('away')));
    };
    const exchange = async () => {
      const response = await ada.get('/auth/token');
      expect(response.status).to.equal(200);
      expect(await bodyOf(response)).to.include({ token_type: 'Bearer' });
    };
    await exchange();
    let connections = 0;
    app.server.on('connection', () => (connections += 1));
    for (let turn = 0; turn < 5; turn += 1) await exchange();
    expect(connections, 'new ones, in place of the one that is kept alive').to.equal(0);
  });

  it('/readyz says so and /healthz does not care', async () => {
    await using app = await startApp();
    expect((await app.client().get('/readyz')).status).to.equal(200);
    await app.services.database.close();
    const ready = await app.client().get('/readyz');
    expect(ready.status).to.equal(503);
    expect(await bodyOf(ready)).to.deep.equal({ status: 'not ready', failures: ['database'] });
    const health = await app.client().get('/healthz');
    expect(health.status).to.equal(200);
    expect(await bodyOf(health)).to.deep.equal({ status: 'ok' });
  });

  it('closed for good, it opens nothing to anybody', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    await app.services.database.close();
    for (const path of ['/auth/token', '/auth/session', '/account']) {
      expect((await ada.get(path)).status, path).to.be.within(500, 503);
    }
    expect((await ada.login('ada', PASSWORD)).status).to.be.within(500, 503);
  });
});

describe('the health routes', () => {
  it('are not cached, and set no cookie', async () => {
    await using app = await startApp();
    for (const path of ['/healthz', '/readyz']) {
      for (const method of ['GET', 'HEAD']) {
        const response = await app.client().request(method, path);
        expect(response.status).to.equal(200);
        expect(response.headers.get('cache-control')).to.equal('no-store');
        expect(response.headers.getSetCookie()).to.deep.equal([]);
      }
    }
  });

  it('security 23: /readyz is 503 while the service stops, and connections are told to close', async () => {
    await using app = await startApp();
    app.services.readiness.draining = true;
    const ready = await app.client().get('/readyz');
    expect(ready.status).to.equal(503);
    expect(await bodyOf(ready)).to.deep.equal({ status: 'not ready', failures: ['draining'] });
    const health = await app.client().get('/healthz');
    expect([health.status, health.headers.get('connection')]).to.deep.equal([200, 'close']);
  });
});
