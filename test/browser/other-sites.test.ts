import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser, startOtherSite } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

type OtherSite = Awaited<ReturnType<typeof startOtherSite>>;

describe('A page of another site', function () {
  this.timeout(120_000);
  let browser: Browser | undefined;
  let app: TestApp | undefined;
  let sites: OtherSite[] = [];
  let url = '';
  let evil = '';
  let trustedApp = '';
  let strangerApp = '';

  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    url = `http://localhost:${port}`;
    sites = [
      await startOtherSite('127.0.0.1', attacks(url)),
      await startOtherSite('localhost', '<title>app</title>'),
      await startOtherSite('localhost', '<title>app</title>'),
    ];
    [evil = '', trustedApp = '', strangerApp = ''] = sites.map((site) => site.url);
    app = await startApp({ PUBLIC_URL: url, CORS_ORIGINS: trustedApp }, { port });
    await addUser(app, 'ada');
    await addUser(app, 'mallory');
  });
  after(async () => {
    await browser?.close();
    for (const site of sites) await site[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  /** A victim who is signed in, looking at a page of another site. */
  async function victim(at: string): Promise<{ page: Page; context: BrowserContext }> {
    if (browser === undefined) throw new Error('there is no browser');
    const { page, context } = await openPage(browser);
    await page.goto(`${url}/auth/bypass?token=ada`);
    await page.goto(at);
    return { page, context };
  }

  async function expectStill(
    username: string,
    { page, context }: { page: Page; context: BrowserContext },
  ) {
    await page.goto(`${url}/auth/session`);
    expect(await page.locator('body').innerText()).to.include(`"username":"${username}"`);
    await context.close();
  }

  it('cannot sign the victim in as somebody else', async () => {
    const ada = await victim(evil);
    await ada.page.locator('#login').click();
    await ada.page.waitForURL(`${url}/auth/login`);
    expect(await ada.page.getByRole('heading', { level: 1 }).innerText()).to.include(
      'another site',
    );
    await expectStill('ada', ada);
  });

  it('cannot sign in a victim who is not signed in', async () => {
    if (browser === undefined) throw new Error('there is no browser');
    const { page, context } = await openPage(browser);
    await page.goto(evil);
    await page.locator('#login').click();
    await page.waitForURL(`${url}/auth/login`);
    expect(await context.cookies()).to.deep.equal([]);
    await context.close();
  });

  it('cannot sign the victim out by a form', async () => {
    const ada = await victim(evil);
    await ada.page.locator('#logout').click();
    await ada.page.waitForURL(`${url}/auth/logout`);
    expect(await ada.page.getByRole('heading', { level: 1 }).innerText()).to.include(
      'another site',
    );
    await expectStill('ada', ada);
  });

  it('can only lead the victim to a page that asks before it signs out', async () => {
    const ada = await victim(evil);
    await ada.page.locator('#logout-link').click();
    await ada.page.waitForURL(`${url}/auth/logout`);
    expect(await ada.page.getByRole('heading', { level: 1 }).innerText()).to.equal('Sign out?');
    await expectStill('ada', ada);

    const again = await victim(evil);
    await again.page.locator('#logout-link').click();
    await again.page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
    await again.page.waitForURL(`${url}/login`);
    expect((await again.page.goto(`${url}/auth/token`))?.status()).to.equal(401);
    await again.context.close();
  });

  it('cannot use the bypass by a link', async () => {
    const ada = await victim(evil);
    await ada.page.locator('#bypass-link').click();
    await ada.page.waitForURL(/auth\/bypass/);
    expect(await ada.page.getByRole('heading', { level: 1 }).innerText()).to.equal(
      'There is nothing here',
    );
    await expectStill('ada', ada);
  });

  it('does nothing with images and frames', async () => {
    const ada = await victim('about:blank');
    const answers: number[] = [];
    ada.page.on('response', (response) => {
      if (response.url().startsWith(`${url}/auth/`)) answers.push(response.status());
    });
    await ada.page.goto(`${evil}/#embedded`, { waitUntil: 'load' });
    expect(answers, 'they were asked for').to.have.lengthOf.at.least(3);
    expect(answers.filter((status) => status < 400 && status !== 200)).to.deep.equal([]);
    for (const frame of ada.page.frames().slice(1)) {
      expect(await frame.content()).to.not.match(/eyJ|"token"|Sign out/);
    }
    await expectStill('ada', ada);
    expect((await app?.services.users.findByUsername('framed'))?.username).to.equal(undefined);
  });

  it('gets a token when its origin is listed in CORS_ORIGINS', async () => {
    const ada = await victim(trustedApp);
    const token = await ada.page.evaluate(exchange(url));
    expect(token).to.match(/^200 eyJ/);
    await ada.context.close();
  });

  it('may sign in and out when its origin is listed in CORS_ORIGINS', async () => {
    const ada = await victim(trustedApp);
    const body = JSON.stringify({ username: 'mallory', password: PASSWORD });
    const status = await ada.page.evaluate(`fetch('${url}/auth/login', {
      method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' },
      body: ${JSON.stringify(body)} }).then((answer) => answer.status)`);
    expect(status).to.equal(200);
    await expectStill('mallory', ada);
  });

  it('gets no answer when its origin is not listed, same site or not', async () => {
    for (const origin of [strangerApp, evil]) {
      const ada = await victim(origin);
      expect(await ada.page.evaluate(exchange(url))).to.equal('TypeError');
      await expectStill('ada', ada);
    }
  });
});

/** What a script of the page gets when it exchanges the victim's session. */
function exchange(url: string): string {
  return `fetch('${url}/auth/token', { credentials: 'include' })
    .then(async (answer) => answer.status + ' ' + (await answer.json()).token, (error) => error.name)`;
}

/** A site with everything that could make a browser do something here. */
function attacks(url: string): string {
  return `<!doctype html><title>evil</title>
    <form method="post" action="${url}/auth/login">
      <input name="username" value="mallory"><input name="password" value="${PASSWORD}">
      <button id="login">Win a prize</button></form>
    <form method="post" action="${url}/auth/logout"><button id="logout">Win more</button></form>
    <a id="logout-link" href="${url}/auth/logout">Read on</a>
    <a id="bypass-link" href="${url}/auth/bypass?token=mallory">More</a>
    <img src="${url}/auth/token"><img src="${url}/auth/bypass?token=framed"><img src="${url}/auth/logout">
    <iframe src="${url}/auth/token"></iframe><iframe src="${url}/auth/bypass?token=framed"></iframe>
    <iframe src="${url}/auth/logout"></iframe><iframe src="${url}/"></iframe>`;
}
