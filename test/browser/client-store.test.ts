import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser, startOtherSite } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

/** What apps do that follow the tutorials: a store that knows nothing of any library of ours. */
const store = (base: string) => `
  const http = {
    async get(path) {
      const response = await fetch('${base}' + path, { credentials: 'include' });
      const data = await response.json();
      if (response.ok) return { data };
      throw { response: { status: response.status, data } };
    },
  };
  window.useUser = {
    username: undefined, roles: [], token: undefined,
    async load() {
      try {
        const response = await http.get('/auth/token');
        this.token = response.data.token;
        const { username, roles } = JSON.parse(atob(this.token.split('.')[1]));
        Object.assign(this, { username, roles });
      } catch (error) {
        if (error.response.status !== 401) throw error;
        this.username = undefined;
      }
      document.querySelector('p').textContent = this.username ?? 'not logged in';
    },
    login() { location.href = '${base}/login'; },
    logout() { location.href = '${base}/auth/logout'; },
  };
  useUser.load();
`;

describe("The tutorials' store in a browser", function () {
  this.timeout(120_000);
  let browser: Browser | undefined;
  let app: TestApp | undefined;
  let site: Awaited<ReturnType<typeof startOtherSite>> | undefined;

  before(async function () {
    browser = await startBrowser(this);
    const [port, servicePort] = [await freePort(), await freePort()];
    const base = `http://localhost:${servicePort}`;
    app = await startApp(
      { PUBLIC_URL: base, CORS_ORIGINS: `http://localhost:${port}` },
      { port: servicePort },
    );
    await addUser(app, 'ada', { roles: ['editor'] });
    const html = `<!doctype html><title>app</title><p></p><script>${store(base)}</script>`;
    site = await startOtherSite('localhost', html, port);
  });
  after(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  it('works as it is: 401 is not logged in, the token says who is, and both ways lead through the service', async () => {
    if (browser === undefined) throw new Error('there is no browser');
    const { page, context } = await openPage(browser);
    const home = site?.url ?? '';
    await page.goto(home);
    await page.getByText('not logged in').waitFor();

    await page.evaluate('useUser.login()');
    await page.getByLabel('Username').fill('ada');
    await page.getByLabel('Password').first().fill(PASSWORD);
    await page.locator('main button[type=submit]').click();
    await page.waitForURL(/\/$/);
    await page.goto(home);
    await page.getByText('ada').waitFor();
    expect(await page.evaluate('useUser.roles')).to.deep.equal(['editor']);

    await page.evaluate('useUser.logout()');
    await page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(/\/login$/);
    await page.goto(home);
    await page.getByText('not logged in').waitFor();
    await context.close();
  });
});
