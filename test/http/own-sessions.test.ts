import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { StorageError } from '../../core/errors.ts';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { DAY, HOUR, MINUTE } from '../support/clock.ts';
import { cookiesOf, send } from '../support/raw.ts';
import { claimsOf, sessionRows, setCookie } from '../support/session.ts';

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36';
const CLEARED = 'session=; path=/; expires=thu, 01 jan 1970 00:00:00 gmt; httponly; samesite=lax';

/** The sessions that `GET /auth/sessions` answers. */
async function listOf(client: Client): Promise<Record<string, unknown>[]> {
  const { sessions } = await bodyOf(await client.get('/auth/sessions'));
  if (!Array.isArray(sessions)) throw new Error('there is no list');
  return sessions.map((session: object) => ({ ...session }));
}

async function idOf(client: Client): Promise<string> {
  return String(claimsOf(await client.token())['sid']);
}

async function isAlive(client: Client): Promise<boolean> {
  return (await client.get('/auth/token')).status === 200;
}

const codeOf = async (response: Response) => (await bodyOf(response))['code'];

describe("one's own sessions", () => {
  let app: TestApp;
  let ada: Client;
  let phone: Client;
  let bob: Client;
  beforeEach(async () => {
    app = await startApp({ TOKEN_COOKIE: 'ticket' });
    ada = await signIn(app, 'ada');
    app.clock.advance(MINUTE);
    phone = await signIn(app, 'ada');
    bob = await signIn(app, 'bob');
  });
  afterEach(() => app[Symbol.asyncDispose]());

  const works = async (token: string) =>
    (await app.client().get('/auth/me', { Authorization: `Bearer ${token}` })).status === 200;

  describe('GET /auth/sessions', () => {
    it('lists them, newest first, with what there is to know of each', async () => {
      await addUser(app, 'grace');
      const first = app.client();
      await first.post(
        '/auth/login',
        { username: 'grace', password: PASSWORD },
        { 'User-Agent': CHROME },
      );
      const began = Math.floor(app.clock.now() / 1000);
      app.clock.advance(HOUR);
      const second = app.client();
      await second.get('/auth/bypass?token=grace', { 'User-Agent': 'curl/8.5.0' });
      const now = Math.floor(app.clock.now() / 1000);
      const response = await second.get('/auth/sessions');
      expect(response.status).to.equal(200);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(await bodyOf(response)).to.deep.equal({
        sessions: [
          {
            id: await idOf(second),
            current: true,
            amr: ['bypass'],
            device: 'Unknown device',
            user_agent: 'curl/8.5.0',
            address: '127.0.0.1',
            created_at: now,
            last_seen_at: now,
            expires_at: now + DAY / 1000,
            ends_at: now + (7 * DAY) / 1000,
          },
          {
            id: await idOf(first),
            current: false,
            amr: ['pwd'],
            device: 'Chrome on Windows',
            user_agent: CHROME,
            address: '127.0.0.1',
            created_at: began,
            last_seen_at: began,
            expires_at: began + DAY / 1000,
            ends_at: began + (7 * DAY) / 1000,
          },
        ],
      });
    });

    it('says the same of this one as GET /auth/session, and marks the caller’s own', async () => {
      app.clock.advance(30_000);
      for (const client of [ada, phone]) {
        const { session } = await bodyOf(await client.get('/auth/session'));
        const current = (await listOf(client)).filter((one) => one['current'] === true);
        expect(current).to.have.length(1);
        expect(current[0]).to.deep.include(session);
      }
    });

    it('notes the request itself as the last time that this one was seen', async () => {
      app.clock.advance(HOUR);
      const [newest, oldest] = await listOf(ada);
      expect(oldest?.['last_seen_at']).to.equal(Math.floor(app.clock.now() / 1000));
      expect(newest?.['last_seen_at']).to.equal(newest?.['created_at']);
    });

    it('has nothing of anybody else, nothing that has ended, and no secret', async () => {
      expect(await listOf(bob)).to.have.length(1);
      expect(await listOf(ada)).to.have.length(2);
      await phone.post('/auth/logout');
      expect(await listOf(ada)).to.have.length(1);
      const third = await signIn(app, 'ada');
      app.clock.advance(DAY / 2);
      await listOf(third);
      app.clock.advance(DAY / 2);
      const text = await (await third.get('/auth/sessions')).text();
      expect(JSON.parse(text)).to.have.property('sessions').with.length(1);
      for (const value of third.cookies.values()) {
        expect(text).to.not.include(value.slice(4, 30));
      }
    });

    it('is for whoever is signed in, with the session and not with a token', async () => {
      const token = await ada.token();
      for (const headers of [{}, { Authorization: `Bearer ${token}` }]) {
        for (const [method, path] of [
          ['GET', '/auth/sessions'],
          ['DELETE', '/auth/sessions?scope=all'],
          ['DELETE', `/auth/sessions/${await idOf(ada)}`],
          ['POST', '/auth/sessions/end'],
        ] as const) {
          const response = await app.client().request(method, path, headers);
          expect([response.status, await codeOf(response)], path).to.deep.equal([
            401,
            'session_required',
          ]);
          expect(response.headers.get('cache-control')).to.equal('no-store');
        }
      }
      expect(await isAlive(ada)).to.equal(true);
    });

    it('is not for a user who was disabled or deleted', async () => {
      const { users } = app.services;
      const [adas, bobs] = [await users.findByUsername('ada'), await users.findByUsername('bob')];
      await users.setDisabled(adas?.id ?? '', true);
      await users.remove(bobs?.id ?? '');
      for (const client of [ada, bob]) {
        expect((await client.get('/auth/sessions')).status).to.equal(401);
        expect((await client.request('DELETE', '/auth/sessions?scope=all')).status).to.equal(401);
      }
    });
  });

  describe('DELETE /auth/sessions/:id', () => {
    const end = (client: Client, id: string) => client.request('DELETE', `/auth/sessions/${id}`);

    it('ends another session of the user with its tokens, and leaves this one alone', async () => {
      const [mine, stolen] = [await ada.token(), await phone.token()];
      expect([await works(mine), await works(stolen)]).to.deep.equal([true, true]);
      const response = await end(ada, await idOf(phone));
      expect([response.status, await response.text()]).to.deep.equal([204, '']);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.getSetCookie()).to.deep.equal([]);
      expect([await isAlive(ada), await isAlive(phone)]).to.deep.equal([true, false]);
      expect([await works(mine), await works(stolen)]).to.deep.equal([true, false]);
    });

    it('of this session clears its cookies as well', async () => {
      const tab = ada.clone();
      const token = await ada.token();
      const response = await end(ada, await idOf(ada));
      expect(response.status).to.equal(204);
      expect(setCookie(response, 'session')).to.equal(CLEARED);
      expect(setCookie(response, 'ticket')).to.equal(CLEARED.replace('session', 'ticket'));
      expect([await isAlive(tab), await isAlive(phone)]).to.deep.equal([false, true]);
      expect(await works(token)).to.equal(false);
      expect(ada.cookies.size).to.equal(0);
    });

    it('of somebody else is answered exactly as an id that nobody has, and ends nothing', async () => {
      const answers = [];
      for (const id of [await idOf(bob), randomUUID()]) {
        const response = await end(ada, id);
        const { request_id: _, ...body } = await bodyOf(response);
        const headers = [...response.headers].filter(([name]) => name !== 'date');
        answers.push({ status: response.status, body, headers });
      }
      expect(answers[0]).to.deep.equal(answers[1]);
      expect(answers[0]).to.deep.include({ status: 404 });
      expect(answers[0]?.body).to.include({ code: 'not_found' });
      expect(await isAlive(bob)).to.equal(true);
    });

    it('asks the store the same of both, so that both take as long', async () => {
      const { sessions } = app.services;
      const original = sessions.revokeOfUser.bind(sessions);
      const asked: string[] = [];
      sessions.revokeOfUser = (userId, publicId) => {
        asked.push(publicId);
        return original(userId, publicId);
      };
      const ids = [await idOf(bob), randomUUID()];
      for (const id of ids) await end(ada, id);
      expect(asked).to.deep.equal(ids);
    });

    it('is 404 for what can be no id, without asking the store, which may take it for no text', async () => {
      app.services.sessions.revokeOfUser = () => Promise.reject(new Error('asked'));
      const rows = await sessionRows(app);
      const id = await idOf(phone);
      const malformed = [
        '1',
        '-',
        '%00',
        '%20',
        '%27%20or%201=1',
        'null',
        'undefined',
        '*',
        '%25',
        '..%2f',
        id.toUpperCase(),
        `${id}%20`,
        `${id}x`,
        id.slice(1),
        `{${id}}`,
        id.replaceAll('-', ''),
        `${id},${id}`,
        `${id}%0a`,
        'x'.repeat(5000),
        '%F0%9F%A6%84',
        '%ED%A0%80',
      ];
      for (const wrong of malformed) {
        const response = await end(ada, wrong);
        expect([response.status, await codeOf(response)], wrong).to.deep.equal([404, 'not_found']);
      }
      expect(await sessionRows(app)).to.equal(rows);
    });

    it('works once', async () => {
      const id = await idOf(phone);
      const answers = await Promise.all([1, 2, 3, 4].map(() => end(ada.clone(), id)));
      expect(answers.map(({ status }) => status)).to.have.members([204, 404, 404, 404]);
    });

    it('of each other by two sessions at once ends both or leaves one, never none', async () => {
      const [a, b] = [await idOf(ada), await idOf(phone)];
      const answers = await Promise.all([end(ada.clone(), b), end(phone.clone(), a)]);
      const statuses = answers.map(({ status }) => status);
      expect(statuses).to.include(204);
      for (const status of statuses) expect(status).to.be.oneOf([204, 401]);
      expect(await isAlive(phone)).to.equal(statuses[0] !== 204);
      expect(await isAlive(ada)).to.equal(statuses[1] !== 204);
    });

    it('is final for a request of that session that is in flight', async () => {
      const { users } = app.services;
      const findActive = users.findActive.bind(users);
      const reached = Promise.withResolvers<void>();
      const barrier = Promise.withResolvers<void>();
      const id = await idOf(phone);
      app.clock.advance(2 * MINUTE);
      users.findActive = async (userId) => {
        reached.resolve();
        await barrier.promise;
        return findActive(userId);
      };
      const held = phone.clone().get('/auth/sessions');
      await reached.promise;
      users.findActive = findActive;
      expect((await end(ada, id)).status).to.equal(204);
      barrier.resolve();
      await (await held).arrayBuffer();
      expect(await isAlive(phone)).to.equal(false);
      expect(await listOf(ada)).to.have.length(1);
    });
  });

  describe('DELETE /auth/sessions', () => {
    const end = (query: string) => ada.request('DELETE', `/auth/sessions${query}`);

    it('?scope=others ends all but this one, with their tokens', async () => {
      const [mine, theirs, bobs] = [await ada.token(), await phone.token(), await bob.token()];
      const response = await end('?scope=others');
      expect([response.status, await response.text()]).to.deep.equal([204, '']);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect(response.headers.getSetCookie()).to.deep.equal([]);
      expect(await Promise.all([ada, phone, bob].map(isAlive))).to.deep.equal([true, false, true]);
      expect(await Promise.all([mine, theirs, bobs].map(works))).to.deep.equal([true, false, true]);
      expect((await end('?scope=others')).status).to.equal(204); // none is left: no error
    });

    it('?scope=all ends this one as well, and clears its cookies', async () => {
      const tab = ada.clone();
      const tokens = [await ada.token(), await phone.token(), await bob.token()];
      const response = await end('?scope=all');
      expect(response.status).to.equal(204);
      expect(setCookie(response, 'session')).to.equal(CLEARED);
      expect(setCookie(response, 'ticket')).to.equal(CLEARED.replace('session', 'ticket'));
      expect(await Promise.all([tab, phone, bob].map(isAlive))).to.deep.equal([false, false, true]);
      expect(await Promise.all(tokens.map(works))).to.deep.equal([false, false, true]);
    });

    const wrong = [
      '',
      '?',
      '?scope',
      '?scope=',
      '?scope=other',
      '?scope=ALL',
      '?scope=all%20',
      '?scope=*',
      '?scope=all&scope=all',
      '?scope=others&scope=all',
      '?scope[]=all',
      '?scope[a]=all',
      '?Scope=all',
      '?scope=%00all',
      '?scope=all%00',
      '?scope=all&id=1',
      '?scope=all,others',
      '?scope=__proto__',
      '?__proto__[scope]=all',
      '?scope=%F0',
      '?scope=toString',
    ];
    for (const query of wrong) {
      it(`${query || 'without a scope'} is refused and ends nothing`, async () => {
        const response = await end(query);
        expect([response.status, await codeOf(response)]).to.deep.equal([400, 'invalid_request']);
        expect(response.headers.getSetCookie()).to.deep.equal([]);
        expect(await Promise.all([ada, phone].map(isAlive))).to.deep.equal([true, true]);
      });
    }

    it('takes the scope from the address alone, not from a body', async () => {
      const json = { 'Content-Type': 'application/json' };
      const body = JSON.stringify({ scope: 'all' });
      expect((await ada.request('DELETE', '/auth/sessions', json, body)).status).to.equal(400);
      expect(await isAlive(phone)).to.equal(true);
    });
  });

  describe('POST /auth/sessions/end, the form of the account page', () => {
    const submit = (fields: Record<string, string>) => ada.submit('/auth/sessions/end', fields);
    const destination = (response: Response) => [response.status, response.headers.get('location')];

    async function notice(response: Response): Promise<string> {
      const page = await ada.get(response.headers.get('location') ?? '', { Accept: 'text/html' });
      return /role="status">([^<]*)</.exec(await page.text())?.[1] ?? '';
    }

    it('ends one by its id, and goes back to the page, which says so', async () => {
      const token = await phone.token();
      const response = await submit({ id: await idOf(phone) });
      expect(destination(response)).to.deep.equal([303, '/account?changed=session']);
      expect(await notice(response)).to.equal('That session has ended.');
      expect([await isAlive(ada), await isAlive(phone)]).to.deep.equal([true, false]);
      expect(await works(token)).to.equal(false);
    });

    it('ends all others', async () => {
      const response = await submit({ scope: 'others' });
      expect(destination(response)).to.deep.equal([303, '/account?changed=sessions']);
      expect(await notice(response)).to.equal('You have been signed out everywhere else.');
      expect([await isAlive(ada), await isAlive(phone)]).to.deep.equal([true, false]);
    });

    it('ends this one, clears its cookies and goes on to sign in', async () => {
      const response = await submit({ id: await idOf(ada) });
      expect(destination(response)).to.deep.equal([303, '/login']);
      expect(setCookie(response, 'session')).to.equal(CLEARED);
      expect(await isAlive(phone)).to.equal(true);
      expect(destination(await phone.submit('/auth/sessions/end', { scope: 'all' }))).to.deep.equal(
        [303, '/login'],
      );
      expect(await sessionRows(app)).to.equal(1);
    });

    it('says of an id that is gone, unknown, malformed or of somebody else that it had ended', async () => {
      for (const id of [randomUUID(), await idOf(bob), '1', '<b>']) {
        const response = await submit({ id });
        expect(destination(response), id).to.deep.equal([303, '/account?changed=nothing']);
        expect(await notice(response)).to.equal('That session had ended already.');
      }
      expect(await isAlive(bob)).to.equal(true);
    });

    it('answers JSON as DELETE does', async () => {
      const post = (body: object) => ada.post('/auth/sessions/end', body);
      expect((await post({ id: await idOf(bob) })).status).to.equal(404);
      expect((await post({ id: await idOf(phone) })).status).to.equal(204);
      expect((await post({ scope: 'others' })).status).to.equal(204);
      expect(await isAlive(bob)).to.equal(true);
    });

    it('shows the page again for a form that says nothing, or two things', async () => {
      const id = await idOf(phone);
      const forms = [
        {},
        { id: '' },
        { id, scope: 'others' },
        { scope: 'everybody' },
        { scope: '' },
      ];
      for (const fields of [...forms, { id, more: '1' }, { id: 'x'.repeat(65) }]) {
        const response = await submit(fields);
        expect(response.status).to.equal(400);
        expect(await response.text())
          .to.include('role="alert"')
          .and.include('Where you are signed in');
      }
      for (const body of [
        { id: [id] },
        { id: 1 },
        { scope: ['all'] },
        { scope: null },
        [],
        'all',
      ]) {
        expect((await ada.post('/auth/sessions/end', body)).status).to.equal(400);
      }
      expect(await isAlive(phone)).to.equal(true);
    });

    it('is refused like everything else when nobody is signed in, whatever the body is', async () => {
      const json = { 'Content-Type': 'application/json' };
      const response = await app.client().request('POST', '/auth/sessions/end', json, '{');
      expect(response.status).to.equal(401);
    });
  });

  it('answer no other method, and say which they answer', async () => {
    const routes = {
      '/auth/sessions': ['GET', 'DELETE'],
      '/auth/sessions/end': ['POST'],
      [`/auth/sessions/${await idOf(phone)}`]: ['DELETE'],
      '/auth/sessions/1': ['DELETE'],
    };
    for (const [path, methods] of Object.entries(routes)) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (methods.includes(method)) continue;
        const response = await ada.request(method, path);
        expect(response.status, `${method} ${path}`).to.equal(405);
        expect(response.headers.get('allow')).to.equal(methods.join(', '));
        expect(response.headers.get('cache-control')).to.equal('no-store');
      }
    }
    for (const path of [
      '/auth/sessions/',
      '/auth/Sessions',
      '/auth/sessions/1/',
      '/auth/sessions//1',
    ]) {
      expect((await ada.request('DELETE', path)).status, path).to.equal(404);
    }
    expect(await isAlive(phone)).to.equal(true);
  });

  it('security 10: are 503 when the store is away, and nobody’s cookies are cleared', async () => {
    const { sessions } = app.services;
    const id = await idOf(phone);
    const away = () => Promise.reject(new StorageError('away'));
    Object.assign(sessions, { list: away, revokeOfUser: away, revokeByUser: away });
    for (const [method, path] of [
      ['GET', '/auth/sessions'],
      ['DELETE', '/auth/sessions?scope=all'],
      ['DELETE', `/auth/sessions/${id}`],
      ['GET', '/account'],
    ] as const) {
      const response = await ada.request(method, path);
      expect(response.status, path).to.equal(503);
      expect(response.headers.has('retry-after')).to.equal(true);
      expect(response.headers.getSetCookie()).to.deep.equal([]);
    }
    expect((await ada.submit('/auth/sessions/end', { scope: 'all' })).status).to.equal(503);
  });
});

describe('the list on /account', () => {
  const HOSTILE: Record<string, string> = {
    markup: `<script>alert(1)</script>"'><img src=x onerror=alert(1)>/1.0 x`,
    'a name to be taken for ours': 'this session/1.0 x',
    'bidirectional text, as Latin-1': Buffer.from('\u202e\u2066evil/1.0 x').toString('latin1'),
    'controls that HTTP lets through': '\u0085\u009b31m\tevil/1.0 x',
    '600 characters': 'W'.repeat(600),
  };

  it('has no text of a User-Agent in it', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const login = new URLSearchParams({ username: 'ada', password: PASSWORD }).toString();
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    for (const [what, userAgent] of Object.entries(HOSTILE)) {
      const headers = { ...form, 'User-Agent': userAgent };
      expect((await send(app, 'POST', '/auth/login', headers, login)).status, what).to.equal(303);
    }
    expect((await send(app, 'POST', '/auth/login', form, login)).status).to.equal(303);
    const ada = app.client();
    await ada.login('ada', PASSWORD);
    const html = await (await ada.get('/account')).text();
    expect(html.match(/class="strong">Unknown device</g)).to.have.length(7);
    expect(html.match(/>this session</g)).to.have.length(1);
    expect(html).to.not.match(/<script|<img src=x|evil|WWW|31m/);
    expect(html.replaceAll('\n', '')).to.not.match(/[\p{Cc}\p{Bidi_Control}]/u);
    const agents = (await listOf(ada)).map((session) => session['user_agent']);
    expect(agents).to.include(null).and.include('W'.repeat(512)).and.not.include('W'.repeat(600));
  });

  it('escapes an address, too', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const address = '<script>alert(1)</script>';
    await app.services.database.kysely.updateTable('sessions').set({ address }).execute();
    const html = await (await ada.get('/account')).text();
    expect(html).to.include('&lt;script').and.not.include('<script');
  });

  it('offers to sign out everywhere else only where there is an elsewhere', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    const offered = async () =>
      (await (await ada.get('/account')).text()).includes('Sign out everywhere else');
    expect(await offered()).to.equal(false);
    await signIn(app, 'ada');
    expect(await offered()).to.equal(true);
    await ada.submit('/auth/sessions/end', { scope: 'others' });
    expect(await offered()).to.equal(false);
  });

  it('says nothing that an address made up', async () => {
    await using app = await startApp();
    const ada = await signIn(app, 'ada');
    for (const query of ['constructor', '<b>', 'session&changed=session', '']) {
      const html = await (await ada.get(`/account?changed=${query}`)).text();
      expect(html, query).to.not.include('role="status"');
    }
  });
});

describe('CORS_ORIGINS and one’s own sessions', () => {
  const APP = 'https://app.example.org';
  let app: TestApp;
  before(async () => (app = await startApp({ CORS_ORIGINS: APP })));
  after(() => app[Symbol.asyncDispose]());

  it('lets a listed app ask for the list and end them, after a preflight', async () => {
    const [ada, phone] = [await signIn(app, 'ada'), await signIn(app, 'ada')];
    const id = await idOf(phone);
    for (const path of ['/auth/sessions?scope=others', `/auth/sessions/${id}`]) {
      const preflight = await send(app, 'OPTIONS', path, {
        Origin: APP,
        'Access-Control-Request-Method': 'DELETE',
      });
      expect(preflight.status).to.equal(204);
      expect(preflight.headers.get('access-control-allow-origin')).to.equal(APP);
      expect(preflight.headers.get('access-control-allow-credentials')).to.equal('true');
      expect(preflight.headers.get('access-control-allow-methods')?.split(',')).to.include(
        'DELETE',
      );
    }
    const headers = { ...cookiesOf(ada), Origin: APP, 'Sec-Fetch-Site': 'cross-site' };
    const list = await send(app, 'GET', '/auth/sessions', headers);
    expect([list.status, list.headers.get('access-control-allow-origin')]).to.deep.equal([
      200,
      APP,
    ]);
    const ended = await send(app, 'DELETE', `/auth/sessions/${id}`, headers);
    expect([ended.status, ended.headers.get('access-control-allow-origin')]).to.deep.equal([
      204,
      APP,
    ]);
    expect(await isAlive(phone)).to.equal(false);
  });

  it('lets no other origin do so', async () => {
    for (const origin of ['https://evil.example', 'null', `${APP}.evil.example`]) {
      const answer = await send(app, 'OPTIONS', '/auth/sessions', {
        Origin: origin,
        'Access-Control-Request-Method': 'DELETE',
      });
      expect(answer.headers.get('access-control-allow-origin'), origin).to.equal(null);
    }
  });
});
