import { expect } from 'chai';
import { type Auth, AuthError, createAuth } from '../../packages/client/index.ts';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { eventually } from '../verify/published.ts';

describe('the client', () => {
  let app: TestApp;
  let opened: Auth[] = [];
  let exchanges = 0;

  beforeEach(async () => {
    app = await startApp({ JWT_AUDIENCE: 'orders,stock' });
    exchanges = 0;
    app.server.on('request', (req) => (exchanges += Number(req.url?.startsWith('/auth/token'))));
    await addUser(app, 'ada', { name: 'Ada Lövelace', roles: ['editor'] });
  });
  afterEach(async () => {
    for (const auth of opened) auth.close();
    opened = [];
    await app[Symbol.asyncDispose]();
  });

  /** A tab of the browser that these cookies are in. */
  function tab(browser: Client = app.client()): Auth {
    const auth = createAuth({ baseUrl: app.url, fetch: browser.fetch });
    opened.push(auth);
    return auth;
  }

  const credentials = { username: 'ada', password: PASSWORD };
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'fine',
      (error: unknown) => (error instanceof AuthError ? error.code : String(error)),
    );

  it('is signed out where nobody has signed in', async () => {
    const auth = tab();
    expect(auth.state).to.equal('unknown');
    auth.subscribe(() => undefined);
    await eventually(() => auth.state === 'signed-out');
    expect(await codeOf(auth.getToken())).to.equal('session_required');
    expect(auth.user).to.equal(undefined);
  });

  it('signs in, has a token, and knows whose it is', async () => {
    const auth = tab();
    const user = await auth.login(credentials);
    expect([auth.state, auth.user]).to.deep.equal(['signed-in', user]);
    expect(user).to.include({ username: 'ada', name: 'Ada Lövelace' });
    const me = await auth.fetch(`${app.url}/auth/me`);
    expect(await me.json()).to.deep.include({ user: { ...user, email: null } });
  });

  it('tells nobody any more who has unsubscribed, not even of what happened just before', async () => {
    const auth = tab();
    const told: string[] = [];
    auth.subscribe(() => {
      told.push('first');
      leave();
    });
    const leave = auth.subscribe(() => told.push('second'));
    await auth.login(credentials);
    await auth.getToken();
    expect(new Set(told)).to.deep.equal(new Set(['first']));
  });

  it('asks once for a hundred components that ask at once', async () => {
    const browser = app.client();
    await tab(browser).login(credentials);
    const auth = tab(browser);
    const tokens = await Promise.all(Array.from({ length: 100 }, () => auth.getToken()));
    expect(new Set(tokens).size).to.equal(1);
    expect(exchanges).to.equal(1);
  });

  it('refuses a wrong password with the code of the service, and changes nothing', async () => {
    const auth = tab();
    const wrong = auth.login({ ...credentials, password: 'wrong' });
    expect(await codeOf(wrong)).to.equal('invalid_credentials');
    expect(auth.state).to.equal('unknown');
  });

  it('signs out here, there and at the service', async () => {
    const browser = app.client();
    const [auth, other] = [tab(browser), tab(browser)];
    await auth.login(credentials);
    await other.getToken();
    await auth.logout();
    expect(auth.state).to.equal('signed-out');
    await eventually(() => other.state === 'signed-out');
    expect((await browser.get('/auth/token')).status).to.equal(401);
    expect(await codeOf(auth.getToken())).to.equal('session_required');
  });
});
