import { join } from 'node:path';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { PASSWORD } from '../support/app.ts';
import { openPage, startBrowser, startOtherSite } from '../support/browser.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { makeCertificate } from '../support/tls.ts';

type Site = Awaited<ReturnType<typeof startOtherSite>>;

/** The service is at https://localhost, the apps are at http://127.0.0.1: another site by host and by scheme. */
describe('A single-page app on another site, with SESSION_COOKIE_SAMESITE=none', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let browser: Browser | undefined;
  let service: Served | undefined;
  let url = '';
  let sites: Site[] = [];
  let page: Page;
  let context: BrowserContext;

  before(async function () {
    const [cert, key] = [join(cwd, 'cert.pem'), join(cwd, 'key.pem')];
    if (!makeCertificate(cert, key)) this.skip(); // no openssl here to make one with
    browser = await startBrowser(this);
    const html = '<!doctype html><title>app</title>';
    sites = [await startOtherSite('127.0.0.1', html), await startOtherSite('127.0.0.1', html)];
    await run(['init'], { cwd });
    await run(['user', 'add', 'ada'], { cwd, stdin: PASSWORD });
    const env = {
      TLS_CERT_FILE: cert,
      TLS_KEY_FILE: key,
      SESSION_COOKIE_SAMESITE: 'none',
      CORS_ORIGINS: sites[0]?.url ?? '',
    };
    service = await serve({ cwd, env });
    url = `https://localhost:${service.port}`;
  });
  beforeEach(async () => {
    if (browser === undefined) throw new Error('there is no browser');
    ({ page, context } = await openPage(browser, { ignoreHTTPSErrors: true }));
  });
  afterEach(() => context.close());
  after(async () => {
    await browser?.close();
    for (const site of sites) await site[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  /** What a script of the page gets: the status, or the name of the error. */
  function ask(method: string, path: string, body?: object): Promise<unknown> {
    const options = {
      method,
      credentials: 'include',
      ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    };
    return page.evaluate(
      `fetch('${url}${path}', ${JSON.stringify(options)}).then(({ status }) => status, ({ name }) => name)`,
    );
  }

  const login = () => ask('POST', '/auth/login', { username: 'ada', password: PASSWORD });

  it('logs in, gets tokens and logs out by itself', async () => {
    await page.goto(sites[0]?.url ?? '');
    expect(await ask('GET', '/auth/token')).to.equal(401);
    expect(await login()).to.equal(200);
    const [session] = (await context.cookies()).filter(({ name }) => name === '__Host-session');
    expect(session).to.include({ secure: true, httpOnly: true, sameSite: 'None' });
    expect(await ask('GET', '/auth/token')).to.equal(200);
    expect(await ask('POST', '/auth/logout')).to.equal(204);
    expect(await ask('GET', '/auth/token')).to.equal(401);
    expect((await context.cookies()).map(({ name }) => name)).not.to.include('__Host-session');
  });

  it('is alone in that: a site that is not listed gets nothing, and ends nothing', async () => {
    await page.goto(sites[0]?.url ?? '');
    await login();
    await page.goto(sites[1]?.url ?? '');
    expect(await ask('GET', '/auth/token')).to.equal('TypeError');
    expect(await ask('POST', '/auth/logout')).to.equal('TypeError');
    await page.evaluate(
      `{ const form = Object.assign(document.createElement('form'),
         { method: 'post', action: '${url}/auth/logout' });
         document.body.append(form); setTimeout(() => form.submit()); }`,
    );
    await page.waitForURL(/auth\/logout/);
    await page.goto(sites[0]?.url ?? '');
    expect(await ask('GET', '/auth/token')).to.equal(200);
  });

  it('is signed in for its own site only: the pages of the service are not', async () => {
    await page.goto(sites[0]?.url ?? '');
    await login();
    const response = await page.goto(`${url}/auth/session`);
    expect(response?.status()).to.equal(401);
  });
});
