import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { FORWARDED, BEHIND_A_PROXY } from '../support/line.ts';

const PAGE = { Accept: 'text/html' };
const NAME = `O'Hara & <b>Sons</b>`;
const PAGES = ['/', '/login', '/register', '/auth/bypass', '/auth/logout', '/nowhere', '/account'];
/** A picture that would do harm where it is more than one. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10" onload="alert(1)">
  <script>fetch('/auth/token')</script><rect width="40" height="10"/></svg>`;

describe('a service with a brand of its own', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let app: TestApp;
  before(async () => {
    directory = temporaryDirectory();
    const logo = join(directory.path, 'logo');
    writeFileSync(logo, SVG);
    app = await startApp({ BRAND_NAME: NAME, BRAND_LOGO_FILE: logo, BRAND_COLOR: '0a7d6c' });
  });
  after(async () => {
    await app[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it('has its name on every page and in every title, and ours on none', async () => {
    await addUser(app, 'ada');
    const ada = app.client();
    await ada.login('ada', PASSWORD);
    for (const path of PAGES) {
      const html = await (await ada.get(path, PAGE)).text();
      const escaped = 'O&#39;Hara &amp; &lt;b&gt;Sons&lt;/b&gt;';
      expect(html, path).to.match(new RegExp(`<title>[^<]* · ${escaped}</title>`));
      expect(html.replaceAll(/@coatcheck\/verify|coatcheck user add/g, ''), path).not.to.match(
        /coatcheck/i,
      );
    }
  });

  it('has its colour in the one stylesheet, at another address than ours', async () => {
    const hrefOf = async (one: TestApp) =>
      /href="(\/assets\/style\.css\?v=\w+)"/.exec(
        await (await one.client().get('/')).text(),
      )?.[1] ?? '';
    await using plain = await startApp();
    const [href, ours] = [await hrefOf(app), await hrefOf(plain)];
    expect(href).not.to.equal(ours);
    const [css, ownCss] = await Promise.all(
      [app.client().get(href), plain.client().get(ours)].map(async (answer) =>
        (await answer).text(),
      ),
    );
    expect(css)
      .to.include('--stub: #0a7d6c;')
      .and.satisfy((text: string) => text.startsWith(ownCss ?? '?'));
  });

  it('shows its logo as a picture, which may run nothing wherever it is opened', async () => {
    const html = await (await app.client().get('/login')).text();
    const [, src = '', size] = /<img src="([^"]+)" alt="" ([^>]+)>/.exec(html) ?? [];
    expect(size).to.equal('width="128" height="32"');
    expect(html).to.include(`<link rel="icon" href="${src}" type="image/svg+xml">`);
    const { headers } = await app.client().get(src);
    expect(headers.get('content-type')).to.equal('image/svg+xml');
    expect(headers.get('x-content-type-options')).to.equal('nosniff');
    const policy = headers.get('content-security-policy')?.split(';');
    expect(policy).to.include.members(["default-src 'none'", 'sandbox']);
    expect(policy?.join()).not.to.include('script-src');
  });

  it('does not start with a picture that cannot be used', async () => {
    const missing = join(directory.path, 'missing.png');
    const error = await startApp({ BRAND_LOGO_FILE: missing }).catch((problem: unknown) => problem);
    expect(String(error)).to.include('BRAND_LOGO_FILE cannot be read');
  });
});

describe('assets', () => {
  it('come compressed to whoever takes that, with the same content', async () => {
    await using app = await startApp();
    for (const { path, content } of app.services.views.assets) {
      const plain = await app.client().get(path, { 'Accept-Encoding': 'identity' });
      const small = await app.client().get(path, { 'Accept-Encoding': 'br, gzip' });
      expect(plain.headers.has('content-encoding')).to.equal(false);
      expect(small.headers.get('content-encoding'), path).to.equal('gzip');
      expect(Number(small.headers.get('content-length'))).to.be.below(content.length);
      for (const answer of [plain, small]) {
        expect(answer.headers.get('vary')).to.equal('Accept-Encoding');
        expect(Buffer.from(await answer.arrayBuffer())).to.deep.equal(content);
      }
    }
  });
});

describe('/ in production', () => {
  it('says where you stand, and shows developers nothing, nor anybody a token', async () => {
    await using app = await startApp({
      ...BEHIND_A_PROXY,
      SESSION_SECRET: randomBytes(64).toString('hex'),
      JWT_SECRET_KEY: randomBytes(64).toString('hex'),
    });
    await addUser(app, 'ada');
    const ada = app.client();
    const login = await ada.post('/auth/login', { username: 'ada', password: PASSWORD }, FORWARDED);
    expect(login.status).to.equal(200);
    for (const client of [ada, app.client()]) {
      const response = await client.get('/', { ...PAGE, ...FORWARDED });
      const html = await response.text();
      expect(html).to.include(client === ada ? 'You are signed in' : 'You are not signed in');
      expect(html).not.to.match(/curl|<script|bypass|development|eyJ|ticket|requireToken/);
      expect(response.headers.get('content-security-policy')).not.to.include('script-src');
    }
  });
});
