import { expect } from 'chai';
import type { Browser, Locator, Page } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

const NEW_PASSWORD = 'a heron brought it back';

for (const javaScriptEnabled of [false, true]) {
  describe(`In a browser with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, function () {
    this.timeout(120_000);
    let browser: Browser | undefined;
    let app: TestApp | undefined;
    let url = '';

    before(async function () {
      browser = await startBrowser(this);
      const port = await freePort();
      url = `http://localhost:${port}`;
      app = await startApp({ PUBLIC_URL: url }, { port });
      await addUser(app, 'ada', { name: 'Ada Lovelace', roles: ['admin'] });
      await addUser(app, 'lena');
    });
    after(async () => {
      await browser?.close();
      await app?.[Symbol.asyncDispose]();
    });

    /** Runs the journey in a profile of its own; whatever the console says but about a refusal is a failure. */
    async function journey(steps: (page: Page) => Promise<void>): Promise<void> {
      if (browser === undefined) throw new Error('there is no browser');
      const { page, context, complaints } = await openPage(browser, { javaScriptEnabled });
      await steps(page);
      await context.close();
      expect(complaints.filter((text) => !/status of 4\d\d/.test(text))).to.deep.equal([]);
    }

    async function fill(part: Page | Locator, fields: Record<string, string>): Promise<void> {
      for (const [label, text] of Object.entries(fields)) await part.getByLabel(label).fill(text);
    }

    it('one click on a user of the bypass page shows a ticket of six hours', () =>
      journey(async (page) => {
        await page.goto(`${url}/auth/bypass`);
        await page.getByRole('button', { name: 'ada' }).click();
        await page.waitForURL(`${url}/`);
        expect(await page.getByRole('heading', { level: 1 }).innerText()).to.include(
          'Ada Lovelace',
        );
        const token = await page.locator('.token').innerText();
        expect(lifetime(token)).to.equal(21_600);
      }));

    it('a wrong password shows the form again with the username in it, and the right one signs in', () =>
      journey(async (page) => {
        await page.goto(`${url}/login`);
        await fill(page, { 'Username or e-mail address': 'ada', Password: 'not that one' });
        await page.getByRole('button', { name: 'Sign in' }).click();
        expect(await page.getByRole('alert').innerText()).to.include('Wrong username or password');
        expect(await page.getByLabel('Username or e-mail address').inputValue()).to.equal('ada');
        expect(await page.getByLabel('Password').inputValue()).to.equal('');
        await fill(page, { Password: PASSWORD });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/`);
      }));

    it('somebody new signs up, changes the password, signs out, and comes back with the new one', () =>
      journey(async (page) => {
        await page.goto(`${url}/register`);
        await fill(page, {
          Username: 'grace',
          'E-mail address': 'grace@example.org',
          Password: PASSWORD,
        });
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.waitForURL(`${url}/`);
        await page.getByRole('link', { name: 'Account' }).click();
        expect(await page.locator('dl').first().innerText()).to.include('grace@example.org');
        const password = page.getByRole('region', { name: 'Password' });
        await fill(password, { 'Current password': 'not that one', 'New password': NEW_PASSWORD });
        await page.getByRole('button', { name: 'Change password' }).click();
        expect(await page.getByRole('alert').innerText()).to.include('current password');
        await fill(password, { 'Current password': PASSWORD, 'New password': NEW_PASSWORD });
        await page.getByRole('button', { name: 'Change password' }).click();
        expect(await page.getByRole('status').innerText()).to.include('has been changed');
        await page.getByRole('button', { name: 'Sign out', exact: true }).click();
        await page.waitForURL(`${url}/login`);
        await fill(page, {
          'Username or e-mail address': 'GRACE@example.org',
          Password: NEW_PASSWORD,
        });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/`);
      }));

    it('an address that is changed on the account page is one to sign in with from then on', () =>
      journey(async (page) => {
        await page.goto(`${url}/login`);
        await fill(page, { 'Username or e-mail address': 'lena', Password: PASSWORD });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('link', { name: 'Account' }).click();
        const address = page.getByRole('region', { name: 'E-mail address' });
        const wanted = { 'E-mail address': `lena-${javaScriptEnabled}@example.org` };
        await fill(address, { ...wanted, 'Current password': 'not that one' });
        await address.getByRole('button').click();
        expect(await page.getByRole('alert').innerText()).to.include('current password');
        const field = address.getByLabel('E-mail address');
        expect(await field.inputValue()).to.equal(wanted['E-mail address']);
        const wrong = address.getByLabel('Current password');
        expect(await wrong.inputValue()).to.equal('');
        expect(await wrong.getAttribute('aria-invalid')).to.equal('true');
        await fill(address, { 'Current password': PASSWORD });
        await address.getByRole('button').click();
        expect(await page.getByRole('status').innerText()).to.include('has been changed');
        await page.getByRole('button', { name: 'Sign out', exact: true }).click();
        await fill(page, {
          'Username or e-mail address': wanted['E-mail address'],
          Password: PASSWORD,
        });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/`);
      }));

    it('the back button shows nothing of an account after signing out', () =>
      journey(async (page) => {
        await page.goto(`${url}/auth/bypass?token=ada`);
        await page.getByRole('link', { name: 'Account' }).click();
        await page.getByRole('heading', { name: 'Your account' }).waitFor();
        await page.getByRole('button', { name: 'Sign out', exact: true }).click();
        await page.waitForURL(`${url}/login`);
        await page.goBack();
        await page.waitForURL(`${url}/login?returnTo=/account`);
        await page.goBack();
        await page.getByRole('heading', { name: 'You are not signed in' }).waitFor();
        expect(await page.content()).not.to.include('Lovelace');
      }));

    it('the browser keeps the session where no script and no other site gets at it', () =>
      journey(async (page) => {
        await page.goto(`${url}/login`);
        await fill(page, { 'Username or e-mail address': 'ada', Password: PASSWORD });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/`);
        const cookies = await page.context().cookies();
        const flags = cookies.map(({ name, httpOnly, sameSite, path, domain }) => {
          return { name, httpOnly, sameSite, path, domain };
        });
        const common = { httpOnly: true, path: '/', domain: 'localhost' };
        expect(flags).to.have.deep.members([
          { ...common, name: 'session', sameSite: 'Lax' },
          { ...common, name: 'device', sameSite: 'Strict' },
        ]);
        expect(await page.evaluate('document.cookie')).to.equal('');
      }));

    it('who asked for their account gets there after signing in, also at the second try', () =>
      journey(async (page) => {
        await page.goto(`${url}/account`);
        await page.waitForURL(`${url}/login?returnTo=/account`);
        await fill(page, { 'Username or e-mail address': 'ada', Password: 'not that one' });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await fill(page, { Password: PASSWORD });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/account`);
      }));

    it('a link on the way keeps where to go on: by the bypass to the account', () =>
      journey(async (page) => {
        await page.goto(`${url}/account`);
        await page.getByRole('link', { name: 'Pick a user' }).click();
        await page.getByRole('button', { name: 'ada' }).click();
        await page.waitForURL(`${url}/account`);
      }));

    it('no page goes on to another site', () =>
      journey(async (page) => {
        await page.goto(`${url}/login?returnTo=//evil.example/`);
        await fill(page, { 'Username or e-mail address': 'ada', Password: PASSWORD });
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.waitForURL(`${url}/`);
      }));

    it('a link on a page of this service signs out at once', () =>
      journey(async (page) => {
        await page.goto(`${url}/auth/bypass?token=ada`);
        await page.evaluate(
          `document.querySelector('main').innerHTML = '<a href="/auth/logout?returnTo=/register">Away</a>'`,
        );
        await page.getByRole('link', { name: 'Away' }).click();
        await page.waitForURL(`${url}/register`);
        expect((await page.goto(`${url}/auth/token`))?.status()).to.equal(401);
      }));

    it('whoever signed in twice ends the other session from the account page, then all others', () =>
      journey(async (page) => {
        if (browser === undefined) throw new Error('there is no browser');
        const iPhone =
          'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';
        const phone = await openPage(browser, { javaScriptEnabled, userAgent: iPhone });
        const laptop = await openPage(browser, { javaScriptEnabled });
        for (const other of [phone, laptop]) await other.page.goto(`${url}/auth/bypass?token=noor`);
        await page.goto(`${url}/auth/bypass?token=noor`);
        await page.getByRole('link', { name: 'Account' }).click();
        const rows = page
          .getByRole('list', { name: 'Where you are signed in' })
          .getByRole('listitem');
        expect(await rows.count()).to.equal(3);
        expect(await rows.filter({ hasText: 'this session' }).count()).to.equal(1);

        const button = page.getByRole('button', { name: /^Sign out Safari on iPhone Signed in/ });
        await button.focus();
        await page.keyboard.press('Enter');
        await page.getByRole('status').filter({ hasText: 'That session has ended' }).waitFor();
        expect(await rows.count()).to.equal(2);
        expect((await phone.page.goto(`${url}/auth/token`))?.status()).to.equal(401);
        expect((await laptop.page.goto(`${url}/auth/token`))?.status()).to.equal(200);

        await page.getByRole('button', { name: 'Sign out everywhere else' }).click();
        await page.getByRole('status').filter({ hasText: 'everywhere else' }).waitFor();
        expect((await laptop.page.goto(`${url}/auth/token`))?.status()).to.equal(401);

        await page
          .getByRole('button', { name: /^Sign out Chrome on .* this session Signed in/ })
          .click();
        await page.waitForURL(`${url}/login`);
        expect((await page.goto(`${url}/auth/token`))?.status()).to.equal(401);
        for (const { context } of [phone, laptop]) await context.close();
      }));

    it('the address bar gets a token, and whoever asks there to sign out is signed out', () =>
      journey(async (page) => {
        await page.goto(`${url}/auth/bypass?token=ada`);
        const answer = await page.goto(`${url}/auth/token`);
        expect(answer?.status()).to.equal(200);
        expect(await page.locator('body').innerText()).to.include('"token_type":"Bearer"');
        await page.goto(`${url}/auth/logout`);
        await page.waitForURL(`${url}/login`);
        expect((await page.goto(`${url}/auth/token`))?.status()).to.equal(401);
      }));
  });
}

/** Seconds from `iat` to `exp`. */
function lifetime(token: string): number {
  const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const claims: unknown = JSON.parse(text);
  if (typeof claims !== 'object' || claims === null) return NaN;
  if (!('iat' in claims) || !('exp' in claims)) return NaN;
  return Number(claims.exp) - Number(claims.iat);
}
