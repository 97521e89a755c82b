import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { fromNow } from '../../core/durations.ts';
import { addUser, signIn, startApp, type TestApp } from '../support/app.ts';
import { barriers } from '../support/axe.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { forge } from '../support/forge.ts';
import { freePort } from '../support/free-port.ts';
import { freshSecret } from '../support/keys.ts';
import { claimsOf, headerOf } from '../support/session.ts';

const HOSTILE = `"><script>document.title='broken'</script><img src=x onerror="document.title='broken'">`;

describe('The token inspector in a browser', function () {
  this.timeout(120_000);
  const secret = freshSecret();
  let browser: Browser;
  let app: TestApp;
  let url = '';
  let token = '';
  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    url = `http://localhost:${port}`;
    app = await startApp({ PUBLIC_URL: url, JWT_SECRET_KEY: secret }, { port });
    await addUser(app, 'ada', { name: 'Ada Lovelace', roles: ['admin', 'orders:read'] });
    token = await (await signIn(app, 'ada')).token();
  });
  after(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
  });

  const resigned = (claims: object, header: object = {}) =>
    forge({ ...headerOf(token), ...header }, { ...claimsOf(token), ...claims }, secret);

  async function paste(page: Page, text: string): Promise<void> {
    await page.goto(`${url}/inspect`);
    await page.getByRole('textbox', { name: 'Token' }).fill(text);
    await page.getByRole('button', { name: 'Inspect' }).click();
    await page.locator('#verdict, #token-error').waitFor();
  }

  const verdict = (page: Page) => page.locator('#verdict').innerText();

  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? 'with its script' : 'without JavaScript';

    it(`takes a token, or makes one of the session, ${how}`, async () => {
      const { page, context, complaints } = await openPage(browser, { javaScriptEnabled });
      await paste(page, token);
      expect(await verdict(page)).to.include('Valid');
      expect(await page.getByText('Ada Lovelace').count()).to.be.above(0);
      await paste(page, token.slice(0, -4));
      expect(await verdict(page)).to.include('Not valid');
      await page.getByRole('button', { name: 'Use mine' }).click();
      expect(await page.getByRole('alert').innerText()).to.include('Nobody is signed in here');
      await page.goto(`${url}/auth/bypass?token=ada`);
      await page.goto(`${url}/inspect`);
      await page.getByRole('button', { name: 'Use mine' }).click();
      expect(await verdict(page)).to.include('Valid');
      expect(page.url()).to.equal(`${url}/inspect`);
      await page.getByRole('button', { name: 'Sign out' }).click(); // from a page that sends no referrer
      await page.waitForURL(`${url}/login`);
      await context.close();
      expect(complaints.filter((text) => !text.includes('status of 401'))).to.deep.equal([]);
    });
  }

  it('moves the times on, by the clock of the server, and says when the token expires', async () => {
    const { page, context } = await openPage(browser);
    await page.clock.install({ time: new Date('2001-01-01') }); // a device whose clock is wrong by decades
    await paste(page, token);
    const iat = page.locator('.claims > div', { hasText: 'Issued' }).locator('[data-at]');
    const exp = page.locator('.claims > div', { hasText: 'Expires' }).locator('[data-at]');
    const before = await exp.innerText();
    expect(before).to.match(/^in 5 hours 59 minutes$|^in 6 hours$/);
    await page.clock.fastForward('10:00');
    expect(await exp.innerText()).to.match(/^in 5 hours (49|50) minutes/);
    expect(await iat.innerText()).to.match(/^10 minutes .*ago$|^10 minutes ago$/);
    const expired = page.getByText('It has expired while this page was open.');
    expect(await expired.isVisible()).to.equal(false);
    await page.clock.fastForward('06:00:00');
    expect(await expired.isVisible()).to.equal(true);
    expect(await exp.innerText()).to.match(/ago$/);
    await context.close();
  });

  it('says how far away a moment is in the words of the server', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${url}/inspect`);
    for (const seconds of [
      0, 1, -1.9, 59, -60, 61, -184, 3599.9, 3600, 86_399, -90_061, 4e7, -1e9,
    ]) {
      expect(await page.evaluate(`fromNow(${seconds})`)).to.equal(fromNow(seconds));
    }
    await context.close();
  });

  it('sends the form with Ctrl+Enter', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${url}/inspect`);
    await page.getByRole('textbox', { name: 'Token' }).fill(token);
    await page.keyboard.press('Control+Enter');
    await page.locator('#verdict').waitFor();
    await context.close();
  });

  it('runs nothing that is in a token, sends nothing anywhere, and keeps the token out of every address', async () => {
    const { page, context, complaints } = await openPage(browser);
    const requests: { url: string; referrer: string | undefined }[] = [];
    page.on('request', (request) => {
      requests.push({ url: request.url(), referrer: request.headers()['referer'] });
    });
    const hostile = resigned(
      { iss: HOSTILE, [HOSTILE]: HOSTILE },
      { kid: HOSTILE, jku: `${url}/x` },
    );
    await paste(page, hostile);
    expect(await page.title()).to.equal('Token inspected · Coatcheck');
    expect(complaints).to.deep.equal([]);
    const addresses = requests.map((request) => new URL(request.url).pathname);
    expect(new Set(addresses)).to.deep.equal(
      new Set(
        [
          '/inspect',
          '/assets/style.css',
          '/assets/inspect.css',
          '/assets/inspect.js',
          '/assets/icon.svg',
        ].filter((path) => addresses.includes(path)),
      ),
    );
    for (const part of hostile.split('.')) {
      expect(JSON.stringify(requests)).to.not.include(part);
    }
    expect(requests.map(({ referrer }) => referrer).filter(Boolean)).to.deep.equal([]);
    const sent = await page.evaluate(`fetch('/healthz').then(() => 'sent', () => 'refused')`);
    expect(sent).to.equal('refused');
    await context.close();
  });

  const states: Record<string, () => string | undefined> = {
    empty: () => undefined,
    'with a valid token': () => token,
    'with one that has expired': () => resigned({ exp: 1_700_000_000 }),
    'with a wrong signature': () => `${token.slice(0, -4)}AAAA`,
    'with everything wrong': () =>
      resigned(
        {
          iss: 'x'.repeat(300),
          exp: 1_795_629_552_000,
          ['y'.repeat(90)]: { a: [1, { b: 'z'.repeat(200) }] },
        },
        { kid: 'x'.repeat(90), jku: 'https://evil.example' },
      ),
    'with what is no token': () => 'umbrella',
  };
  for (const [state, text] of Object.entries(states)) {
    it(`has no barriers and fits every screen, light and dark: ${state}`, async () => {
      const { page, context } = await openPage(browser);
      const pasted = text();
      if (pasted === undefined) await page.goto(`${url}/inspect`);
      else await paste(page, pasted);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        for (const width of [320, 390, 840, 1280]) {
          await page.setViewportSize({ width, height: 740 });
          const overflow =
            'document.documentElement.scrollWidth - document.documentElement.clientWidth';
          expect(await page.evaluate(overflow), `${colorScheme}, ${width} px`).to.equal(0);
        }
        expect(await barriers(page)).to.deep.equal([]);
      }
      await context.close();
    });
  }
});
