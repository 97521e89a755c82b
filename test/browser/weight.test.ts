import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { addUser, signIn, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

/** Bytes, for all that a first visit brings over the line: headers, page, style and picture. */
const MOST = 15_000;

describe('A first visit', function () {
  this.timeout(60_000);
  let browser: Browser | undefined;
  let app: TestApp | undefined;
  let url = '';

  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    url = `http://localhost:${port}`;
    app = await startApp({ PUBLIC_URL: url, BRAND_COLOR: '0a7d6c' }, { port });
    await addUser(app, 'ada', { email: 'ada@example.org', name: 'Ada Lovelace' });
    for (let session = 0; session < 5; session += 1) await signIn(app, 'ada');
  });
  after(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
  });

  /** What comes over the line until a page has loaded, in bytes, by what the browser wanted it for. */
  async function transferred(page: Page, path: string): Promise<{ type: string; bytes: number }[]> {
    const types = new Map<string, string>();
    const received: { type: string; bytes: number }[] = [];
    const cdp = await page.context().newCDPSession(page);
    cdp.on('Network.responseReceived', ({ requestId, type }) => types.set(requestId, type));
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      received.push({ type: types.get(requestId) ?? '', bytes: encodedDataLength });
    });
    await cdp.send('Network.enable');
    await cdp.send('Network.clearBrowserCache');
    await page.goto(url + path, { waitUntil: 'networkidle' });
    return received;
  }

  for (const path of ['/login', '/account']) {
    it(`to ${path} brings less than 15 kB, with one request for the style and none for scripts`, async () => {
      if (browser === undefined) throw new Error('there is no browser');
      const { page, context } = await openPage(browser);
      if (path === '/account') await page.goto(`${url}/auth/bypass?token=ada`);
      const received = await transferred(page, path);
      const of = (type: string) => received.filter((one) => one.type === type).length;
      expect([of('Document'), of('Stylesheet'), of('Script')]).to.deep.equal([1, 1, 0]);
      expect(received.reduce((sum, { bytes }) => sum + bytes, 0)).to.be.within(3000, MOST);
      await context.close();
    });
  }
});
