import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';

const GOOD = [
  ['/', '/'],
  ['/account', '/account'],
  ['/account?tab=1&x=/y#z', '/account?tab=1&x=/y#z'],
  ['/a/../b', '/b'],
  ['/%2f%2fevil.example', '/%2f%2fevil.example'],
  ['/ä', '/%C3%A4'],
  ['/@evil.example', '/@evil.example'],
  ['/?https://evil.example', '/?https://evil.example'],
];

const BAD = [
  '',
  'account',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\/evil.example',
  '\\\\evil.example',
  '/\\/evil.example',
  '%2f%2fevil.example',
  '%2Fevil',
  'https:evil.example',
  'https://evil.example',
  'HTTPS://evil.example',
  'http://localhost:3000/account',
  'javascript:alert(1)',
  'data:text/html,x',
  '@evil.example',
  '.evil.example',
  ' //evil.example',
  '/\t/evil.example',
  '\t//evil.example',
  '/\n/evil.example',
  '/\r\n/evil.example',
  '/a\r\nSet-Cookie: session=planted',
  '/a\nLocation: https://evil.example',
  '/\0',
  '/\u0085/evil.example',
  '/..//evil.example',
  '/.//evil.example',
  '/%2e%2e//evil.example',
  '/a/..//evil.example',
  `/${'a'.repeat(2048)}`,
];

describe('security 22: returnTo is a path on this origin, or nothing', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  /** Where each way of signing in or out leads to. */
  const ways: Record<string, { to: (path: string) => Promise<Response>; otherwise: string }> = {
    'the login form': {
      to: (returnTo) =>
        app.client().submit('/auth/login', { username: 'ada', password: PASSWORD, returnTo }),
      otherwise: '/',
    },
    'the bypass': {
      to: (returnTo) =>
        app.client().get(`/auth/bypass?token=ada&returnTo=${encodeURIComponent(returnTo)}`, {
          Accept: 'text/html',
        }),
      otherwise: '/',
    },
    'the logout form': {
      to: async (returnTo) => (await signIn(app, 'ada')).submit('/auth/logout', { returnTo }),
      otherwise: '/login',
    },
  };

  for (const [way, { to, otherwise }] of Object.entries(ways)) {
    it(`after ${way}, follows paths`, async () => {
      for (const [path = '', expected] of GOOD) {
        const response = await to(path);
        expect(response.status, path).to.equal(303);
        expect(response.headers.get('location'), path).to.equal(expected);
      }
    });

    it(`after ${way}, follows nothing else`, async () => {
      for (const path of BAD) {
        const response = await to(path);
        const location = response.headers.get('location');
        const shown = JSON.stringify(path).slice(0, 50);
        expect(response.headers.get('set-cookie') ?? '', shown).not.to.include('planted');
        // A field that is no text at all is refused outright.
        if (response.status === 400) expect(location, shown).to.equal(null);
        else expect([response.status, location], shown).to.deep.equal([303, otherwise]);
      }
    });
  }

  it('is dropped from the pages that would carry it on', async () => {
    for (const page of ['/login', '/register', '/auth/bypass']) {
      for (const path of ['//evil.example', '/\\evil.example', 'https://evil.example']) {
        const url = `${page}?returnTo=${encodeURIComponent(path)}`;
        const response = await app.client().get(url, { Accept: 'text/html' });
        expect(response.status).to.equal(200);
        expect(await response.text(), url).not.to.include('evil.example');
      }
    }
  });

  it('given twice in the address counts as not given', async () => {
    const response = await app
      .client()
      .get('/auth/bypass?token=ada&returnTo=/a&returnTo=/b', { Accept: 'text/html' });
    expect(response.headers.get('location')).to.equal('/');
  });
});
