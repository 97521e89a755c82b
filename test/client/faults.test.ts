import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { type Auth, AuthError, type AuthOptions, createAuth } from '../../packages/client/index.ts';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { type SpoilingProxy, startSpoilingProxy } from '../support/spoiling-proxy.ts';
import { eventually } from '../verify/published.ts';

const credentials = { username: 'ada', password: PASSWORD };

/** What became of a call: its answer, or the error. */
const outcome = <T>(promise: Promise<T>): Promise<T | AuthError> =>
  promise.catch((error: unknown) => {
    if (error instanceof AuthError) return error;
    throw error;
  });

describe('the client behind', () => {
  let app: TestApp;
  let opened: Auth[] = [];

  beforeEach(async () => {
    app = await startApp();
    await addUser(app, 'ada');
  });
  afterEach(async () => {
    for (const auth of opened) auth.close();
    opened = [];
    await app[Symbol.asyncDispose]();
  });

  function open(baseUrl: string, more: Partial<AuthOptions> = {}): Auth {
    const auth = createAuth({ baseUrl, fetch: new Client(baseUrl).fetch, ...more });
    opened.push(auth);
    return auth;
  }

  describe('a line that breaks', () => {
    let proxy: FaultyProxy;
    let base = '';
    beforeEach(async () => {
      proxy = await startFaultyProxy(Number(new URL(app.url).port));
      base = `http://127.0.0.1:${proxy.port}`;
    });
    afterEach(() => proxy[Symbol.asyncDispose]());

    it('is offline, says so, and keeps the token in hand', async () => {
      const auth = open(base);
      await auth.login(credentials);
      const token = await auth.getToken();
      proxy.misbehave('reset');
      const patient = auth.getToken({ refused: token });
      await eventually(() => auth.state === 'offline');
      expect(auth.user?.username).to.equal('ada');
      expect(await auth.getToken()).to.equal(token);
      proxy.misbehave('none');
      expect(await patient)
        .to.be.a('string')
        .and.not.to.equal(token);
      expect(auth.state).to.equal('signed-in');
    });

    it('says so at once where there is no use in waiting', async () => {
      proxy.misbehave('reset');
      const error = await outcome(open(base, { patience: 500 }).getToken());
      expect(error).to.be.instanceOf(AuthError).with.property('code', 'unreachable');
    });

    it('waits no longer than it may for an answer that never comes', async () => {
      const auth = open(base, { timeout: 100, patience: 400 });
      proxy.misbehave('swallow');
      expect(await outcome(auth.getToken())).to.have.property('code', 'unreachable');
      expect(await outcome(auth.login(credentials))).to.have.property('code', 'unreachable');
      expect(auth.state).to.equal('offline');
    });

    it('lets go of one caller, and not of the others', async () => {
      const auth = open(base);
      await auth.login(credentials);
      const refused = await auth.getToken();
      proxy.misbehave('delay', 200);
      const one = new AbortController();
      const impatient = auth.getToken({ refused, signal: one.signal });
      const patient = auth.getToken({ refused });
      one.abort(new Error('gone'));
      expect(await impatient.catch((error: unknown) => String(error))).to.equal('Error: gone');
      expect(await patient)
        .to.be.a('string')
        .and.not.to.equal(refused);
    });
  });

  describe('something that answers in its place', () => {
    let proxy: SpoilingProxy;
    let base = '';
    beforeEach(async () => {
      proxy = await startSpoilingProxy(app.url);
      base = `http://127.0.0.1:${proxy.port}`;
    });
    afterEach(() => proxy[Symbol.asyncDispose]());

    /** Answers the exchanges with that from now on. */
    function answer(status: number, headers: Record<string, string> = {}, body = ''): void {
      proxy.spoiling = {
        answer(passing) {
          if (passing.request.path.startsWith('/auth/token'))
            Object.assign(passing, { status, headers, body });
        },
      };
    }

    for (const [name, status, headers, body] of [
      ['a 401 that is not of the service', 401, { 'Content-Type': 'text/html' }, '<h1>Log in</h1>'],
      ['a 401 with other JSON', 401, {}, '{"error":"unauthorized"}'],
      ['a page of a hotel', 200, { 'Content-Type': 'text/html' }, '<h1>Welcome</h1>'],
      ['a redirect to a hotel', 302, { Location: 'http://127.0.0.1:9/' }, ''],
      ['JSON without a token', 200, {}, '{}'],
      ['a token that is none', 200, {}, '{"token":"x","expires_in":60}'],
      ['a proxy without a service', 502, {}, ''],
      ['its word with another status', 503, {}, '{"code":"session_required"}'],
    ] as const) {
      it(`is signed out by nothing but the service: ${name}`, async () => {
        const auth = open(base, { patience: 500 });
        await auth.login(credentials);
        const token = await auth.getToken();
        answer(status, headers, body);
        expect(await outcome(auth.getToken({ refused: token }))).to.be.instanceOf(AuthError);
        expect([auth.state, auth.user?.username]).to.deep.equal(['offline', 'ada']);
        expect(await auth.getToken()).to.equal(token);
      });
    }

    for (const status of [429, 503]) {
      it(`asks no sooner than the service wants after a ${status}`, async () => {
        const auth = open(base);
        await auth.login(credentials);
        const refused = await auth.getToken();
        answer(status, { 'Retry-After': '60' }, '{"code":"overloaded","detail":"Busy."}');
        const error = await outcome(auth.getToken({ refused }));
        expect(error).to.include({ status, code: 'overloaded', retryAfter: 60, message: 'Busy.' });
        const { requests } = proxy;
        expect(await outcome(auth.getToken({ refused }))).to.include({ retryAfter: 60 });
        expect(await auth.getToken()).to.equal(refused);
        expect(proxy.requests).to.equal(requests);
      });
    }

    it('does not believe a service that wants nobody to come for a year', async () => {
      answer(503, { 'Retry-After': '31536000' });
      expect(await outcome(open(base).getToken())).to.include({ status: 503, retryAfter: 300 });
    });

    it('says when a login was tried too often', async () => {
      const auth = open(base);
      proxy.spoiling = {
        answer: (passing) =>
          Object.assign(passing, {
            status: 429,
            headers: { 'Retry-After': '7' },
            body: '{"code":"too_many_attempts","detail":"Please wait."}',
          }),
      };
      const error = await outcome(auth.login(credentials));
      expect(error).to.include({ code: 'too_many_attempts', status: 429, retryAfter: 7 });
    });
  });

  describe('an API', () => {
    let api: ReturnType<typeof createServer>;
    let origin = '';
    let seen: { url: string; authorization: string | undefined; body: string }[] = [];
    /** How many requests are refused, and which token always is. */
    let refuse = 0;
    let bad = '';

    beforeEach(async () => {
      seen = [];
      refuse = 0;
      bad = '';
      api = createServer((req, res) => {
        let body = '';
        req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        req.on('end', () => {
          const { url = '', headers } = req;
          seen.push({ url, authorization: headers.authorization, body });
          if (url === '/away')
            res.writeHead(307, { Location: app.url.replace('127.0.0.1', 'localhost') });
          else res.writeHead(isRefused(headers.authorization) ? 401 : 200);
          res.end();
        });
      }).listen(0, '127.0.0.1');
      await once(api, 'listening');
      origin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    });
    afterEach(() => {
      api.close();
      api.closeAllConnections();
    });

    function isRefused(authorization: string | undefined): boolean {
      refuse -= 1;
      return refuse >= 0 || authorization === `Bearer ${bad}`;
    }

    async function signedIn(more: Partial<AuthOptions> = { origins: [origin] }): Promise<Auth> {
      const auth = open(app.url, more);
      await auth.login(credentials);
      return auth;
    }

    it('shows the token to the origins that it was told, and to no other', async () => {
      const auth = await signedIn({});
      await auth.fetch(`${origin}/`);
      expect(seen[0]?.authorization).to.equal(undefined);
      const told = await signedIn();
      await told.fetch(new Request(`${origin}/`));
      expect(seen[1]?.authorization).to.equal(`Bearer ${await told.getToken()}`);
    });

    it('is not taken in by an address that looks like one of them', async () => {
      const auth = await signedIn({ origins: ['http://api.example', 'https://127.0.0.1'] });
      const port = new URL(origin).port;
      for (const address of [origin, `http://127.0.0.1:${port}/http://api.example`]) {
        await auth.fetch(address);
      }
      expect(seen.map(({ authorization }) => authorization)).to.deep.equal([undefined, undefined]);
    });

    it('leaves an Authorization of the app alone', async () => {
      const auth = await signedIn();
      await auth.fetch(origin, { headers: { Authorization: 'Basic x' } });
      expect(seen[0]?.authorization).to.equal('Basic x');
    });

    it('repeats a request with a new token, once', async () => {
      const auth = await signedIn();
      refuse = 1;
      const options = { method: 'POST', body: 'an order' };
      expect((await auth.fetch(origin, options)).status).to.equal(200);
      expect(seen.map(({ body }) => body)).to.deep.equal(['an order', 'an order']);
      expect(seen[0]?.authorization).not.to.equal(seen[1]?.authorization);
      refuse = 9;
      expect((await auth.fetch(origin, options)).status).to.equal(401);
      expect(seen).to.have.lengthOf(4);
      expect(auth.state).to.equal('signed-in');
    });

    it('fetches one token for all requests that are refused at once', async () => {
      const auth = await signedIn();
      bad = await auth.getToken();
      let exchanges = 0;
      app.server.on('request', (req) => (exchanges += Number(req.url === '/auth/token')));
      await Promise.all(Array.from({ length: 20 }, () => auth.fetch(origin)));
      expect(exchanges).to.equal(1);
      expect(seen).to.have.lengthOf(40);
    });

    it('cannot repeat what comes as a stream, but has another token for the next try', async () => {
      const auth = await signedIn();
      const old = await auth.getToken();
      refuse = 2;
      const stream = { body: new Blob(['a']).stream(), duplex: 'half' as const, method: 'POST' };
      expect((await auth.fetch(origin, stream)).status).to.equal(401);
      const request = new Request(origin, { method: 'POST', body: 'b' });
      expect((await auth.fetch(request)).status).to.equal(401);
      expect(seen.map(({ body }) => body)).to.deep.equal(['a', 'b']);
      expect(await auth.getToken()).not.to.equal(old);
    });

    it('loses the token on the way to another origin', async () => {
      const auth = await signedIn({ origins: [origin], fetch });
      let authorization: string | undefined = 'nobody came';
      app.server.once('request', (req) => ({ authorization } = req.headers));
      await auth.fetch(`${origin}/away`);
      expect(seen[0]?.authorization).to.match(/^Bearer /);
      expect(authorization).to.equal(undefined);
    });

    it('refuses an address that is none', () => {
      // `localhost:` is a scheme to a URL: the password would go to a path of the app itself
      for (const address of ['somewhere', 'localhost:3000', 'file:///x'])
        expect(() => open(address)).to.throw(TypeError);
      expect(() => open(app.url, { origins: ['localhost:4000'] })).to.throw(TypeError);
      expect(() => open(app.url, { origins: ['*'] })).to.throw(TypeError);
    });
  });
});
