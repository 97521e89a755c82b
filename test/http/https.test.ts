import { expect } from 'chai';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { claimsOf, sessionRows, setCookie } from '../support/session.ts';

const HTTPS = { 'X-Forwarded-Proto': 'https' };

const BEHIND_PROXY = {
  PUBLIC_URL: 'https://login.example.org',
  TRUST_PROXY: '127.0.0.1',
  BYPASS_AUTH: 'false',
  TOKEN_COOKIE: 'jwt',
};

describe('behind a reverse proxy that serves https', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp(BEHIND_PROXY);
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  it('security 17: the session cookie is __Host-session; Secure; HttpOnly; Path=/; SameSite=Lax', async () => {
    const ada = app.client();
    const response = await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, HTTPS);
    expect(response.status).to.equal(200);
    expect(setCookie(response, '__Host-session')).to.match(
      /^__host-session=[^;]+; path=\/; expires=[^;]+; httponly; secure; samesite=lax$/,
    );
    expect(setCookie(response, 'session')).to.equal(undefined);
    expect(setCookie(response, 'jwt')).to.include('; httponly; secure; samesite=lax');
    expect((await ada.get('/auth/token', HTTPS)).status).to.equal(200);
  });

  it('a session cookie without the prefix, which another host could have set, is not read', async () => {
    const ada = app.client();
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, HTTPS);
    const tricked = app.client();
    tricked.cookies.set('session', ada.cookies.get('__Host-session') ?? '');
    expect((await tricked.get('/auth/token', HTTPS)).status).to.equal(401);
  });

  it('logout clears both cookies as Secure, or the browser would keep them', async () => {
    const ada = app.client();
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, HTTPS);
    const response = await ada.request('POST', '/auth/logout', HTTPS);
    for (const name of ['__Host-session', 'jwt']) {
      expect(setCookie(response, name), name).to.include('path=/; expires=thu, 01 jan 1970');
      expect(setCookie(response, name), name).to.include('; secure');
    }
  });

  it('security 17: a login that seems to come over http is refused, and leaves no row (M5)', async () => {
    const rows = await sessionRows(app);
    const credentials = { username: 'ada', password: PASSWORD };
    for (const headers of [{}, { 'X-Forwarded-Proto': 'http' }, { Forwarded: 'proto=https' }]) {
      const someone = app.client();
      const response = await someone.post('/auth/login', credentials, headers);
      expect(response.status).to.equal(400);
      const body = await bodyOf(response);
      expect(body['code']).to.equal('https_required');
      expect(body['detail']).to.include('TRUST_PROXY').and.to.include('X-Forwarded-Proto');
      expect(someone.cookies.size).to.equal(0);
    }
    expect(await sessionRows(app)).to.equal(rows);
  });

  it('security 22: neither Host nor X-Forwarded-Host gets into issuer or links', async () => {
    const forged = { ...HTTPS, 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' };
    const ada = app.client();
    const fields = { username: 'ada', password: PASSWORD, returnTo: '/account' };
    const response = await ada.submit('/auth/login', fields, forged);
    expect(response.headers.get('location')).to.equal('/account');
    const { token } = await bodyOf(await ada.get('/auth/token', forged));
    expect(claimsOf(String(token))['iss']).to.equal('https://login.example.org');
    for (const path of ['/', '/login', '/account']) {
      expect(await (await ada.get(path, forged)).text()).not.to.include('evil.example');
    }
  });

  it('the address of the session is the one that the proxy names', async () => {
    const ada = app.client();
    const headers = { ...HTTPS, 'X-Forwarded-For': '203.0.113.9, 198.51.100.7' };
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, headers);
    const [latest] = await app.services.sessions.list();
    const addresses = (await app.services.sessions.list()).map(({ address }) => address);
    expect(latest).not.to.equal(undefined);
    expect(addresses).to.include('198.51.100.7').and.not.to.include('203.0.113.9');
  });
});

describe('for single-page apps on another site', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp({
      ...BEHIND_PROXY,
      CORS_ORIGINS: 'https://app.example.net',
      SESSION_COOKIE_SAMESITE: 'none',
    });
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  const THERE = { ...HTTPS, Origin: 'https://app.example.net', 'Sec-Fetch-Site': 'cross-site' };

  it('security 17: the session cookie is SameSite=None; Secure; Partitioned, and so is that of the device', async () => {
    const response = await app
      .client()
      .post('/auth/login', { username: 'ada', password: PASSWORD }, THERE);
    expect(response.status).to.equal(200);
    for (const name of ['__Host-session', '__Host-device']) {
      const cookie = setCookie(response, name) ?? '';
      for (const attribute of ['secure', 'httponly', 'path=/', 'samesite=none', 'partitioned'])
        expect(cookie.split('; '), name).to.include(attribute);
    }
  });

  it('the token cookie stays SameSite=Lax: APIs that take it would do what any site asks', async () => {
    const ada = app.client();
    const response = await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, HTTPS);
    expect(setCookie(response, 'jwt')).to.include('samesite=lax').and.not.include('partitioned');
  });

  it('logout clears the cookie in the partition in which it is', async () => {
    const ada = app.client();
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, THERE);
    const response = await ada.request('POST', '/auth/logout', THERE);
    expect(response.status).to.equal(204);
    const cookie = setCookie(response, '__Host-session') ?? '';
    expect(cookie).to.include('expires=thu, 01 jan 1970').and.include('partitioned');
    expect(cookie).to.include('samesite=none').and.include('secure');
  });

  it('security 9: an image elsewhere, in a browser that does not say so, signs nobody out', async () => {
    const ada = app.client();
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, THERE);
    const response = await ada.get('/auth/logout', { ...HTTPS, Accept: 'image/*' });
    expect(await response.text()).to.include('Sign out?');
    expect((await ada.get('/auth/token', THERE)).status).to.equal(200);
  });

  it('security 9: no other site gets anything with the cookie that now goes along', async () => {
    const ada = app.client();
    await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, THERE);
    const evil = { ...HTTPS, Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    const { Origin: _, ...image } = evil;
    for (const headers of [evil, image]) {
      for (const [method, path] of [
        ['GET', '/auth/token'],
        ['POST', '/auth/logout'],
        ['POST', '/auth/password'],
        ['GET', '/auth/sessions'],
        ['DELETE', '/auth/sessions?scope=all'],
      ] as const) {
        const response = await ada.request(method, path, headers);
        expect(response.status, path).to.equal(403);
        expect(response.headers.get('access-control-allow-origin')).to.equal(null);
      }
    }
    expect((await ada.get('/auth/token', THERE)).status).to.equal(200);
  });
});

describe('a forwarding header of somebody who is no trusted proxy', () => {
  it('counts for nothing', async () => {
    await using app = await startApp({ ...BEHIND_PROXY, TRUST_PROXY: '10.0.0.1' });
    await addUser(app, 'ada');
    const credentials = { username: 'ada', password: PASSWORD };
    const response = await app.client().post('/auth/login', credentials, HTTPS);
    expect((await bodyOf(response))['code']).to.equal('https_required');
    expect(await sessionRows(app)).to.equal(0);
  });
});
