import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser, startOtherSite } from '../support/browser.ts';
import { bundleOfApp } from '../support/bundle.ts';
import { freePort } from '../support/free-port.ts';

const REACT = `
  import { createElement } from 'react';
  import { createRoot } from 'react-dom/client';
  import { useAuth } from '@coatcheck/client/react';
  function Who() {
    const { state, user } = useAuth(auth);
    return createElement('p', {}, state + ' ' + (user?.username ?? 'nobody'));
  }
  createRoot(document.querySelector('main')).render(createElement(Who));
`;
const VUE = `
  import { createApp, h } from 'vue';
  import { useAuth } from '@coatcheck/client/vue';
  const Who = {
    setup() {
      const { state, user } = useAuth(auth);
      return () => h('p', state.value + ' ' + (user.value?.username ?? 'nobody'));
    },
  };
  createApp(Who).mount('main');
`;

for (const [name, source] of Object.entries({ React: REACT, Vue: VUE })) {
  describe(`useAuth of ${name} in a browser`, function () {
    this.timeout(120_000);
    let browser: Browser | undefined;
    let app: TestApp | undefined;
    let site: Awaited<ReturnType<typeof startOtherSite>> | undefined;

    before(async function () {
      browser = await startBrowser(this);
      const port = await freePort();
      app = await startApp({ CORS_ORIGINS: `http://localhost:${port}` });
      await addUser(app, 'ada');
      const script = await bundleOfApp(`
        import { createAuth } from '@coatcheck/client';
        const auth = (window.auth = createAuth({ baseUrl: '${app.url.replace('127.0.0.1', 'localhost')}' }));
        ${source}
      `);
      const html = `<!doctype html><title>app</title><main></main><script type="module">${script}</script>`;
      site = await startOtherSite('localhost', html, port);
    });
    after(async () => {
      await browser?.close();
      await site?.[Symbol.asyncDispose]();
      await app?.[Symbol.asyncDispose]();
    });

    it('shows who is signed in, and follows', async () => {
      if (browser === undefined) throw new Error('there is no browser');
      const { page, context, complaints } = await openPage(browser);
      await page.goto(site?.url ?? '');
      await page.getByText('signed-out nobody').waitFor();
      await page.evaluate(`auth.login({ username: 'ada', password: '${PASSWORD}' })`);
      await page.getByText('signed-in ada').waitFor();
      await page.evaluate('auth.logout()');
      await page.getByText('signed-out nobody').waitFor();
      await context.close();
      expect(complaints.filter((text) => !/status of 4\d\d/.test(text))).to.deep.equal([]);
    });
  });
}
