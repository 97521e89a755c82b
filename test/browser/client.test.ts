import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { startBrowser, startOtherSite } from '../support/browser.ts';
import { bundleOfApp } from '../support/bundle.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { freePort } from '../support/free-port.ts';

const HOUR = 3_600_000;

/** The app is at one port of localhost, the service behind a proxy at another. */
describe('@coatcheck/client in a browser', function () {
  this.timeout(120_000);
  let browser: Browser | undefined;
  let app: TestApp;
  let proxy: FaultyProxy;
  let site: Awaited<ReturnType<typeof startOtherSite>>;
  let base = '';
  let context: BrowserContext;
  let exchanges = 0;

  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    app = await startApp({ CORS_ORIGINS: `http://localhost:${port}` });
    await addUser(app, 'ada');
    await addUser(app, 'bob');
    app.server.on('request', (req) => (exchanges += Number(req.url === '/auth/token')));
    proxy = await startFaultyProxy(Number(new URL(app.url).port));
    base = `http://localhost:${proxy.port}`;
    const script = await bundleOfApp(`
      import { createAuth } from '@coatcheck/client';
      window.auth = createAuth({ baseUrl: '${base}', timeout: 4000 });
      window.states = [];
      auth.subscribe(() => states.push(auth.state + ' ' + auth.user?.username));
    `);
    site = await startOtherSite(
      'localhost',
      `<!doctype html><title>app</title><script type="module">${script}</script>`,
      port,
    );
  });
  beforeEach(async () => {
    if (browser === undefined) throw new Error('there is no browser');
    context = await browser.newContext();
    exchanges = 0;
  });
  afterEach(async () => {
    proxy.misbehave('none');
    await context.close();
  });
  after(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  async function openTab(): Promise<Page> {
    const page = await context.newPage();
    await page.goto(site.url);
    return page;
  }

  /** Waits until a tab shows that, `undefined` for nobody. */
  const shows = (page: Page, state: string, username = 'undefined') =>
    page.waitForFunction(
      `window.auth && auth.state === '${state}' && String(auth.user?.username) === '${username}'`,
    );

  const login = (page: Page, username: string) =>
    page.evaluate(
      `auth.login({ username: '${username}', password: '${PASSWORD}' }).then(() => 'fine', (error) => error.code)`,
    );

  const token = (page: Page, options = '{}'): Promise<string> =>
    page.evaluate(`auth.getToken(${options}).catch((error) => error.code)`);

  it('is signed in and out in all tabs at once', async () => {
    const [one, two] = [await openTab(), await openTab()];
    await shows(two, 'signed-out');
    expect(await login(one, 'ada')).to.equal('fine');
    await shows(one, 'signed-in', 'ada');
    await shows(two, 'signed-in', 'ada');
    await two.evaluate('auth.logout()');
    await shows(one, 'signed-out');
    expect(await token(one)).to.equal('session_required');
  });

  it('follows another user, whoever signs in last', async () => {
    const [one, two] = [await openTab(), await openTab()];
    await login(one, 'ada');
    await shows(two, 'signed-in', 'ada');
    const old = await token(one);
    await login(two, 'bob');
    await shows(one, 'signed-in', 'bob');
    expect(await token(one)).not.to.equal(old);
  });

  it('takes over who signs in at the pages of the service, as soon as it is looked at', async () => {
    await context.clock.install();
    const one = await openTab();
    await shows(one, 'signed-out');
    await context.request.post(`${base}/auth/login`, {
      data: { username: 'ada', password: PASSWORD },
    });
    await context.clock.fastForward(5000);
    await one.evaluate(`dispatchEvent(new Event('focus'))`);
    await shows(one, 'signed-in', 'ada');
  });

  it('asks once for a hundred components', async () => {
    await login(await openTab(), 'ada');
    const two = await openTab();
    const tokens = `Promise.all(Array.from({ length: 100 }, () => auth.getToken()))`;
    await shows(two, 'signed-in', 'ada');
    const before = exchanges;
    await two.reload();
    expect(await two.evaluate(`${tokens}.then((all) => new Set(all).size)`)).to.equal(1);
    expect(exchanges - before).to.equal(1);
  });

  it('renews a token ahead of its end, and no sooner', async () => {
    await context.clock.install();
    const one = await openTab();
    await login(one, 'ada');
    const first = await token(one);
    await context.clock.fastForward(4 * HOUR);
    expect(await token(one)).to.equal(first);
    const before = exchanges;
    await context.clock.fastForward(1.5 * HOUR);
    await one.waitForFunction(`auth.getToken().then((token) => token !== '${first}')`);
    expect(exchanges).to.equal(before + 1);
  });

  it('does not mind a device whose clock is years behind', async () => {
    await context.clock.install({ time: new Date('2001-01-01') });
    const one = await openTab();
    await login(one, 'ada');
    const first = await token(one);
    expect(await token(one)).to.equal(first);
    expect(exchanges).to.equal(1); // before the login
  });

  it('is offline without a network, keeps its token, and is back with it', async () => {
    const one = await openTab();
    await login(one, 'ada');
    const first = await token(one);
    await context.setOffline(true);
    expect(
      await token(one, `{ refused: '${first}', signal: AbortSignal.timeout(500) }`),
    ).not.to.equal(first);
    await shows(one, 'offline', 'ada');
    expect(await token(one)).to.equal(first);
    await context.setOffline(false);
    await shows(one, 'signed-in', 'ada');
  });

  it('signs nobody out when the service breaks down, and is back when it is', async () => {
    const one = await openTab();
    await login(one, 'ada');
    proxy.misbehave('reset');
    await one.reload();
    await shows(one, 'offline');
    proxy.misbehave('none');
    await shows(one, 'signed-in', 'ada');
    expect(await one.evaluate('states.join()')).not.to.include('signed-out');
  });

  it('waits for a service that is slow, in all tabs', async () => {
    const one = await openTab();
    await login(one, 'ada');
    proxy.misbehave('delay', 1000);
    const two = await openTab();
    expect(await token(two)).to.match(/^eyJ/);
    await shows(two, 'signed-in', 'ada');
  });

  it('does without a lock that a frozen tab holds', async () => {
    const one = await openTab();
    await login(one, 'ada');
    await one.evaluate(
      `new Promise((held) => { navigator.locks.request('coatcheck ${base} ', () => { held(); return new Promise(() => {}); }); })`,
    );
    const session = await context.newCDPSession(one);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    const two = await openTab();
    expect(await token(two)).to.match(/^eyJ/);
    await shows(two, 'signed-in', 'ada');
    await two.evaluate('auth.logout()');
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await shows(one, 'signed-out');
  });

  it('shows the token to no origin that an API redirects to', async () => {
    const seen: (string | undefined)[] = [];
    const elsewhere = createServer((req, res) => {
      if (req.method !== 'OPTIONS') seen.push(req.headers.authorization);
      res
        .writeHead(200, {
          'Access-Control-Allow-Origin': '*',
          'Access-Control-Allow-Headers': 'authorization',
        })
        .end('there');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const one = await openTab();
    await login(one, 'ada');
    await one.route(`${base}/auth/me`, (route) =>
      route.fulfill({
        status: 302,
        headers: {
          Location: `http://localhost:${port}/`,
          'Access-Control-Allow-Origin': site.url,
        },
      }),
    );
    const text = await one.evaluate(
      `auth.fetch('${base}/auth/me').then((response) => response.text(), (error) => error.name)`,
    );
    elsewhere.close();
    elsewhere.closeAllConnections();
    expect([text, seen]).to.deep.equal(['there', [undefined]]);
  });
});
