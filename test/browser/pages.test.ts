import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { barriers } from '../support/axe.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { BEHIND_A_PROXY, FORWARDED } from '../support/line.ts';

/** Where a picture of each page in each state is left for whoever wants to look: git ignores it, CI keeps it. */
const PICTURES = 'test-results/pages';

const LONG = 'x'.repeat(64);
const ARABIC = 'ليلى';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';

/** Every page, with what brings it into the state to look at. */
interface State {
  readonly name: string;
  readonly path: string;
  readonly as?: string;
  readonly enter?: (page: Page) => Promise<void>;
}

const DEVELOPMENT: readonly State[] = [
  { name: 'home', path: '/' },
  { name: 'home, signed in', path: '/', as: 'ada', enter: (page) => page.click('summary') },
  { name: 'home, with a long name', path: '/', as: LONG },
  { name: 'home, from right to left', path: '/', as: ARABIC },
  { name: 'sign in', path: '/login?returnTo=/account' },
  { name: 'sign in, refused', path: '/login', enter: submit({ Username: 'ada', Password: 'no' }) },
  { name: 'sign up', path: '/register' },
  {
    name: 'sign up, refused',
    path: '/register',
    enter: submit({ Username: 'ada', 'E-mail': 'a@b.example', Password: 'password' }),
  },
  { name: 'account', path: '/account', as: 'ada' },
  { name: 'account, without a password', path: '/account', as: 'noor' },
  { name: 'account, with a long name', path: '/account', as: LONG },
  { name: 'account, from right to left', path: '/account', as: ARABIC },
  { name: 'account, with sessions elsewhere', path: '/account?changed=session', as: 'traveller' },
  {
    name: 'account, password refused',
    path: '/account',
    as: 'ada',
    enter: submit({ 'Current password': 'no', 'New password': 'a heron' }, 'Change password'),
  },
  {
    name: 'account, address refused',
    path: '/account',
    as: 'ada',
    enter: submit({ 'E-mail address': 'ada@', 'Current password': PASSWORD }, 'Change e-mail'),
  },
  { name: 'sign out', path: '/', as: 'ada', enter: comeFromElsewhere },
  { name: 'bypass', path: '/auth/bypass' },
  { name: 'bypass, refused', path: '/auth/bypass?token=%00' },
  { name: 'nothing here', path: `/nothing/${LONG}` },
  { name: 'wrong method', path: '/auth/login' },
  { name: 'session required', path: '/auth/session' },
];

const PRODUCTION: readonly State[] = [
  { name: 'home in production', path: '/' },
  { name: 'home in production, signed in', path: '/', as: 'ada' },
  { name: 'home in production, with a long name', path: '/', as: LONG },
  { name: 'sign in in production', path: '/login' },
  { name: 'account in production', path: '/account', as: 'ada' },
  { name: 'nothing here in production', path: '/nothing' },
];

/** Fills in a form and sends it, whatever the browser thinks of it, for what the service thinks of it. */
function submit(fields: Record<string, string>, button?: string) {
  return async (page: Page) => {
    const forms = page.locator('main form');
    const form = button ? forms.filter({ hasText: button }) : forms;
    for (const [label, text] of Object.entries(fields)) await form.getByLabel(label).fill(text);
    await page.evaluate('for (const form of document.forms) form.noValidate = true');
    await form.getByRole('button').click();
    await page.getByRole('alert').waitFor();
  };
}

/** Signing out by a link from another site is what has to be confirmed. */
async function comeFromElsewhere(page: Page): Promise<void> {
  const target = page.url();
  await page.goto('data:text/html,<a href>x</a>');
  await page.evaluate(`location.href = '${new URL('/auth/logout', target).href}'`);
  await page.getByRole('heading', { name: 'Sign out?' }).waitFor();
}

describe('Every page', function () {
  this.timeout(180_000);
  let browser: Browser | undefined;
  let development: TestApp | undefined;
  let production: TestApp | undefined;

  before(async function () {
    browser = await startBrowser(this);
    development = await start({});
    production = await start({
      ...BEHIND_A_PROXY,
      SESSION_SECRET: 'c3Vic3RhbnRpYWwgcmFuZG9tbmVzcyBoZXJlIDEyMzQ1',
      JWT_SECRET_KEY: 'b3RoZXIgcmFuZG9tbmVzcyBmb3IgdGhlIHRva2VucyA2Nzg5',
      REGISTRATION: 'closed',
      BRAND_NAME: 'The Old Harbour Office of Saint-Malo',
      BRAND_COLOR: '#0a7d6c',
    });
    await populate(development);
    await populate(production);
  });
  after(async () => {
    await browser?.close();
    await development?.[Symbol.asyncDispose]();
    await production?.[Symbol.asyncDispose]();
  });

  for (const state of DEVELOPMENT) {
    it(`fits every screen, is open to everybody, and breaks no rule of its own: ${state.name}`, () =>
      expectGood(browser, development, state));
  }
  for (const state of PRODUCTION) {
    it(`fits every screen, is open to everybody, and breaks no rule of its own: ${state.name}`, () =>
      expectGood(browser, production, state, { extraHTTPHeaders: FORWARDED }));
  }
});

async function start(environment: Record<string, string>): Promise<TestApp> {
  const port = await freePort();
  return startApp({ PUBLIC_URL: `http://localhost:${port}`, ...environment }, { port });
}

async function populate(app: TestApp): Promise<void> {
  await addUser(app, 'ada', { name: 'Ada Lovelace', roles: ['admin', 'orders:read'] });
  await addUser(app, LONG, { name: 'X'.repeat(120), email: `${'y'.repeat(60)}@${LONG}.example` });
  await addUser(app, ARABIC, { name: 'ليلى بنت الأخيلية 🎟️🧥', roles: ['محرر'] });
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
}

async function expectGood(
  browser: Browser | undefined,
  app: TestApp | undefined,
  { name, path, as, enter }: State,
  options: BrowserContextOptions = {},
): Promise<void> {
  if (browser === undefined || app === undefined) throw new Error('there is no browser');
  const url = app.url.replace('127.0.0.1', 'localhost');
  const { page, context, complaints } = await openPage(browser, {
    ...options,
    reducedMotion: 'reduce', // a colour on its way to another is none to judge
  });
  if (as !== undefined) await signIn(page, url, as);
  await recordShifts(page);
  await page.goto(url + path);
  await enter?.(page);

  expect(await page.locator('html').getAttribute('lang')).to.equal('en');
  expect(await page.locator('h1').count()).to.equal(1);
  const brand = app.services.site.name;
  expect(await page.title()).to.match(new RegExp(String.raw`\S · ${brand}$`));
  expect(await unlabelled(page)).to.deep.equal([]);
  expect(await shifts(page)).to.deep.equal([]);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [320, 390, 840, 1280]) {
      await page.setViewportSize({ width, height: 740 });
      expect(await overflow(page), `${colorScheme}, ${width} px`).to.equal(0);
      if (width !== 320 && width !== 1280) continue;
      const picture = `${name.replaceAll(/\W+/g, '-')}-${width}-${colorScheme}.png`;
      await page.screenshot({ path: `${PICTURES}/${picture}`, fullPage: true });
      expect(await barriers(page), `${colorScheme}, ${width} px`).to.deep.equal([]);
    }
  }
  expect(await page.evaluate('document.cookie')).to.equal('');
  await context.close();
  expect(complaints.filter((text) => !/status of 4\d\d/.test(text))).to.deep.equal([]);
}

/** By password where the user has one, else through the bypass. */
async function signIn(page: Page, url: string, username: string): Promise<void> {
  if (['noor', 'traveller'].includes(username)) {
    await page.goto(`${url}/auth/bypass?token=${username}`);
    return;
  }
  await page.goto(`${url}/login`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.locator('main button[type=submit]').click();
  await page.waitForURL(`${url}/`);
}

/** Pictures and scripts are held back until a page has been painted: what has no room yet would push the rest away. */
async function recordShifts(page: Page): Promise<void> {
  const painted = Promise.withResolvers<void>();
  await page.exposeFunction('painted', () => painted.resolve());
  await page.addInitScript(`globalThis.shifts = [];
    const observe = (type, entries) =>
      new PerformanceObserver((list) => entries(list.getEntries())).observe({ type, buffered: true });
    observe('layout-shift', (moved) => // but for what somebody has unfolded
      shifts.push(...moved.filter(({ hadRecentInput }) => !hadRecentInput).map(({ value }) => value)));
    observe('paint', () => painted());`);
  await page.route(/\/assets\/.*\.(?:svg|png|webp|js)/, async (route) => {
    await painted.promise;
    await route.continue();
  });
}

/** By how much what is on the page has moved after it was painted, each time. */
function shifts(page: Page): Promise<unknown> {
  return page.evaluate(`new Promise((resolve) =>
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(shifts)))))`);
}

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
