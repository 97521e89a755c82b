import { expect } from 'chai';
import { startApp, signIn, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../support/clock.ts';
import { send } from '../support/raw.ts';
import { claimsOf, sessionId } from '../support/session.ts';

const ALL_CLAIMS = ['iss', 'sub', 'iat', 'exp', 'jti', 'sid', 'auth_time', 'amr', 'status'];

async function status(client: Client): Promise<number> {
  return (await client.get('/auth/token')).status;
}

async function userId(app: TestApp, username: string): Promise<string> {
  const user = await app.services.users.findByUsername(username);
  return user?.id ?? '';
}

describe('GET /auth/token', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  it('exchanges a session for a token of six hours', async () => {
    const ada = await signIn(app, 'ada');
    const response = await ada.get('/auth/token');
    expect(response.status).to.equal(200);
    const body = await bodyOf(response);
    expect(body).to.have.all.keys(
      'token',
      'token_type',
      'expires_in',
      'expires_at',
      'session_expires_at',
    );
    expect([body['token_type'], body['expires_in']]).to.deep.equal(['Bearer', 21_600]);
    const { iat, exp } = claimsOf(String(body['token']));
    expect(Number(exp) - Number(iat)).to.equal(21_600);
    expect(body['expires_at']).to.equal(exp);
    const me = await app
      .client()
      .get('/auth/me', { Authorization: `Bearer ${String(body['token'])}` });
    expect(me.status).to.equal(200);
  });

  it('refuses to exchange a session that was logged out in another tab', async () => {
    const tab = await signIn(app, 'ada');
    const other = tab.clone();
    expect((await other.post('/auth/logout')).status).to.equal(204);
    expect(await status(tab)).to.equal(401);
  });

  it('refuses whoever is not signed in', async () => {
    const response = await app.client().get('/auth/token');
    expect(response.status).to.equal(401);
    expect((await bodyOf(response))['code']).to.equal('session_required');
  });

  it('refuses a token in place of a session', async () => {
    const token = await (await signIn(app, 'ada')).token();
    const response = await app.client().get('/auth/token', { Authorization: `Bearer ${token}` });
    expect(response.status).to.equal(401);
  });

  it('gives every token an id of its own', async () => {
    const ada = await signIn(app, 'ada');
    const tokens = [await ada.token(), await ada.token()];
    const ids = tokens.map((token) => claimsOf(token)['jti']);
    expect(new Set(ids).size).to.equal(2);
  });

  it('answers at exactly its path: upper case and a slash at the end are other paths', async () => {
    const ada = await signIn(app, 'ada');
    for (const path of ['/AUTH/TOKEN', '/auth/Token', '/auth/token/', '//auth/token']) {
      expect((await ada.get(path)).status, path).to.equal(404);
    }
  });

  it('refuses HEAD with Allow: GET and touches neither session nor cookies', async () => {
    const ada = await signIn(app, 'ada');
    const response = await ada.request('HEAD', '/auth/token');
    expect([response.status, response.headers.get('allow')]).to.deep.equal([405, 'GET']);
    expect(response.headers.getSetCookie()).to.deep.equal([]);
  });

  it('security 15: is no-store without ETag on every status and method', async () => {
    await using picky = await startApp({ JWT_AUDIENCE: 'https://api.example.org' });
    const ada = await signIn(picky, 'ada');
    const anyone = picky.client();
    const answers = [
      { status: 200, response: await ada.get('/auth/token') },
      { status: 400, response: await ada.get('/auth/token?audience=other') },
      { status: 401, response: await anyone.get('/auth/token') },
      { status: 403, response: await ada.get('/auth/token', { 'Sec-Fetch-Site': 'cross-site' }) },
    ];
    for (const method of ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      answers.push({ status: 405, response: await ada.request(method, '/auth/token') });
    }
    for (const { status: expected, response } of answers) {
      expect(response.status, response.url).to.equal(expected);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.has('etag')).to.equal(false);
    }
  });

  it('security 15: is never answered with 304', async () => {
    const ada = await signIn(app, 'ada');
    const conditional = { 'If-None-Match': '*', 'If-Modified-Since': new Date().toUTCString() };
    expect((await ada.get('/auth/token', conditional)).status).to.equal(200);
  });

  it('security 4: survives cookies that are broken, huge or of another kind', async () => {
    const values = [
      '',
      's:',
      's:.',
      's:a.b',
      '%',
      '%00',
      'j:{"a":1}',
      's%3A%ff.x',
      'x'.repeat(8000),
    ];
    for (const value of values) {
      const answer = await send(app, 'GET', '/auth/token', { Cookie: `session=${value}` });
      expect(answer.status, value.slice(0, 20)).to.equal(401);
    }
  });
});

describe('the claims of a token', () => {
  it('security 7: are exactly the listed ones', async () => {
    await using app = await startApp({ JWT_AUDIENCE: 'https://api.example.org' });
    await app.services.users.add({
      username: 'Ada',
      name: 'Ada Lovelace',
      email: 'ada@example.org',
      roles: ['admin'],
    });
    const ada = await signIn(app, 'ada');
    const claims = claimsOf(await ada.token());
    expect(claims).to.have.all.keys(
      ...ALL_CLAIMS,
      'aud',
      'id',
      'username',
      'name',
      'email',
      'roles',
    );
    const id = await userId(app, 'ada');
    expect(claims).to.include({
      iss: 'http://localhost:3000',
      sub: id,
      aud: 'https://api.example.org',
      id,
      username: 'Ada',
      name: 'Ada Lovelace',
      email: 'ada@example.org',
    });
    expect(claims['roles']).to.deep.equal(['admin']);
    expect(claims['amr']).to.deep.equal(['bypass']);
    expect(claims['auth_time']).to.equal(Math.floor(app.clock.now() / 1000));
  });

  it('never contain the id of the session cookie', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const secret = sessionId(ada.cookies.get('session'));
    expect(secret).to.have.lengthOf.above(20);
    expect(JSON.stringify(claimsOf(await ada.token()))).not.to.include(secret);
  });

  it('are those of the user that JWT_CLAIMS names, and no other', async () => {
    await using app = await startApp({ JWT_CLAIMS: 'username,roles' });
    await app.services.users.add({ username: 'ada', name: 'Ada', email: 'ada@example.org' });
    const claims = claimsOf(await (await signIn(app, 'ada')).token());
    expect(claims).to.have.all.keys(...ALL_CLAIMS, 'username', 'roles');
  });

  it('leave out what the user does not have', async () => {
    await using app = await startApp();
    const claims = claimsOf(await (await signIn(app, 'ada')).token());
    expect(claims).to.have.all.keys(...ALL_CLAIMS, 'id', 'username', 'roles');
  });

  it('name the same session in every token of it, and another one after the next sign-in', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const first = claimsOf(await ada.token())['sid'];
    expect(claimsOf(await ada.token())['sid']).to.equal(first);
    expect(claimsOf(await (await signIn(app, 'ada')).token())['sid']).not.to.equal(first);
  });
});

describe('the end of a token', () => {
  it('follows JWT_EXPIRES_IN', async () => {
    await using app = await startApp({ JWT_EXPIRES_IN: '15m' });
    const { iat, exp } = claimsOf(await (await signIn(app, 'ada')).token());
    expect(Number(exp) - Number(iat)).to.equal(900);
  });

  it('is never past the absolute end of the session', async () => {
    await using app = await startApp({ SESSION_IDLE_TIMEOUT: '7d' });
    const ada = await signIn(app, 'ada');
    const end = Math.floor((app.clock.now() + 7 * DAY) / 1000);
    app.clock.advance(7 * DAY - HOUR);
    const body = await bodyOf(await ada.get('/auth/token'));
    expect(claimsOf(String(body['token']))['exp']).to.equal(end);
    expect(body['expires_at']).to.equal(end);
    expect(body['session_expires_at']).to.equal(end);
    expect(Number(body['expires_in'])).to.be.within(3599, 3600);
  });
});

describe('security 6: the user is read afresh at every exchange', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  it('shows a new role in the next token', async () => {
    const ada = await signIn(app, 'ada');
    expect(claimsOf(await ada.token())['roles']).to.deep.equal([]);
    await app.services.users.setRoles(await userId(app, 'ada'), ['editor']);
    expect(claimsOf(await ada.token())['roles']).to.deep.equal(['editor']);
  });

  it('refuses a user who was disabled since sign-in, and lets them on when enabled again', async () => {
    const bob = await signIn(app, 'bob');
    const id = await userId(app, 'bob');
    await app.services.users.setDisabled(id, true);
    const refused = await bob.get('/auth/token');
    expect(refused.status).to.equal(401);
    expect((await bodyOf(refused))['code']).to.equal('session_required');
    await app.services.users.setDisabled(id, false);
    expect(await status(bob)).to.equal(200);
  });

  it('refuses a user who was disabled between session look-up and signing', async () => {
    const eve = await signIn(app, 'eve');
    const { users } = app.services;
    const id = await userId(app, 'eve');
    const findActive = users.findActive.bind(users);
    users.findActive = async (asked) => {
      await users.setDisabled(id, true); // the session has been found by now
      return findActive(asked);
    };
    expect(await status(eve)).to.equal(401);
    users.findActive = findActive;
  });

  it('refuses a deleted user, and whoever takes the name later gets nothing of the old session', async () => {
    const carol = await signIn(app, 'carol');
    await app.services.users.remove(await userId(app, 'carol'));
    expect(await status(carol)).to.equal(401);
    await app.services.users.add({ username: 'carol', roles: ['admin'] });
    expect(await status(carol)).to.equal(401);
  });
});

describe('?audience=', () => {
  const [api, shop] = ['https://api.example.org', 'https://shop.example.org'];
  let app: TestApp;
  let ada: Client;
  before(async () => {
    app = await startApp({ JWT_AUDIENCE: `${api},${shop}` });
    ada = await signIn(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  it('picks one of JWT_AUDIENCE; left out, the token is for all of them', async () => {
    expect(claimsOf(await ada.token())['aud']).to.deep.equal([api, shop]);
    const picked = await ada.token(`/auth/token?audience=${encodeURIComponent(shop)}`);
    expect(claimsOf(picked)['aud']).to.equal(shop);
  });

  it('is refused as invalid_target when it is not on the list', async () => {
    for (const audience of [
      'https://evil.example',
      '',
      `${api}/`,
      'HTTPS://API.EXAMPLE.ORG',
      `${api},${shop}`,
    ]) {
      const response = await ada.get(`/auth/token?audience=${encodeURIComponent(audience)}`);
      expect(response.status, audience).to.equal(400);
      expect((await bodyOf(response))['code'], audience).to.equal('invalid_target');
    }
  });

  it('is refused when it is given twice', async () => {
    const response = await ada.get(`/auth/token?audience=${api}&audience=${api}`);
    expect(response.status).to.equal(400);
    expect((await bodyOf(response))['detail']).to.equal('audience is given more than once.');
  });

  it('is refused when no audience is configured', async () => {
    await using plain = await startApp();
    const response = await (await signIn(plain, 'ada')).get(`/auth/token?audience=${api}`);
    expect((await bodyOf(response))['code']).to.equal('invalid_target');
  });
});

describe('security 16: the limits of a session hold against a client that polls', () => {
  async function poll(
    app: TestApp,
    client: Client,
    duration: number,
    step: number,
  ): Promise<number> {
    let last = 200;
    for (let passed = 0; passed < duration && last === 200; passed += step) {
      app.clock.advance(step);
      last = await status(client);
    }
    return last;
  }

  it('says when the session ends if it is not used again, and keeps to it', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const endOf = async () =>
      Number((await bodyOf(await ada.get('/auth/token')))['session_expires_at']);
    const first = await endOf();
    app.clock.advance(59 * SECOND);
    expect(await endOf(), 'not written yet, so not extended').to.equal(first);
    app.clock.advance(MINUTE);
    const last = await endOf();
    expect(last).to.be.greaterThan(first);
    app.clock.advance((last + 1) * 1000 - app.clock.now());
    expect((await ada.get('/auth/token')).status).to.equal(401);
  });

  it('keeps a session that is in use for six days, and ends it at seven', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    expect(await poll(app, ada, 6 * DAY, 3 * HOUR)).to.equal(200);
    expect(await poll(app, ada, DAY - 3 * HOUR, 3 * HOUR)).to.equal(200);
    app.clock.advance(3 * HOUR - SECOND);
    expect(await status(ada)).to.equal(200);
    app.clock.advance(SECOND);
    expect(await status(ada)).to.equal(401);
  });

  it('ends a session that was not used for a day, to the second', async () => {
    await using app = await startApp();
    const [ada, bob] = [await signIn(app, 'ada'), await signIn(app, 'bob')];
    app.clock.advance(DAY - SECOND);
    expect(await status(ada)).to.equal(200);
    app.clock.advance(SECOND);
    expect(await status(bob)).to.equal(401);
    expect(await status(ada)).to.equal(200);
  });

  it('does not let a client that polls every second idle out', async () => {
    await using app = await startApp({
      SESSION_IDLE_TIMEOUT: '2m',
      SESSION_LIFETIME: '10m',
      JWT_EXPIRES_IN: '1m',
    });
    const ada = await signIn(app, 'ada');
    expect(await poll(app, ada, 10 * MINUTE - SECOND, SECOND)).to.equal(200);
    app.clock.advance(SECOND);
    expect(await status(ada)).to.equal(401);
  });

  it('never brings back a session that has ended, however often it is asked for', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    app.clock.advance(DAY);
    expect([await status(ada), await status(ada)]).to.deep.equal([401, 401]);
  });
});

describe('GET /auth/session', () => {
  it('says who is signed in, how, and until when', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const now = Math.floor(app.clock.now() / 1000);
    const { user, session } = await bodyOf(await ada.get('/auth/session'));
    expect(user).to.have.all.keys('id', 'username', 'name', 'email', 'roles');
    expect(session).to.deep.include({
      amr: ['bypass'],
      created_at: now,
      expires_at: now + 86_400,
      ends_at: now + 604_800,
    });
    expect(session).to.include({ id: claimsOf(await ada.token())['sid'] });
  });

  it('is 401 for whoever is not', async () => {
    await using app = await startApp();
    expect((await app.client().get('/auth/session')).status).to.equal(401);
  });
});
