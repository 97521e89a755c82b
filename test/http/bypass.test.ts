import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { createApp } from '../../app.ts';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { type RawHeaders, send } from '../support/raw.ts';
import { claimsOf, sessionRows } from '../support/session.ts';

const PAGE = { Accept: 'text/html,application/xhtml+xml' };
const ADA = '/auth/bypass?token=ada';

async function usernames({ services }: TestApp): Promise<string[]> {
  return (await services.users.list()).map(({ username }) => username);
}

describe('GET /auth/bypass?token=', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  it('signs a user in, and makes one without roles where there is none', async () => {
    const someone = app.client();
    const response = await someone.get('/auth/bypass?token=new');
    expect(response.status).to.equal(200);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    const { user, token } = await bodyOf(response);
    expect(user).to.deep.include({ username: 'new', name: null, email: null, roles: [] });
    expect(claimsOf(String(token))).to.deep.include({ username: 'new', amr: ['bypass'] });
    expect(await usernames(app)).to.include('new');
  });

  it('signs in the user that exists, by name in any case or by e-mail, with their roles', async () => {
    await app.services.users.add({
      username: 'Grace',
      email: 'grace@example.org',
      roles: ['admin'],
    });
    for (const token of ['Grace', 'GRACE', 'grace@example.org']) {
      const { user } = await bodyOf(await app.client().get(`/auth/bypass?token=${token}`));
      expect(user).to.deep.include({ username: 'Grace', roles: ['admin'] });
    }
    expect((await usernames(app)).filter((name) => /grace/i.test(name))).to.deep.equal(['Grace']);
  });

  it('sends a browser on to returnTo, or home', async () => {
    const home = await app.client().get(ADA, PAGE);
    expect([home.status, home.headers.get('location')]).to.deep.equal([303, '/']);
    const account = await app.client().get(`${ADA}&returnTo=/account`, PAGE);
    expect([account.status, account.headers.get('location')]).to.deep.equal([303, '/account']);
  });

  it('marks session and tokens with amr ["bypass"]', async () => {
    const ada = await signIn(app, 'ada');
    expect(claimsOf(await ada.token())['amr']).to.deep.equal(['bypass']);
    const { session } = await bodyOf(await ada.get('/auth/session'));
    expect(session).to.deep.include({ amr: ['bypass'] });
  });

  it('refuses a disabled user', async () => {
    const user = await app.services.users.add({ username: 'gone' });
    await app.services.users.setDisabled(user.id, true);
    const someone = app.client();
    const response = await someone.get('/auth/bypass?token=gone');
    expect(response.status).to.equal(401);
    expect((await bodyOf(response))['code']).to.equal('invalid_credentials');
    expect(someone.cookies.size).to.equal(0);
  });

  it('refuses names that cannot be usernames, and makes no user', async () => {
    const before = await usernames(app);
    const names = [
      '',
      ' ',
      'a b',
      '<script>',
      '../x',
      'a\0',
      'nobody@example.org',
      '-dash',
      'x'.repeat(65),
      'x'.repeat(1000),
      '\u202eadmin',
      '\ud800'.toWellFormed(),
    ];
    for (const name of names) {
      const someone = app.client();
      const response = await someone.get(`/auth/bypass?token=${encodeURIComponent(name)}`);
      expect(response.status, name).to.equal(400);
      expect((await bodyOf(response))['code']).to.equal('invalid_request');
      expect(someone.cookies.size).to.equal(0);
    }
    expect(await usernames(app)).to.deep.equal(before);
  });

  it('refuses a token that is missing, doubled or an object', async () => {
    for (const query of [
      '',
      '?token=ada&token=eve',
      '?token[]=ada',
      '?token[a]=ada',
      '?Token=ada',
    ]) {
      const response = await app.client().get(`/auth/bypass${query}`);
      expect(response.status, query).to.equal(400);
    }
  });

  it('makes one user of several clicks at once', async () => {
    const { users } = app.services;
    const findLogin = users.findLogin.bind(users);
    const barrier = Promise.withResolvers<void>();
    let waiting = 0;
    users.findLogin = async (login) => {
      const found = await findLogin(login);
      waiting += 1;
      if (waiting === 8) barrier.resolve();
      await barrier.promise; // none of them has found the user
      return found;
    };
    const clicks = Array.from({ length: 8 }, () => app.client().get('/auth/bypass?token=twin'));
    const answers = await Promise.all(clicks);
    users.findLogin = findLogin;
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(8).fill(200));
    expect((await usernames(app)).filter((name) => name === 'twin')).to.have.lengthOf(1);
  });

  it('answers GET only: not HEAD, which link previews send, nor POST', async () => {
    for (const method of ['HEAD', 'POST']) {
      const response = await app.client().request(method, ADA);
      expect([response.status, response.headers.get('allow')]).to.deep.equal([405, 'GET']);
    }
  });

  it('is logged with every use, by user id and not by name', async () => {
    const user = await app.services.users.add({ username: 'canary-name' });
    await signIn(app, 'canary-name');
    const lines = app
      .logged()
      .split('\n')
      .filter((line) => line.includes('bypass used'));
    expect(lines.some((line) => line.includes(user.id))).to.equal(true);
    expect(app.logged()).not.to.include('canary-name');
  });
});

describe('a session of the bypass, once its data are used in production', () => {
  it('security 2: is nobody, and can only be ended', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const site = { ...app.services.site, production: true };
    const server = createServer(createApp({ ...app.services, site, bypass: undefined }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const there = new Client(`http://127.0.0.1:${port}`);
    for (const [name, value] of ada.cookies) there.cookies.set(name, value);
    try {
      for (const [method, path] of [
        ['GET', '/auth/token'],
        ['GET', '/auth/session'],
        ['GET', '/auth/sessions'],
        ['DELETE', '/auth/sessions?scope=others'],
        ['POST', '/auth/password'],
      ] as const) {
        const headers = { 'Content-Type': 'application/json' };
        const response = await there.request(
          method,
          path,
          headers,
          method === 'POST' ? '{}' : undefined,
        );
        expect(response.status, path).to.equal(401);
      }
      expect((await there.get('/account', PAGE)).status).to.equal(303);
      expect((await ada.get('/auth/token')).status).to.equal(200);
    } finally {
      server.close();
    }
  });
});

describe('the page to choose a user', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await app.services.users.add({ username: 'ada', name: '<b>Ada</b>', roles: ['admin'] });
    const gone = await app.services.users.add({ username: 'gone' });
    await app.services.users.setDisabled(gone.id, true);
  });
  after(() => app[Symbol.asyncDispose]());

  it('lists the users, escaped, and offers the disabled ones no button', async () => {
    const response = await app.client().get('/auth/bypass', PAGE);
    expect(response.status).to.equal(200);
    const html = await response.text();
    expect(html).to.include('name="token" value="ada"').and.to.include('&lt;b&gt;Ada');
    expect(html).to.include('gone').and.not.to.include('value="gone"');
    expect(html).not.to.include('<b>Ada');
  });

  it('carries returnTo on', async () => {
    const html = await (await app.client().get('/auth/bypass?returnTo=/account', PAGE)).text();
    expect(html).to.include('name="returnTo" value="/account"');
  });

  it('comes back with the problem when a name cannot be one', async () => {
    const response = await app.client().get('/auth/bypass?token=a%20b', PAGE);
    expect(response.status).to.equal(400);
    const html = await response.text();
    expect(html).to.include('A username is 1 to 64').and.to.include('Pick a user');
  });

  it('signs nobody in by itself', async () => {
    const someone = app.client();
    await someone.get('/auth/bypass', PAGE);
    expect(someone.cookies.size).to.equal(0);
    expect(await sessionRows(app)).to.equal(0);
  });
});

describe('security 2: where the bypass is off', () => {
  it('it does not exist: the answers are those of any unknown path', async () => {
    await using app = await startApp({ BYPASS_AUTH: 'false' });
    for (const [method, path] of [
      ['GET', ADA],
      ['GET', '/auth/bypass'],
      ['POST', ADA],
      ['HEAD', ADA],
    ] as const) {
      const response = await app.client().request(method, path);
      const unknown = await app.client().request(method, '/auth/nowhere');
      expect(response.status).to.equal(404);
      expect([...response.headers.keys()]).to.deep.equal([...unknown.headers.keys()]);
      expect(response.headers.has('coatcheck-bypass')).to.equal(false);
    }
    const html = await (await app.client().get('/login', PAGE)).text();
    expect(html).not.to.include('/auth/bypass').and.not.to.include('Bypass is on');
    expect(await usernames(app)).to.deep.equal([]);
  });
});

describe('the guard of the bypass', () => {
  const allowed: Record<string, RawHeaders> = {
    'no browser': {},
    'the address bar': { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' },
    'a page of ours': { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
    localhost: { Host: 'localhost:3000' },
    'a name under localhost': { Host: 'login.localhost' },
    'another address of this machine': { Host: '127.1.2.3:80' },
    IPv6: { Host: '[::1]:3000' },
    'a listed app': {
      Origin: 'http://localhost:5173',
      'Sec-Fetch-Site': 'same-site',
      'Sec-Fetch-Mode': 'cors',
    },
  };
  for (const [who, headers] of Object.entries(allowed)) {
    it(`lets in: ${who}`, async () => {
      await using app = await startApp({ CORS_ORIGINS: 'http://localhost:5173' });
      expect((await send(app, 'GET', ADA, headers)).status).to.equal(200);
    });
  }

  const crossSite: Record<string, RawHeaders> = {
    'a link elsewhere': { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
    'a link on another port of localhost': {
      'Sec-Fetch-Site': 'same-site',
      'Sec-Fetch-Mode': 'navigate',
    },
    'an image elsewhere': { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
    'a script elsewhere': { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
    'a script elsewhere, in an old browser': { Origin: 'https://evil.example' },
    'a sandboxed page': { Origin: 'null' },
    'a page that a proxy shows to others in the network': {
      Referer: 'http://192.168.1.5:5173/login',
    },
    'a link elsewhere, in an old browser': { Referer: 'https://evil.example/' },
    'another port of localhost': { Host: 'localhost:3000', Origin: 'http://localhost:3001' },
    'two Origins': { Origin: ['http://localhost:5173', 'https://evil.example'] },
    'two Sec-Fetch-Site': { 'Sec-Fetch-Site': ['none', 'cross-site'] },
  };
  it('security 9: hides from other sites, but stays on for the developer', async () => {
    await using app = await startApp({ CORS_ORIGINS: 'http://localhost:5173' });
    for (const [who, headers] of Object.entries(crossSite)) {
      const answer = await send(app, 'GET', ADA, headers);
      expect(answer.status, who).to.equal(404);
      expect(answer.headers.getSetCookie(), who).to.deep.equal([]);
    }
    expect(await usernames(app)).to.deep.equal([]);
    expect((await app.client().get(ADA)).status).to.equal(200);
  });

  const proxied: Record<string, RawHeaders> = {
    'X-Forwarded-For': { 'X-Forwarded-For': '203.0.113.9' },
    'X-Forwarded-Proto': { 'X-Forwarded-Proto': 'https' },
    'X-Forwarded-Host': { 'X-Forwarded-Host': 'localhost' },
    'X-Forwarded-For, empty': { 'X-Forwarded-For': '' },
    Forwarded: { Forwarded: 'for=127.0.0.1' },
    'X-Real-IP': { 'X-Real-IP': '127.0.0.1' },
    Via: { Via: '1.1 proxy' },
    'CF-Connecting-IP': { 'CF-Connecting-IP': '203.0.113.9' },
    'a public host name': { Host: 'login.example.org' },
    'a host that begins like localhost': { Host: 'localhost.evil.example' },
    'a host that ends like localhost': { Host: 'evillocalhost' },
    'a host that is no host': { Host: 'localhost:3000, evil.example' },
    'an address that is not this machine': { Host: '192.168.0.1:3000' },
    'X-Original-Host': { 'X-Original-Host': 'localhost' },
    'X-Envoy-External-Address': { 'X-Envoy-External-Address': '203.0.113.9' },
    'CDN-Loop': { 'CDN-Loop': 'somebody' },
    'Max-Forwards': { 'Max-Forwards': '10' },
    'a page of another host that calls itself ours': {
      'Sec-Fetch-Site': 'same-origin',
      Referer: 'https://login.example.org/',
    },
  };
  for (const [what, headers] of Object.entries(proxied)) {
    it(`is off until restart after the first sign of a proxy: ${what}`, async () => {
      await using app = await startApp();
      expect((await send(app, 'GET', ADA)).headers.get('coatcheck-bypass')).to.equal('on');
      await send(app, 'GET', '/healthz', headers); // any request will do
      const after = await send(app, 'GET', ADA);
      expect(after.status).to.equal(404);
      expect(after.headers.get('coatcheck-bypass')).to.equal(null);
      const reasons = app
        .logged()
        .split('\n')
        .filter((line) => line.includes('bypass is off until restart'));
      expect(reasons, 'says so once').to.have.lengthOf(1);
    });
  }

  it('refuses the very request that gives the proxy away', async () => {
    await using app = await startApp();
    const answer = await send(app, 'GET', ADA, { 'X-Forwarded-For': '127.0.0.1' });
    expect(answer.status).to.equal(404);
    expect(await usernames(app)).to.deep.equal([]);
  });

  it('is off after a request in HTTP/1.0, as proxies speak it; and no page offers it any more', async () => {
    await using app = await startApp();
    const page = async () => (await app.client().get('/', { Accept: 'text/html' })).text();
    expect(await page()).to.include('/auth/bypass');
    const { hostname, port } = new URL(app.url);
    const socket = connect(Number(port), hostname);
    socket.end(`GET ${ADA} HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    expect(await text(socket)).to.match(/^HTTP\/1\.1 404 /);
    expect((await app.client().get(ADA)).status).to.equal(404);
    expect(await page()).to.not.include('/auth/bypass');
    expect(await usernames(app)).to.deep.equal([]);
  });

  it('names the header in the log, never its value', async () => {
    await using app = await startApp();
    await send(app, 'GET', '/', { 'X-Forwarded-For': '203.0.113.99' });
    expect(app.logged()).to.include('header x-forwarded-for').and.not.to.include('203.0.113.99');
  });

  it('warns in the log at start', async () => {
    await using app = await startApp();
    expect(app.logged()).to.match(
      /"level":40.*BYPASS_AUTH is on: anyone on this machine can sign in as anyone/,
    );
  });

  it('says in a header of every answer that the bypass is on', async () => {
    await using app = await startApp();
    for (const path of ['/', '/healthz', '/nowhere', '/auth/token', '/assets/style.css']) {
      expect((await app.client().get(path)).headers.get('coatcheck-bypass'), path).to.equal('on');
    }
  });
});
