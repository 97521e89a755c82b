import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { answerOf, expectSound } from '../support/answer.ts';
import { bodyOf, Client } from '../support/client.ts';
import { CANARY, expectUnharmed, holds, patient } from '../support/fuzz.ts';
import { junkQuery, spelling } from '../support/junk.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const USERNAME = 'ada';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Headers that say nothing about who is calling from where, as far as this service believes them. */
const junkHeaders = fc.dictionary(
  fc.constantFrom(
    'Accept-Language',
    'Authorization',
    'If-None-Match',
    'Referer',
    'User-Agent',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-For',
    'X-HTTP-Method-Override',
    'X-Original-URL',
    'X-Real-IP',
    'X-Username',
  ),
  fc.string({ unit: 'grapheme-ascii' }),
);

/** Fewer than may log in as one user in a quarter of an hour. */
const MOST_LOGINS = 200;

const junkCookies = fc.constantFrom(
  '',
  'session=s%3Aa.b',
  '__proto__=1',
  'session=%zz',
  'a=b; c=d',
);

describe('Signing in amid junk', function () {
  this.timeout(patient(60_000));
  const password = `${CANARY} as a password`;
  let service: ServiceProcess;
  let ada: Client;
  before(async () => {
    service = await startService({ BYPASS_AUTH: 'false', JWT_AUDIENCE: 'orders' });
    ada = new Client(service.url);
    expect((await ada.post('/auth/register', { username: USERNAME, password })).status).to.equal(
      201,
    );
  });
  after(() => service[Symbol.asyncDispose]());
  afterEach(async () => {
    await expectUnharmed(service);
    expect(service.rows('users')).to.have.lengthOf(1);
  });

  /** Right passwords are limited as well. */
  async function unlock(): Promise<void> {
    const args = ['bin/coatcheck.ts', 'user', 'unlock', USERNAME];
    await promisify(execFile)(process.execPath, args, { env: service.environment });
  }

  it('works whatever is in the query, the cookies and the headers besides', async () => {
    const credentials = fc
      .tuple(spelling('username'), spelling(USERNAME), spelling('password'), spelling(password))
      .map(([name, value, secretName, secret]) => `{${name}:${value},${secretName}:${secret}}`);
    const inputs = fc.tuple(credentials, junkQuery, junkCookies, junkHeaders);
    let logins = 0;
    await holds(inputs, 40, async ([body, query, cookie, headers]) => {
      logins += 1;
      if (logins % MOST_LOGINS === 0) await unlock();
      const before = service.rows('sessions').length;
      const caller = new Client(service.url);
      const all = { ...headers, ...JSON_TYPE, Cookie: cookie };
      const response = await caller.request('POST', `/auth/login?${query}`, all, body);
      expectSound(await answerOf(response.clone()), { path: '/auth/login' });
      expect(response.status).to.equal(200);
      expect(caller.cookies.has('session')).to.equal(true);
      expect((await bodyOf(response))['token']).to.be.a('string');
      // of a hundred sessions of one user, the next one ends the oldest
      expect(service.rows('sessions')).to.have.lengthOf(Math.min(before + 1, 100));
    });
  });

  it('never works with a password in the query, whatever is in the body', async () => {
    const before = service.rows('sessions').length;
    const query = fc.constantFrom(
      `username=${USERNAME}&password=${encodeURIComponent(password)}`,
      `password=${encodeURIComponent(password)}`,
      `username[]=${USERNAME}&password[]=${encodeURIComponent(password)}`,
    );
    const bodies = [
      '',
      '{}',
      '{"username":"ada"}',
      '{"username":"ada","password":""}',
      '[]',
      'null',
    ];
    const inputs = fc.tuple(query, fc.constantFrom(...bodies), fc.boolean());
    await holds(inputs, 40, async ([secret, body, form]) => {
      const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
      const headers = { 'Content-Type': type };
      const caller = new Client(service.url);
      const response = await caller.request('POST', `/auth/login?${secret}`, headers, body);
      const answer = await answerOf(response);
      expectSound(answer, { path: '/auth/login' });
      expect(answer.status).to.equal(400);
      expect(answer.body).to.not.include(CANARY);
      expect(caller.cookies.size).to.equal(0);
      expect((await caller.get(`/auth/login?${secret}`)).status).to.equal(405);
    });
    expect(service.rows('sessions')).to.have.lengthOf(before);
  });

  it('lasts: the session is exchanged whatever is in the query and the headers besides', async () => {
    expect((await ada.login(USERNAME, password)).status).to.equal(200);
    const query = junkQuery.filter((text) => !text.includes('audience'));
    await holds(fc.tuple(query, junkHeaders), 60, async ([text, headers]) => {
      const response = await ada.request('GET', `/auth/token?${text}`, headers);
      expectSound(await answerOf(response.clone()), { path: '/auth/token' });
      expect(response.status).to.equal(200);
      expect(service.written()).to.not.include(String((await bodyOf(response))['token']));
    });
  });

  it('is undone by one changed character anywhere in the cookie', async () => {
    const cookie = ada.cookies.get('session') ?? '';
    const change = fc.tuple(
      fc.nat(cookie.length - 1),
      fc.constantFrom('A', 'b', '0', '%', '.', '~'),
    );
    await holds(change, 80, async ([at, character]) => {
      const changed = cookie.slice(0, at) + character + cookie.slice(at + 1);
      if (meaning(changed) === meaning(cookie)) return; // %2b is another way to write %2B
      const caller = new Client(service.url);
      caller.cookies.set('session', changed);
      expect((await caller.get('/auth/token')).status).to.equal(401);
    });
  });
});

function meaning(cookie: string): string | undefined {
  try {
    return decodeURIComponent(cookie);
  } catch {
    return undefined;
  }
}
