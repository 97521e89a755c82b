import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { APP, CALLERS, RECORDED_CALLERS } from '../support/callers.ts';
import { cookiesOf, type RawAnswer, type RawHeaders, send } from '../support/raw.ts';
import { isForAnySite, ROUTES } from '../support/routes.ts';
import { claimsOf, sessionRows } from '../support/session.ts';

const BODIES: [string, RawHeaders, (fields: Record<string, string>) => string][] = [
  ['JSON', { 'Content-Type': 'application/json' }, (fields) => JSON.stringify(fields)],
  [
    'a form',
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    (fields) => new URLSearchParams(fields).toString(),
  ],
];

describe('security 9: callers from other sites (M11)', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp({ CORS_ORIGINS: `http://localhost:5173,${APP}` });
    await addUser(app, 'ada');
  });
  beforeEach(() => app.services.sessions.revokeAll()); // or else one more would end the oldest of a hundred
  after(() => app[Symbol.asyncDispose]());

  function expectRefusal({ status, body, headers }: RawAnswer, who: string): void {
    expect(status, who).to.equal(403);
    expect(body, who).to.include('"code":"cross_site_request"');
    expect(headers.get('cache-control'), who).to.equal('no-store');
    expect(headers.getSetCookie(), who).to.deep.equal([]);
  }

  for (const [type, typeHeaders, encode] of BODIES) {
    const post = (path: string, headers: RawHeaders, fields: Record<string, string>) =>
      send(app, 'POST', path, { ...typeHeaders, ...headers }, encode(fields));
    const done = type === 'JSON' ? 200 : 303;

    describe(`with ${type}`, () => {
      for (const [who, verdict, headers] of CALLERS) {
        it(`${who}: login is ${verdict}`, async () => {
          const rows = await sessionRows(app);
          const answer = await post('/auth/login', headers, {
            username: 'ada',
            password: PASSWORD,
          });
          if (verdict === 'refused') expectRefusal(answer, who);
          else expect(answer.status).to.equal(done);
          expect(await sessionRows(app)).to.equal(verdict === 'allowed' ? rows + 1 : rows);
        });

        it(`${who}: logout is ${verdict}`, async () => {
          const tab = await signIn(app, 'ada');
          const answer = await post('/auth/logout', { ...headers, ...cookiesOf(tab) }, {});
          if (verdict === 'refused') expectRefusal(answer, who);
          else expect(answer.status).to.equal(type === 'JSON' ? 204 : 303);
          expect((await tab.get('/auth/token')).status).to.equal(verdict === 'allowed' ? 401 : 200);
        });

        it(`${who}: registration and change of password are ${verdict}`, async () => {
          const tab = await signIn(app, 'ada');
          const registration = await post('/auth/register', headers, {
            username: '',
            password: '',
          });
          const change = await post(
            '/auth/password',
            { ...headers, ...cookiesOf(tab) },
            { current_password: '', new_password: '' },
          );
          for (const answer of [registration, change]) {
            if (verdict === 'refused') expectRefusal(answer, who);
            else expect(answer.status).to.equal(400); // passed on, and found to be empty
          }
        });
      }
    });
  }

  for (const [who, verdict, headers] of CALLERS) {
    it(`${who}: the exchange is ${verdict}`, async () => {
      const ada = await signIn(app, 'ada');
      const answer = await send(app, 'GET', '/auth/token', { ...headers, ...cookiesOf(ada) });
      if (verdict === 'refused') expectRefusal(answer, who);
      else expect(answer.status).to.equal(200);
    });
  }

  for (const [who, verdict, headers] of CALLERS) {
    it(`${who}: listing and ending one's own sessions is ${verdict}`, async () => {
      const [ada, phone] = [await signIn(app, 'ada'), await signIn(app, 'ada')];
      const { sid } = claimsOf(await phone.token());
      const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
      const requests: [string, string, number, string?][] = [
        ['GET', '/auth/sessions', 200],
        ['DELETE', `/auth/sessions/${String(sid)}`, 204],
        ['DELETE', '/auth/sessions?scope=others', 204],
        ['POST', '/auth/sessions/end', 303, 'scope=others'],
        ['DELETE', '/auth/sessions?scope=all', 204],
      ];
      for (const [method, path, done, body] of requests) {
        const sent = { ...headers, ...cookiesOf(ada), ...(body === undefined ? {} : form) };
        const answer = await send(app, method, path, sent, body);
        if (verdict === 'refused') expectRefusal(answer, who);
        else expect(answer.status).to.equal(done);
      }
      for (const client of [ada, phone]) {
        expect((await client.get('/auth/token')).status).to.equal(
          verdict === 'allowed' ? 401 : 200,
        );
      }
    });
  }

  it('are told apart by every combination of Origin, Sec-Fetch-Site, Sec-Fetch-Mode and content type', async () => {
    await using fresh = await startApp({ CORS_ORIGINS: APP }); // some of them end the bypass
    const ORIGINS = [undefined, 'http://localhost:3000', APP, 'https://evil.example', 'null'];
    const SITES = [undefined, 'same-origin', 'same-site', 'cross-site', 'none'];
    const MODES = [undefined, 'navigate', 'cors', 'no-cors'];
    const TYPES = ['application/json', 'application/x-www-form-urlencoded', 'text/plain'];
    const callers = ORIGINS.flatMap((origin) =>
      SITES.flatMap((site) => MODES.map((mode) => ({ origin, site, mode }))),
    );
    for (const { origin, site, mode } of callers) {
      const own = origin === undefined || origin === 'http://localhost:3000';
      // what browsers say of the site goes before the origin, which is null on pages of ours that send no referrer
      const ours = site === undefined ? own : site === 'same-origin' || site === 'none';
      const said = Object.entries({
        Origin: origin,
        'Sec-Fetch-Site': site,
        'Sec-Fetch-Mode': mode,
      }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
      for (const type of TYPES) {
        const headers = { 'Content-Type': type, ...Object.fromEntries(said) };
        const { status } = await send(fresh, 'POST', '/auth/login', headers, '{}');
        const taken = type === 'text/plain' ? 415 : 400;
        const allowed = ours || origin === APP;
        expect(status, JSON.stringify(headers)).to.equal(allowed ? taken : 403);
      }
    }
  });

  describe('on every route', () => {
    /** What comes of a request from another site, where it is not refused: it changes nothing, and nobody reads the answer. */
    const NOT_REFUSED: Readonly<Record<string, string>> = {
      'GET /auth/session': 'says who is signed in',
      'GET /auth/me': 'wants a token',
      'GET /auth/logout': 'asks first',
      'POST /oauth/introspect': 'wants a client id and its secret',
      'POST /oauth/revoke': 'wants a client id and its secret',
    };
    const STATUS: Readonly<Record<string, number>> = { 'GET /auth/bypass': 404 };

    it('lets what Chromium sends of pages of ours through to the exchange', async () => {
      const ada = await signIn(app, 'ada');
      for (const [who, verdict, headers] of RECORDED_CALLERS) {
        const answer = await send(app, 'GET', '/auth/token', { ...headers, ...cookiesOf(ada) });
        expect(answer.status, who).to.equal(verdict === 'allowed' ? 200 : 403);
      }
    });

    for (const { path, methods } of ROUTES) {
      for (const method of methods) {
        const route = `${method} ${path}`;
        const guarded = path.startsWith('/auth/') || route === 'POST /inspect';
        const safe = route in NOT_REFUSED || !guarded;
        it(`${route}: ${safe ? (NOT_REFUSED[route] ?? 'is the same for everybody') : 'is refused'}`, async () => {
          const ada = await signIn(app, 'ada');
          const before = await app.services.users.list();
          for (const [who, verdict, headers] of [...CALLERS, ...RECORDED_CALLERS]) {
            if (verdict === 'allowed') continue;
            const target = route === 'GET /auth/bypass' ? `${path}?token=mallory` : path;
            const sent = { ...headers, ...cookiesOf(ada), Accept: 'text/html' };
            const answer = await send(app, method, target.replace(':id', '1'), sent);
            if (!safe) expect(answer.status, who).to.equal(STATUS[route] ?? 403);
            expect(answer.headers.getSetCookie(), who).to.deep.equal([]);
            const readers = answer.headers.get('access-control-allow-origin');
            expect(readers, who).to.equal(isForAnySite(path) ? '*' : null);
          }
          expect((await ada.get('/auth/token')).status).to.equal(200);
          expect(await sessionRows(app)).to.equal(1);
          expect(await app.services.users.list()).to.deep.equal(before);
        });
      }
    }
  });

  it('get a page when they are a navigation', async () => {
    const headers = {
      Accept: 'text/html',
      'Sec-Fetch-Site': 'cross-site',
      'Sec-Fetch-Mode': 'navigate',
    };
    const answer = await send(app, 'GET', '/auth/token', headers);
    expect(answer.status).to.equal(403);
    expect(answer.headers.get('content-type')).to.equal('text/html; charset=utf-8');
  });

  it('may not send what a form can send without asking: text that looks like JSON', async () => {
    const body = JSON.stringify({ username: 'ada', password: PASSWORD });
    for (const type of ['text/plain', 'multipart/form-data; boundary=x']) {
      expect(
        (await send(app, 'POST', '/auth/login', { 'Content-Type': type }, body)).status,
      ).to.equal(415);
    }
  });
});
