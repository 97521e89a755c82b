import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';

const RED = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>rect { fill: #f00 }</style>
  <script>document.title = 'scripted'</script><rect width="32" height="32"/></svg>`;

describe('The home page', function () {
  this.timeout(60_000);
  const directory = temporaryDirectory();
  let browser: Browser | undefined;
  let app: TestApp | undefined;
  let url = '';

  before(async function () {
    browser = await startBrowser(this);
    const port = await freePort();
    url = `http://localhost:${port}`;
    const logo = join(directory.path, 'logo.svg');
    writeFileSync(logo, RED);
    app = await startApp({ PUBLIC_URL: url, BRAND_LOGO_FILE: logo }, { port });
    await addUser(app, 'ada');
  });
  after(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function open(options: Parameters<typeof openPage>[1] = {}) {
    if (browser === undefined) throw new Error('there is no browser');
    const opened = await openPage(browser, options);
    await opened.page.goto(url);
    return opened;
  }

  it('shows lines for a shell that work as they are, and the buttons copy them so', async () => {
    const permissions = ['clipboard-read', 'clipboard-write'];
    const { page, context, complaints } = await open({ permissions });
    const section = page.getByRole('region', { name: 'On the command line' });
    const lines: string[] = [];
    for (const button of await section.getByRole('button').all()) {
      await button.click();
      await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
      lines.push(String(await page.evaluate('navigator.clipboard.readText()')));
    }
    await context.close();
    expect(complaints).to.deep.equal([]);
    expect(lines).to.have.length(3);
    const { stdout } = await promisify(execFile)('sh', ['-ec', lines.join('\n')], {
      cwd: directory.path,
      env: { ...process.env, no_proxy: '*' },
      timeout: 20_000,
    });
    expect(stdout).to.match(/"username":"ada"[^}]*\}\}$/);
  });

  it('has no buttons where they could do nothing: without JavaScript, or without a clipboard', async () => {
    const { page, context } = await open({ javaScriptEnabled: false });
    expect(await page.locator('.copied').count()).to.equal(5);
    expect(await page.locator('.copied button').count()).to.equal(0);
    await context.close();
    const bare = await open();
    await bare.page.addInitScript(
      `Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })`,
    );
    await bare.page.reload();
    expect(await bare.page.locator('.copied button').count()).to.equal(0);
    await bare.context.close();
  });

  it('copies the whole ticket, and nothing else', async () => {
    const { page, context } = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    await page.goto(`${url}/login`);
    await page.getByLabel('Username').fill('ada');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.locator('main button[type=submit]').click();
    await page.getByRole('button', { name: 'Copy the ticket' }).click();
    await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
    const token = String(await page.evaluate('navigator.clipboard.readText()'));
    const headers = { Authorization: `Bearer ${token}` };
    expect((await app?.client().get('/auth/me', headers))?.status).to.equal(200);
    await context.close();
  });

  it('shows the logo of BRAND_LOGO_FILE with its own style; opened by itself it runs no script', async () => {
    const { page, context } = await open();
    const colour = await page.evaluate(`(async () => {
      const image = document.querySelector('.brand img');
      const canvas = document.createElement('canvas').getContext('2d');
      canvas.drawImage(image, 0, 0, 32, 32);
      return [...canvas.getImageData(16, 16, 1, 1).data];
    })()`);
    expect(colour).to.deep.equal([255, 0, 0, 255]);
    const src = await page.locator('.brand img').getAttribute('src');
    await page.goto(url + src);
    expect(await page.title()).to.equal('');
    await context.close();
  });
});
