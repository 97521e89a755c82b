import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { StorageError } from '../../core/errors.ts';

const PAGE = { Accept: 'text/html' };
const JWT = /ey[\w-]+\.ey[\w-]+\.[\w-]+/;
const HOSTILE = `<img src=x onerror="alert(1)">'&`;

describe('the pages', () => {
  let app: TestApp;
  let ada: Client;
  let anyone: Client;
  before(async () => {
    app = await startApp();
    await addUser(app, 'ada', { roles: ['admin'] });
    ada = app.client();
    await ada.login('ada', PASSWORD);
    anyone = app.client();
  });
  after(() => app[Symbol.asyncDispose]());

  for (const path of ['/', '/login', '/register', '/auth/bypass', '/auth/logout']) {
    it(`${path} is there for whoever is signed in and whoever is not`, async () => {
      for (const client of [ada, anyone]) {
        const response = await client.get(path, PAGE);
        expect(response.status).to.equal(200);
        expect(response.headers.get('content-type')).to.equal('text/html; charset=utf-8');
        expect(response.headers.get('cache-control')).to.equal('no-store');
        expect(response.headers.has('etag')).to.equal(false);
        expect(await response.text())
          .to.match(/^\s*<!doctype html>/)
          .and.to.include('</html>');
      }
    });
  }

  it('/account shows the user, and sends everybody else to sign in first', async () => {
    const response = await ada.get('/account', PAGE);
    expect(response.status).to.equal(200);
    expect(await response.text())
      .to.include('admin')
      .and.to.include('127.0.0.1');
    const other = await anyone.get('/account', PAGE);
    expect(other.status).to.equal(303);
    expect(other.headers.get('location')).to.equal('/login?returnTo=/account');
  });

  it('/account treats a user who was disabled as signed out', async () => {
    const gone = await signIn(app, 'gone');
    const user = await app.services.users.findByUsername('gone');
    await app.services.users.setDisabled(user?.id ?? '', true);
    expect((await gone.get('/account', PAGE)).status).to.equal(303);
    expect(await (await gone.get('/', PAGE)).text()).not.to.include('You are signed in');
  });

  it('/ shows the signed-in user a token that works', async () => {
    const html = await (await ada.get('/', PAGE)).text();
    const [token = ''] = JWT.exec(html.replaceAll(/<[^>]+>/g, '')) ?? [];
    const headers = { Authorization: `Bearer ${token}` };
    expect((await anyone.get('/auth/me', headers)).status).to.equal(200);
    expect(await (await anyone.get('/', PAGE)).text()).not.to.match(/ey[\w-]{20}/);
  });

  it('hide what is typed for a password, and let password managers fill it in', async () => {
    const wanted = {
      '/login': ['current-password'],
      '/register': ['new-password'],
      '/account': ['current-password', 'current-password', 'new-password'],
    };
    for (const [path, uses] of Object.entries(wanted)) {
      const html = await (await (path === '/account' ? ada : anyone).get(path, PAGE)).text();
      const fields = html.matchAll(/name="\w*password" type="password" autocomplete="([^"]+)"/g);
      expect(
        Array.from(fields, ([, use]) => use),
        path,
      ).to.deep.equal(uses);
    }
  });

  it('tell password managers whose password each form of the account page asks for', async () => {
    const html = await (await ada.get('/account', PAGE)).text();
    for (const action of ['/auth/email', '/auth/password']) {
      const form = html.split(`action="${action}"`)[1]?.split('</form>')[0];
      expect(form, action).to.match(
        /<input id="[\w-]+" type="text" autocomplete="username" value="ada"/,
      );
    }
  });

  it('answer HEAD as GET, without a body', async () => {
    for (const path of ['/', '/login', '/register']) {
      const [head, get] = [await ada.request('HEAD', path), await ada.get(path)];
      expect(head.status).to.equal(200);
      expect(head.headers.get('content-type')).to.equal(get.headers.get('content-type'));
      expect(await head.text()).to.equal('');
    }
  });

  it('security 25: have no inline script, style or handler, and no address elsewhere', async () => {
    const pages = [
      '/',
      '/login',
      '/register',
      '/account',
      '/auth/bypass',
      '/auth/logout',
      '/nowhere',
    ];
    for (const client of [ada, anyone]) {
      for (const path of pages) {
        const html = await (await client.get(path, PAGE)).text();
        expect(html, path).not.to.match(
          /<script(?! src="\/assets\/)|<style|<iframe|<object|<base/i,
        );
        expect(html, path).not.to.match(/<[^>]+\s(style|on\w+)\s*=/i);
        expect(html, path).not.to.match(/(href|src|action)="(?!\/(?!\/)|#)/i);
      }
    }
  });

  it('escape whatever people have typed', async () => {
    const name = HOSTILE.slice(0, 128);
    const email = `"><svg/onload=alert(1)>@example.org`;
    await addUser(app, "o'brien", { name, email, roles: ['a.b'] });
    const mallory = app.client();
    await mallory.post(
      '/auth/login',
      { username: "o'brien", password: PASSWORD },
      { 'User-Agent': HOSTILE },
    );
    for (const path of ['/', '/account', '/auth/bypass', '/auth/logout', '/login', '/nowhere']) {
      const html = await (await mallory.get(path, PAGE)).text();
      expect(html, path).not.to.match(/<img src=x|<svg/);
      if (path === '/account')
        expect(html).to.include('&lt;svg/onload').and.to.include('&lt;img src=x');
    }
  });

  it('escape what is in the address and in forms', async () => {
    const query = encodeURIComponent(`/"><script>alert(1)</script>'`);
    for (const path of ['/login', '/register', '/auth/bypass', '/auth/logout', '/']) {
      const html = await (
        await anyone.get(`${path}?returnTo=${query}&changed=${query}`, PAGE)
      ).text();
      expect(html, path).not.to.include('<script>');
    }
    for (const field of ['username', 'email', 'name', '<script>alert(1)</script>', 'returnTo']) {
      const fields = { password: 'x', [field]: '"><script>alert(1)</script>' };
      const html = await (await anyone.submit('/auth/register', fields)).text();
      expect(html, field).not.to.include('<script');
    }
  });

  it('show errors as a page to a browser and as problem details to everyone else, with one status', async () => {
    const asked = [
      ['GET', '/nowhere', 404],
      ['GET', '/auth/token', 401],
      ['GET', '/auth/me', 401],
      ['PUT', '/auth/token', 405],
      ['DELETE', '/', 405],
      ['POST', '/auth/password', 401],
      ['GET', '/auth/sessions', 401],
      ['POST', '/auth/sessions/end', 401],
      ['DELETE', '/auth/sessions/1', 401],
      ['GET', '/auth/sessions/1', 405],
    ] as const;
    for (const [method, path, status] of asked) {
      const page = await anyone.request(method, path, PAGE);
      const problem = await anyone.request(method, path, { Accept: 'application/json' });
      expect([page.status, problem.status], path).to.deep.equal([status, status]);
      expect(page.headers.get('content-type')).to.equal('text/html; charset=utf-8');
      expect(problem.headers.get('content-type')).to.equal(
        'application/problem+json; charset=utf-8',
      );
      for (const name of [
        'allow',
        'www-authenticate',
        'cache-control',
        'content-security-policy',
      ]) {
        expect(page.headers.get(name), `${path} ${name}`).to.equal(problem.headers.get(name));
      }
      const { code } = await bodyOf(problem);
      expect(await page.text()).to.include(String(code));
    }
  });
});

describe('security 25: the headers of every answer', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  function expectHeaders({ headers }: Response, what: string): void {
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy.split(';'), what).to.include.members([
      "default-src 'none'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "form-action 'self'",
      "base-uri 'none'",
    ]);
    expect(policy, what).not.to.match(/unsafe|\*|http/);
    expect(headers.get('x-content-type-options'), what).to.equal('nosniff');
    expect(headers.get('referrer-policy'), what).to.equal('same-origin');
    expect(headers.get('cross-origin-resource-policy'), what).to.equal('same-origin');
    expect(headers.get('x-frame-options'), what).to.equal('DENY');
    expect(headers.has('x-powered-by'), what).to.equal(false);
    expect(headers.has('server'), what).to.equal(false);
  }

  it('are there on good answers and refusals', async () => {
    const ada = await signIn(app, 'ada');
    const paths = [
      '/',
      '/login',
      '/account',
      '/auth/token',
      '/auth/session',
      '/auth/me',
      '/auth/bypass',
      '/nowhere',
      '/healthz',
      '/readyz',
      '/assets/style.css',
      '/assets/icon.svg',
      '/%',
      '/%ff',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
        expectHeaders(await ada.request(method, path), `${method} ${path}`);
      }
    }
  });

  it('are there on 500 and 503', async () => {
    await using broken = await startApp();
    const ada = await signIn(broken, 'ada');
    for (const [status, error] of [
      [500, new Error('boom')],
      [503, new StorageError('away')],
    ] as const) {
      broken.services.users.findActive = () => Promise.reject(error);
      for (const headers of [PAGE, {}]) {
        const response = await ada.get('/auth/token', headers);
        expect(response.status).to.equal(status);
        expectHeaders(response, String(status));
        expect(response.headers.get('cache-control')).to.equal('no-store');
      }
    }
  });

  it('have Strict-Transport-Security where people come over https, and only there', async () => {
    await using secure = await startApp({
      PUBLIC_URL: 'https://login.example.org',
      TRUST_PROXY: '127.0.0.1',
      BYPASS_AUTH: 'false',
    });
    const hsts = (await secure.client().get('/nowhere')).headers.get('strict-transport-security');
    expect(hsts).to.equal('max-age=31536000; includeSubDomains');
    expect((await app.client().get('/')).headers.has('strict-transport-security')).to.equal(false);
  });
});

describe('assets', () => {
  it('may be kept for ever, under an address that changes with their content', async () => {
    await using app = await startApp();
    const html = await (await app.client().get('/')).text();
    const hrefs = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(
      ([, href = '']) => href,
    );
    expect(new Set(hrefs).size).to.equal(3);
    for (const href of new Set(hrefs)) {
      expect(href).to.match(/\?v=[0-9a-f]{12}$/);
      for (const method of ['GET', 'HEAD']) {
        const response = await app.client().request(method, href);
        expect(response.status).to.equal(200);
        expect(response.headers.get('cache-control')).to.equal(
          'public, max-age=31536000, immutable',
        );
        expect(response.headers.get('content-type')).to.match(
          /^(text\/(css|javascript); charset=utf-8|image\/svg\+xml)$/,
        );
        expect((await response.arrayBuffer()).byteLength > 0).to.equal(method === 'GET');
      }
    }
  });

  it('are the only files that can be fetched', async () => {
    await using app = await startApp();
    const paths = [
      '/assets/',
      '/assets',
      '/assets/../render.ts',
      '/assets/..%2frender.ts',
      '/assets/%2e%2e/login.eta',
      '/views/login.eta',
      '/.env',
      '/package.json',
    ];
    for (const path of paths) expect((await app.client().get(path)).status, path).to.equal(404);
  });
});
