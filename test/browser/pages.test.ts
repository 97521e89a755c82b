import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { addUser, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

const LONG = 'x'.repeat(60);
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';

/** Every page, with what brings it into the state to look at. */
const PAGES: readonly {
  name: string;
  path: string;
  as?: string;
  enter?: (page: Page) => Promise<void>;
}[] = [
  { name: 'home', path: '/' },
  { name: 'home, signed in', path: '/', as: 'ada' },
  { name: 'home, with a long name', path: '/', as: LONG },
  { name: 'sign in', path: '/login?returnTo=/account' },
  { name: 'sign in, refused', path: '/login', enter: submit({ Username: 'ada', Password: 'no' }) },
  { name: 'sign up', path: '/register' },
  {
    name: 'sign up, refused',
    path: '/register',
    enter: submit({ Username: 'ada', Password: 'password' }),
  },
  { name: 'account', path: '/account', as: 'ada' },
  { name: 'account, with a long name', path: '/account', as: LONG },
  { name: 'account, with sessions elsewhere', path: '/account?changed=session', as: 'traveller' },
  { name: 'bypass', path: '/auth/bypass' },
  { name: 'bypass, refused', path: '/auth/bypass?token=%00' },
  { name: 'nothing here', path: `/nothing/${LONG}` },
  { name: 'wrong method', path: '/auth/login' },
];

function submit(fields: Record<string, string>) {
  return async (page: Page) => {
    for (const [label, text] of Object.entries(fields)) {
      await page.getByLabel(label).first().fill(text);
    }
    await page.evaluate('document.querySelector("main form").noValidate = true');
    await page.locator('main button[type=submit]').click();
    await page.getByRole('alert').waitFor();
  };
}

describe('Every page', function () {
  this.timeout(120_000);
  let browser: Browser | undefined;
  let app: TestApp | undefined;
  let url = '';

  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    url = `http://localhost:${port}`;
    app = await startApp({ PUBLIC_URL: url }, { port });
    await addUser(app, 'ada', { name: 'Ada Lovelace', roles: ['admin', 'orders:read'] });
    await addUser(app, LONG, { name: 'X'.repeat(120), email: `${'y'.repeat(60)}@${LONG}.example` });
    const off = await addUser(app, 'disabled', { name: 'Gone' });
    await app.services.users.setDisabled(off.id, true);
    for (const userAgent of [LONG, IPHONE, '<b>/1 x'.padEnd(512, 'W')]) {
      await app.client().get('/auth/bypass?token=traveller', { 'User-Agent': userAgent });
    }
    const { kysely } = app.services.database;
    await kysely
      .updateTable('sessions')
      .set({ address: '2001:db8:85a3:1234:5678:8a2e:370:7334' })
      .where('user_agent', '=', IPHONE)
      .execute();
  });
  after(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
  });

  for (const { name, path, as, enter } of PAGES) {
    it(`fits every screen, says what it is, and breaks no rule of its own: ${name}`, async () => {
      if (browser === undefined) throw new Error('there is no browser');
      const { page, context, complaints } = await openPage(browser);
      if (as !== undefined) await page.goto(`${url}/auth/bypass?token=${as}`);
      await page.goto(url + path);
      await enter?.(page);

      expect(await page.locator('html').getAttribute('lang')).to.equal('en');
      expect(await page.locator('h1').count()).to.equal(1);
      expect(await page.title()).to.match(/\S · Coatcheck$/);
      expect(await unlabelled(page)).to.deep.equal([]);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        for (const width of [320, 360, 840, 1280]) {
          await page.setViewportSize({ width, height: 740 });
          expect(await overflow(page), `${colorScheme}, ${width} px`).to.equal(0);
        }
      }
      expect(await cookiesSeenByScript(page)).to.equal('');
      await context.close();
      expect(complaints.filter((text) => !/status of 4\d\d/.test(text))).to.deep.equal([]);
    });
  }
});

/** Controls without a label, a name for screen readers included. */
function unlabelled(page: Page): Promise<unknown> {
  return page.evaluate(`[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')]
    .filter((control) => control.tagName === 'BUTTON' ? !control.innerText.trim() : !control.labels?.[0]?.innerText.trim())
    .map((control) => control.outerHTML)`);
}

/** By how many pixels the page is wider than the screen. */
function overflow(page: Page): Promise<unknown> {
  return page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
}

function cookiesSeenByScript(page: Page): Promise<unknown> {
  return page.evaluate('document.cookie');
}
