import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { sql } from 'kysely';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { sessionId, sessionRows, setCookie, signedCookie } from '../support/session.ts';

describe('the session cookie', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'ada');
    await addUser(app, 'eve');
  });
  after(() => app[Symbol.asyncDispose]());

  it('security 17: over http on localhost it is HttpOnly, SameSite=Lax, Path=/, for the whole session', async () => {
    const response = await app.client().login('ada', PASSWORD);
    const line = setCookie(response, 'session') ?? '';
    expect(line).to.match(/^session=[^;]+; path=\/; expires=[^;]+; httponly; samesite=lax$/);
    const expires = Date.parse(/expires=([^;]+)/.exec(line)?.[1] ?? '');
    expect(expires / 1000 - Date.now() / 1000).to.be.closeTo(604_800, 60);
  });

  it('is set at login and at no other request', async () => {
    const ada = await signIn(app, 'ada');
    for (const path of ['/auth/token', '/auth/session', '/', '/account', '/healthz']) {
      expect((await ada.get(path)).headers.getSetCookie(), path).to.deep.equal([]);
    }
    for (const path of ['/', '/login', '/auth/token', '/auth/session', '/nowhere']) {
      expect((await app.client().get(path)).headers.getSetCookie(), path).to.deep.equal([]);
    }
  });

  it('security 3: gets a new id at login, and the one before it is dead', async () => {
    const ada = app.client();
    await ada.login('ada', PASSWORD);
    const before = ada.clone();
    await ada.login('ada', PASSWORD);
    expect(ada.cookies.get('session')).not.to.equal(before.cookies.get('session'));
    expect((await ada.get('/auth/token')).status).to.equal(200);
    expect((await before.get('/auth/token')).status).to.equal(401);
  });

  it('security 3: also when somebody else signs in, by password, bypass or registration', async () => {
    const changes = {
      password: {
        method: 'POST',
        path: '/auth/login',
        body: { username: 'ada', password: PASSWORD },
      },
      bypass: { method: 'GET', path: '/auth/bypass?token=ada', body: undefined },
      registration: {
        method: 'POST',
        path: '/auth/register',
        body: { username: 'new', password: PASSWORD },
      },
    };
    for (const [how, { method, path, body }] of Object.entries(changes)) {
      const browser = await signIn(app, 'eve');
      const before = browser.clone();
      const response = method === 'GET' ? await browser.get(path) : await browser.post(path, body);
      expect(response.ok, how).to.equal(true);
      expect(browser.cookies.get('session'), how).not.to.equal(before.cookies.get('session'));
      expect((await before.get('/auth/token')).status, how).to.equal(401);
      const { user } = await bodyOf(await browser.get('/auth/session'));
      expect(user, how).not.to.include({ username: 'eve' });
    }
  });

  it('security 3: a planted id is never adopted', async () => {
    const secret = app.services.settings.sessionSecrets[0] ?? '';
    const attacker = await signIn(app, 'eve');
    const planted = {
      'signed with our secret but unknown': signedCookie('planted-by-an-attacker', secret),
      unsigned: 'planted-by-an-attacker',
      'signed by somebody else': signedCookie('planted-by-an-attacker', 'x'.repeat(64)),
      'of another user': attacker.cookies.get('session') ?? '',
      'with its signature cut off': `s:${sessionId(attacker.cookies.get('session'))}.`,
    };
    for (const [how, cookie] of Object.entries(planted)) {
      const victim = app.client();
      victim.cookies.set('session', cookie);
      const knowsTheId = victim.clone();
      expect((await victim.login('ada', PASSWORD)).status, how).to.equal(200);
      expect(sessionId(victim.cookies.get('session')), how).not.to.be.oneOf([
        sessionId(cookie),
        'planted-by-an-attacker',
      ]);
      expect((await knowsTheId.get('/auth/token')).status, how).to.equal(401);
      expect((await victim.get('/auth/token')).status, how).to.equal(200);
    }
  });

  it('of a failed login leaves the session that there was alone', async () => {
    const eve = await signIn(app, 'eve');
    expect((await eve.login('ada', 'wrong')).status).to.equal(401);
    const { user } = await bodyOf(await eve.get('/auth/session'));
    expect(user).to.include({ username: 'eve' });
  });

  it('security 25: its id is in the database as a hash only', async () => {
    const ada = await signIn(app, 'ada');
    const id = sessionId(ada.cookies.get('session'));
    const rows = await app.services.database.kysely.selectFrom('sessions').selectAll().execute();
    expect(rows).not.to.have.lengthOf(0);
    expect(JSON.stringify(rows)).not.to.include(id);
  });

  it('counts once when it is sent twice: the first one is read', async () => {
    const ada = await signIn(app, 'ada');
    const value = ada.cookies.get('session') ?? '';
    const twice = await app
      .client()
      .get('/auth/token', { Cookie: `session=rubbish; session=${value}` });
    expect(twice.status).to.equal(401);
  });
});

describe('SESSION_SECRET as a list', () => {
  const secret = () => randomBytes(64).toString('hex');
  const [first, second, foreign] = [secret(), secret(), secret()];

  it('security 14: a cookie signed with the old secret is good after the rotation, a foreign one never', async () => {
    using directory = temporaryDirectory();
    const DATABASE_URL = `sqlite:${directory.path}/shared.db`;
    await using before = await startApp({ DATABASE_URL, SESSION_SECRET: first });
    await using rotated = await startApp({ DATABASE_URL, SESSION_SECRET: `${second},${first}` });
    await using done = await startApp({ DATABASE_URL, SESSION_SECRET: second });

    const cookie = (await signIn(before, 'ada')).cookies.get('session') ?? '';
    const status = async (app: TestApp, value: string) => {
      const client = app.client();
      client.cookies.set('session', value);
      return (await client.get('/auth/token')).status;
    };
    expect(await status(rotated, cookie)).to.equal(200);
    expect(await status(done, cookie)).to.equal(401);
    expect(await status(rotated, signedCookie(sessionId(cookie), foreign))).to.equal(401);

    const fresh = (await signIn(rotated, 'ada')).cookies.get('session') ?? '';
    expect(await status(done, fresh), 'new cookies have the new secret').to.equal(200);
  });
});

describe('security 24: there is no session row without a login', () => {
  it('after a storm of anonymous and failed requests', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const anyone = app.client();
    const paths = [
      '/',
      '/login',
      '/register',
      '/account',
      '/auth/token',
      '/auth/session',
      '/auth/me',
    ];
    for (const path of [...paths, '/auth/bypass', '/auth/logout', '/nowhere']) {
      await anyone.get(path, { Accept: 'text/html' });
      await anyone.request('HEAD', path);
    }
    await anyone.login('ada', 'wrong');
    await anyone.login('unknown', PASSWORD);
    await anyone.post('/auth/login', { username: 'ada' });
    await anyone.submit('/auth/login', { username: 'ada', password: 'wrong' });
    await anyone.post('/auth/register', { username: 'bob', password: 'short' });
    await anyone.post('/auth/register', { username: 'ada', password: PASSWORD });
    await anyone.post('/auth/password', { current_password: 'a', new_password: 'b' });
    await anyone.get('/auth/bypass?token=not%20a%20name');
    const secret = app.services.settings.sessionSecrets[0] ?? '';
    for (const cookie of ['rubbish', signedCookie('unknown', secret), 'x'.repeat(4000)]) {
      anyone.cookies.set('session', cookie);
      await anyone.get('/auth/token');
      await anyone.post('/auth/logout');
    }
    expect(await sessionRows(app)).to.equal(0);
  });

  it('after logouts (M3)', async () => {
    await using app = await startApp();
    const tabs = await Promise.all(['ada', 'bob', 'carol'].map((name) => signIn(app, name)));
    expect(await sessionRows(app)).to.equal(3);
    for (const tab of tabs) {
      const response = await tab.post('/auth/logout');
      expect(setCookie(response, 'session')).to.match(/^session=; /);
      expect(tab.cookies.size).to.equal(0);
    }
    expect(await sessionRows(app)).to.equal(0);
  });

  it('after signing in over and over: one row for each browser', async () => {
    await using app = await startApp();
    const browser = await signIn(app, 'ada');
    for (const name of ['bob', 'ada', 'carol']) await browser.get(`/auth/bypass?token=${name}`);
    expect(await sessionRows(app)).to.equal(1);
  });
});

describe('a session that an older process has stored, without an entry in a status list', () => {
  it('is none: its tokens could not be revoked', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const { kysely } = app.services.database;
    await sql`update sessions set status_list = null, status_index = null`.execute(kysely);
    expect((await ada.get('/auth/token')).status).to.equal(401);
    expect((await ada.post('/auth/logout')).status).to.equal(204);
  });
});
