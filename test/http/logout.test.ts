import { expect } from 'chai';
import type { SessionData } from 'express-session';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { MINUTE } from '../support/clock.ts';
import { cookiesOf, send } from '../support/raw.ts';
import { sessionId, sessionRows, setCookie } from '../support/session.ts';

const NAVIGATION = { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate' };
const CLEARED = 'session=; path=/; expires=thu, 01 jan 1970 00:00:00 gmt; httponly; samesite=lax';

describe('logging out', () => {
  let app: TestApp;
  let ada: Client;
  before(async () => (app = await startApp()));
  beforeEach(async () => (ada = await signIn(app, 'ada')));
  after(() => app[Symbol.asyncDispose]());

  async function isAlive(client: Client): Promise<boolean> {
    return (await client.get('/auth/token')).status === 200;
  }

  describe('POST /auth/logout', () => {
    it('answers a script with 204, clears the cookie and ends the session', async () => {
      const stolen = ada.clone();
      const response = await ada.post('/auth/logout');
      expect(response.status).to.equal(204);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.getSetCookie().map((line) => line.toLowerCase())).to.deep.equal([
        CLEARED,
      ]);
      expect(await isAlive(stolen)).to.equal(false);
    });

    it('takes an empty JSON object as well', async () => {
      expect((await ada.post('/auth/logout', {})).status).to.equal(204);
    });

    it('sends a form on to /login, or to returnTo', async () => {
      const response = await ada.submit('/auth/logout', {});
      expect([response.status, response.headers.get('location')]).to.deep.equal([303, '/login']);
      const bob = await signIn(app, 'bob');
      const onward = await bob.submit('/auth/logout', { returnTo: '/bye?x=1' });
      expect([onward.status, onward.headers.get('location')]).to.deep.equal([303, '/bye?x=1']);
    });

    it('is no error for whoever is signed out already', async () => {
      const anyone = app.client();
      expect((await anyone.post('/auth/logout')).status).to.equal(204);
      expect((await anyone.submit('/auth/logout', {})).status).to.equal(303);
      const twice = ada.clone();
      await ada.post('/auth/logout');
      const response = await twice.post('/auth/logout');
      expect([response.status, setCookie(response, 'session')]).to.deep.equal([204, CLEARED]);
    });

    it('leaves the other sessions of the user alone', async () => {
      const phone = await signIn(app, 'ada');
      await ada.post('/auth/logout');
      expect(await isAlive(phone)).to.equal(true);
    });

    it('leaves no anonymous session behind (M3)', async () => {
      const rows = await sessionRows(app);
      await ada.post('/auth/logout');
      expect(await sessionRows(app)).to.equal(rows - 1);
      expect(ada.cookies.size).to.equal(0);
    });
  });

  describe('GET /auth/logout', () => {
    async function navigate(headers: Record<string, string>, path = '/auth/logout') {
      return send(app, 'GET', path, { ...cookiesOf(ada), ...headers });
    }

    for (const site of ['same-origin', 'none']) {
      it(`ends the session for a navigation with Sec-Fetch-Site: ${site}`, async () => {
        const answer = await navigate({ ...NAVIGATION, 'Sec-Fetch-Site': site });
        expect([answer.status, answer.headers.get('location')]).to.deep.equal([303, '/login']);
        expect(setCookie(answer, 'session')).to.equal(CLEARED);
        expect(await isAlive(ada)).to.equal(false);
      });
    }

    it('follows returnTo of the address', async () => {
      const headers = { ...NAVIGATION, 'Sec-Fetch-Site': 'same-origin' };
      const answer = await navigate(headers, '/auth/logout?returnTo=/bye');
      expect([answer.status, answer.headers.get('location')]).to.deep.equal([303, '/bye']);
    });

    const asking: Record<string, Record<string, string>> = {
      'a link on another site': { ...NAVIGATION, 'Sec-Fetch-Site': 'cross-site' },
      'a link on a sister site': { ...NAVIGATION, 'Sec-Fetch-Site': 'same-site' },
      'a browser that does not say where it comes from': { Accept: 'text/html' },
      'an image on another site': {
        Accept: 'image/*',
        'Sec-Fetch-Site': 'cross-site',
        'Sec-Fetch-Mode': 'no-cors',
      },
      'an image on a page of ours': {
        Accept: 'image/*',
        'Sec-Fetch-Site': 'same-origin',
        'Sec-Fetch-Mode': 'no-cors',
      },
      'a script on a page elsewhere, in an old browser': {
        Accept: '*/*',
        Origin: 'https://evil.example',
      },
    };
    for (const [who, headers] of Object.entries(asking)) {
      it(`asks first, and the session lives: ${who}`, async () => {
        const answer = await navigate(headers);
        expect(answer.status).to.equal(200);
        expect(answer.headers.get('cache-control')).to.equal('no-store');
        expect(answer.body).to.include('<form method="post" action="/auth/logout">');
        expect(answer.headers.getSetCookie()).to.deep.equal([]);
        expect(await isAlive(ada)).to.equal(true);
      });
    }

    it('takes a script that is no browser at its word', async () => {
      expect((await navigate({ Accept: '*/*' })).status).to.equal(204);
      expect(await isAlive(ada)).to.equal(false);
    });

    it('does not answer HEAD, which some fetch ahead of a click', async () => {
      expect((await ada.request('HEAD', '/auth/logout')).status).to.equal(405);
      expect(await isAlive(ada)).to.equal(true);
    });
  });

  describe('security 5: is final for requests in flight (M2)', () => {
    const load = (id: string) =>
      new Promise<SessionData>((resolve, reject) => {
        app.services.sessions.get(id, (error, session) =>
          session ? resolve(session) : reject(new Error('no session', { cause: error })),
        );
      });
    const settled = (work: (done: (error?: unknown) => void) => void) =>
      new Promise<void>((resolve, reject) =>
        work((cause) => (cause ? reject(new Error('failed', { cause })) : resolve())),
      );

    it('one that writes the session after the logout does not bring it back', async () => {
      const id = sessionId(ada.cookies.get('session'));
      const loaded = await load(id);
      const rows = await sessionRows(app);
      const { sessions } = app.services;
      await settled((done) => sessions.destroy(id, done));
      loaded.cookie.path = '/changed';
      await settled((done) => sessions.set(id, loaded, done));
      app.clock.advance(2 * MINUTE);
      await settled((done) => sessions.touch(id, loaded, done));
      expect(await sessionRows(app)).to.equal(rows - 1);
      expect(await isAlive(ada)).to.equal(false);
    });

    it('one that was held while the logout came and went finishes, and the session stays dead', async () => {
      const tab = ada.clone();
      const { users } = app.services;
      const findActive = users.findActive.bind(users);
      const reached = Promise.withResolvers<void>();
      const barrier = Promise.withResolvers<void>();
      users.findActive = async (id) => {
        reached.resolve();
        await barrier.promise;
        return findActive(id);
      };
      app.clock.advance(2 * MINUTE); // so that the end of the request writes "last seen"
      const held = tab.get('/auth/token');
      await reached.promise;
      users.findActive = findActive;
      expect((await ada.post('/auth/logout')).status).to.equal(204);
      barrier.resolve();
      await (await held).arrayBuffer();
      expect(await isAlive(tab)).to.equal(false);
    });

    it('a login that was held while the one before it was logged out is a session of its own', async () => {
      const tab = ada.clone();
      const again = tab.get('/auth/bypass?token=ada');
      await ada.post('/auth/logout');
      expect((await again).status).to.equal(200);
      expect(await isAlive(tab)).to.equal(true);
      expect(await isAlive(ada)).to.equal(false);
    });
  });
});
