import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openPage, startBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';

const START = join(import.meta.dirname, '..', '..', 'examples', 'start.ts');

/** `npm run example`, as its first user meets it. */
describe('The example of an app, an API and the service', function () {
  this.timeout(120_000);
  const ports = { service: 0, api: 0, app: 0 };
  const stopping = new AsyncDisposableStack();
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  before(async function () {
    browser = await startBrowser(this);
    stopping.defer(() => browser.close());
    for (const name of ['service', 'api', 'app'] as const) ports[name] = await freePort();
    const args = Object.entries(ports).flatMap(([name, port]) => [`--${name}`, String(port)]);
    const example = spawn(process.execPath, [START, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stopping.defer(async () => {
      example.kill();
      if ((example.exitCode ?? example.signalCode) === null) await once(example, 'exit');
    });
    const said: string[] = [];
    for await (const line of createInterface(example.stdout)) {
      said.push(line);
      if (line.startsWith('Open ')) break;
    }
    expect(said.at(-1), said.join('\n')).to.match(/^Open /);
    example.stdout.resume();
  });
  beforeEach(async () => {
    ({ page, context, complaints } = await openPage(browser));
    await page.goto(`http://localhost:${ports.app}/`);
  });
  afterEach(() => context.close());
  after(() => stopping.disposeAsync());

  async function signIn(username: string, password = 'seven wet umbrellas'): Promise<void> {
    await page.getByLabel('Username').fill(username);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  const press = (name: string) => page.getByRole('button', { name }).click();
  const orders = () => page.getByRole('listitem').count();

  /** Waits until the page says so. */
  const says = (text: string | RegExp, on = page) => on.getByText(text).waitFor();

  it('says why a sign-in was refused, and keeps the name', async () => {
    await signIn('ada', 'a wrong guess');
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    expect(await page.getByLabel('Username').inputValue()).to.equal('ada');
  });

  it('shows the token to an editor, whom the API lets read and not delete', async () => {
    await signIn('ada');
    await says('Signed in as ada.');
    await says('editor');
    await says(/^1 min \d+ s$/);
    await press('Ask the API');
    await says('One umbrella, wet');
    const before = await orders();
    await press('Delete the last one');
    await says(/^The API answers 403: /);
    expect(await orders()).to.equal(before);
  });

  it('lets an admin delete', async () => {
    await signIn('grace');
    await press('Ask the API');
    await says('One umbrella, wet');
    const before = await orders();
    await press('Delete the last one');
    await page
      .getByRole('listitem')
      .nth(before - 1)
      .waitFor({ state: 'detached' });
    expect(complaints.filter((text) => !text.includes('401'))).to.deep.equal([]);
  });

  it('is signed in at once in another tab, and signed out in both', async () => {
    await signIn('ada');
    await says('Signed in as ada.');
    const other = await context.newPage();
    await other.goto(page.url());
    await says('Signed in as ada.', other);
    await press('Sign out');
    await says('You are signed out.');
    await says('You are signed out.', other);
  });
});
