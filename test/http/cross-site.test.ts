import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { cookiesOf, type RawAnswer, type RawHeaders, send } from '../support/raw.ts';
import { sessionRows } from '../support/session.ts';

const OWN = 'http://localhost:3000';
const APP = 'https://app.example.org';
const EVIL = 'https://evil.example';

type Verdict = 'allowed' | 'refused';

/** Who asks, with the headers that a browser (or no browser) sends then. */
const CALLERS: [string, Verdict, RawHeaders][] = [
  ['curl, without any of the headers', 'allowed', {}],
  ['the address bar', 'allowed', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }],
  [
    'a form of ours',
    'allowed',
    { Origin: OWN, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script of ours',
    'allowed',
    { Origin: OWN, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'a script of ours that GETs',
    'allowed',
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'our form, without a referrer',
    'allowed',
    { Origin: 'null', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script of a listed app',
    'allowed',
    { Origin: APP, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'a script of a listed app on a sister site',
    'allowed',
    { Origin: APP, 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['a listed app in an old browser', 'allowed', { Origin: APP }],
  [
    'a form elsewhere',
    'refused',
    { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script elsewhere',
    'refused',
    { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  [
    'an image elsewhere',
    'refused',
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
  ],
  ['a link elsewhere', 'refused', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }],
  [
    'a link on a sister site',
    'refused',
    { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'navigate' },
  ],
  [
    'a script on a sister site',
    'refused',
    { Origin: 'https://x.localhost', 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' },
  ],
  ['another site in an old browser', 'refused', { Origin: EVIL }],
  ['a sandboxed page or a data: address', 'refused', { Origin: 'null' }],
  ['the same, in a new browser', 'refused', { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }],
  ['an empty Origin', 'refused', { Origin: '' }],
  ['our host over https', 'refused', { Origin: 'https://localhost:3000' }],
  ['our host on another port', 'refused', { Origin: 'http://localhost:3001' }],
  ['a host that begins like ours', 'refused', { Origin: `${OWN}.evil.example` }],
  ['a host that begins like the listed app', 'refused', { Origin: `${APP}.evil.example` }],
  ['a host that ends like the listed app', 'refused', { Origin: 'https://evilapp.example.org' }],
  ['the listed app over http', 'refused', { Origin: 'http://app.example.org' }],
  ['an Origin with a path', 'refused', { Origin: `${APP}/` }],
  ['two Origins, one of them listed', 'refused', { Origin: [APP, EVIL] }],
  ['two Origins, one of them ours', 'refused', { Origin: [OWN, EVIL] }],
  ['two Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }],
  ['an unheard-of Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': 'SAME-ORIGIN' }],
  ['an empty Sec-Fetch-Site', 'refused', { 'Sec-Fetch-Site': '' }],
];

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
