import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { type AuditRow, recorded } from '../support/audit.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { MINUTE } from '../support/clock.ts';
import { logLines } from '../support/command.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { basic, registerApi } from '../support/introspection.ts';
import { redisKeys, skipWithoutRedis } from '../support/redis.ts';
import { refuse } from '../support/refuse.ts';
import { claimsOf } from '../support/session.ts';

const NEW_PASSWORD = 'another gull, another umbrella';

onEngines((engine) =>
  describe(`on record in ${engine}`, function () {
    this.timeout(120_000);
    let place: DatabasePlace;
    let app: TestApp;
    let seen: number;
    before(async () => {
      place = await temporaryPlace(engine);
      app = await startApp({
        DATABASE_URL: place.url,
        TRUST_PROXY: '127.0.0.1',
        BYPASS_AUTH: 'false',
      });
    });
    after(async () => {
      await app[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });
    beforeEach(async () => (seen = (await recorded(app.services.database)).length));

    /** What was recorded in this test. */
    const rows = async () => (await recorded(app.services.database)).slice(seen);
    const events = async () => (await rows()).map(({ event }) => event);
    /** The log's, of what was recorded last. */
    const lastLine = () => logLines(app.logged()).findLast(({ msg }) => msg === 'audit');

    /** A user of whom nobody has heard. */
    async function someone(): Promise<{ name: string; id: string }> {
      const name = `u${randomUUID().slice(0, 8)}`;
      return { name, id: (await addUser(app, name)).id };
    }

    async function signedIn(name: string): Promise<{ client: Client; sid: string }> {
      const client = app.client();
      expect((await client.login(name, PASSWORD)).status).to.equal(200);
      return { client, sid: String(claimsOf(await client.token())['sid']) };
    }

    it('is a sign-in: who, from where as the proxy says, with what, when, and in which request', async () => {
      const { name, id } = await someone();
      const headers = { 'X-Forwarded-For': '192.0.2.7', 'User-Agent': 'a browser' };
      const client = app.client();
      await client.post('/auth/login', { username: name, password: PASSWORD }, headers);
      const [row, ...more] = await rows();
      expect(more).to.deep.equal([]);
      expect(row).to.include({
        at: app.clock.now(),
        event: 'login.succeeded',
        actor_kind: 'user',
        actor_id: id,
        subject_kind: 'user',
        subject_id: id,
        session_id: claimsOf(await client.token())['sid'],
        address: '192.0.2.7',
        user_agent: 'a browser',
        request_id: lastLine()?.['request'],
        details: '{"device":"new"}',
      });
      await client.login(name, PASSWORD);
      expect((await rows()).at(-1)).to.include({ details: '{"device":"known"}' });
    });

    it('is a login that failed, the same whatever the reason: that is in the log', async () => {
      const [known, disabled] = [await someone(), await someone()];
      await app.services.users.setDisabled(disabled.id, true);
      const reasons: unknown[] = [];
      for (const [name, password] of [
        [known.name, 'wrong'],
        [disabled.name, PASSWORD],
        [disabled.name, 'wrong'],
        ['nobody', PASSWORD],
      ] as const) {
        const response = await app.client().login(name, password);
        expect(response.status).to.equal(401);
        const { request_id } = await bodyOf(response);
        expect((await rows()).at(-1)).to.include({ request_id });
        reasons.push(lastLine()?.['reason']);
      }
      expect(reasons).to.deep.equal(['wrong password', 'disabled', 'disabled', 'unknown name']);
      const same = ({ id, at, request_id, subject_id, subject_kind, ...rest }: AuditRow) => {
        expect([id, at, request_id].every(Boolean)).to.equal(true);
        expect(subject_kind).to.equal(subject_id === null ? null : 'user');
        return rest;
      };
      const failed = await rows();
      expect(failed.map((row) => row.subject_id)).to.deep.equal([
        known.id,
        disabled.id,
        disabled.id,
        null,
      ]);
      const [first, ...others] = failed.map(same);
      expect(first).to.include({ event: 'login.failed', actor_kind: 'nobody', details: null });
      for (const other of others) expect(other).to.deep.equal(first);
    });

    it('is never what was typed: a password where the name belongs is nowhere', async () => {
      const { name } = await someone();
      await app.client().login(PASSWORD, name);
      expect(JSON.stringify(await rows())).not.to.include(PASSWORD);
      expect(await events()).to.deep.equal(['login.failed']);
    });

    it('is not an exchange: twenty of them write nothing', async () => {
      const { client } = await signedIn((await someone()).name);
      const before = await rows();
      for (let left = 20; left > 0; left -= 1) {
        expect((await client.get('/auth/token')).status).to.equal(200);
      }
      expect(await rows()).to.deep.equal(before);
    });

    it('is an exchange of a disabled user, once for each session', async () => {
      const { name, id } = await someone();
      const { client, sid } = await signedIn(name);
      await app.services.users.setDisabled(id, true);
      for (let left = 3; left > 0; left -= 1) {
        expect((await client.get('/auth/token')).status).to.equal(401);
      }
      expect(await events()).to.deep.equal(['login.succeeded', 'exchange.refused']);
      expect((await rows())[1]).to.include({ subject_id: id, session_id: sid });
    });

    it('is a logout, once', async () => {
      const { name, id } = await someone();
      const { client, sid } = await signedIn(name);
      const again = client.clone();
      for (const one of [client, again])
        expect((await one.post('/auth/logout')).status).to.equal(204);
      expect(await events()).to.deep.equal(['login.succeeded', 'logout']);
      expect((await rows())[1]).to.include({ subject_id: id, session_id: sid, actor_id: id });
    });

    it('is the end of one session, of all others, of all; and not that of none', async () => {
      const { name } = await someone();
      const [here, there] = [await signedIn(name), await signedIn(name)];
      await signedIn(name);
      await here.client.request('DELETE', `/auth/sessions/${there.sid}`);
      await here.client.request('DELETE', `/auth/sessions/${randomUUID()}`);
      for (const scope of ['others', 'others', 'all']) {
        await here.client.request('DELETE', `/auth/sessions?scope=${scope}`);
      }
      const ended = (await rows()).filter(({ event }) => event === 'session.revoked');
      expect(ended.map(({ details, session_id }) => [details, session_id])).to.deep.equal([
        ['{"scope":"one"}', there.sid],
        ['{"scope":"others","sessions":1}', here.sid],
        ['{"scope":"all","sessions":1}', here.sid],
      ]);
    });

    it('is a token that an API client revokes, with both, and a wrong secret of one', async () => {
      const { name, id } = await someone();
      const { client, sid } = await signedIn(name);
      const token = await client.token();
      const api = await registerApi(app);
      await api.post('/oauth/revoke', { token });
      await api.post('/oauth/revoke', { token }); // there is nothing to revoke any more
      await api.post('/oauth/revoke', { token }, { Authorization: basic(api.id, 'wrong') });
      await api.post('/oauth/revoke', { token }, { Authorization: basic(PASSWORD, 'wrong') });
      await api.post('/oauth/revoke', { token }, { Authorization: basic('another', 'wrong') });
      const [, revoked, wrong, unknown, ...more] = await rows();
      expect(more).to.deep.equal([]);
      expect(revoked).to.include({
        event: 'token.revoked',
        actor_kind: 'client',
        actor_id: api.id,
        subject_id: id,
        session_id: sid,
      });
      expect(wrong).to.include({
        event: 'client.refused',
        subject_kind: 'client',
        subject_id: api.id,
      });
      expect(unknown).to.include({ event: 'client.refused', subject_kind: null, subject_id: null });
    });

    it('is a user who signs up, who changes the password, and one who does not know it', async () => {
      const client = app.client();
      const name = `u${randomUUID().slice(0, 8)}`;
      const { user } = await bodyOf(
        await client.post('/auth/register', { username: name, password: PASSWORD }),
      );
      const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      await client.post('/auth/password', { ...change, current_password: 'wrong' });
      await client.post('/auth/password', change);
      expect(await events()).to.deep.equal([
        'user.added',
        'login.succeeded',
        'user.password_refused',
        'user.password_changed',
      ]);
      const [added] = await rows();
      expect(added).to.include({ actor_kind: 'nobody', subject_name: name });
      for (const { subject_id } of await rows()) expect(user).to.include({ id: subject_id });
    });

    it('is a storm of guesses up to the limit, then one row for each of its periods', async () => {
      const { name, id } = await someone();
      const guess = async (): Promise<number> => (await app.client().login(name, 'wrong')).status;
      for (let left = 30; left > 0; left -= 1) await guess();
      const limits = async () => (await rows()).filter(({ event }) => event === 'limit.reached');
      expect((await rows()).length, 'ten failures and one limit').to.equal(11);
      expect(await limits()).to.have.length(1);
      expect((await limits())[0]).to.include({ subject_id: id, details: '{"limit":"account"}' });
      app.clock.advance(15 * MINUTE);
      for (let left = 30; left > 0; left -= 1) await guess();
      expect([(await rows()).length, (await limits()).length]).to.deep.equal([22, 2]);
    });

    it('cannot be forged by what a caller says of itself', async () => {
      const { name } = await someone();
      const headers = {
        'X-Forwarded-For': 'not an address\u009B31m"}',
        'User-Agent': 'x\u009B2J","event":"logout\u0085y',
      };
      await app.client().post('/auth/login', { username: name, password: 'wrong' }, headers);
      const [row, ...more] = await rows();
      expect(more).to.deep.equal([]);
      expect(row?.user_agent).to.equal('x\uFFFD2J","event":"logout\uFFFDy');
      expect(lastLine()).to.include({ event: 'login.failed', user_agent: row?.user_agent });
      expect(app.logged()).not.to.match(/[\u0080-\u009F]/);
    });
  }),
);

onEngines((engine) =>
  describe(`what cannot be recorded in ${engine} is not done:`, function () {
    this.timeout(120_000);
    let place: DatabasePlace;
    let app: TestApp;
    let ada: Client;
    beforeEach(async () => {
      place = await temporaryPlace(engine);
      app = await startApp({ DATABASE_URL: place.url });
      await addUser(app, 'ada');
      ada = app.client();
      await ada.login('ada', PASSWORD);
      await refuse(app.services.database, engine, 'insert', 'audit_events');
    });
    afterEach(async () => {
      await app[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    const sessions = async () => (await app.services.sessions.list()).length;
    const exchange = async () => (await ada.get('/auth/token')).status;

    it('a sign-in leaves no session and no cookie', async () => {
      const responses = [
        await app.client().login('ada', PASSWORD),
        await app.client().get('/auth/bypass?token=ada'),
      ];
      for (const response of responses) {
        expect(response.status).to.be.at.least(500);
        expect(response.headers.getSetCookie()).to.deep.equal([]);
      }
      expect(await sessions()).to.equal(1);
    });

    it('a logout, and the end of other sessions, leave the session as it is', async () => {
      const ways: [string, string][] = [
        ['POST', '/auth/logout'],
        ['DELETE', '/auth/sessions?scope=all'],
      ];
      for (const [method, path] of ways) {
        expect((await ada.clone().request(method, path)).status).to.be.at.least(500);
        expect(await exchange()).to.equal(200);
      }
    });

    it('a password stays, and nobody is added', async () => {
      const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      expect((await ada.post('/auth/password', change)).status).to.be.at.least(500);
      const hash = await app.services.users.passwordHash(
        (await app.services.users.findLogin('ada'))?.user.id ?? '',
      );
      expect(await app.services.passwords.matches(hash, PASSWORD)).to.equal(true);
      const signUp = { username: 'eve', password: PASSWORD };
      expect((await app.client().post('/auth/register', signUp)).status).to.be.at.least(500);
      expect((await app.client().get('/auth/bypass?token=bob')).status).to.be.at.least(500);
      expect((await app.services.users.list()).map(({ username }) => username)).to.deep.equal([
        'ada',
      ]);
    });

    it('but exchanges, which record nothing, go on', async () => {
      expect(await exchange()).to.equal(200);
    });
  }),
);

describe('on record with sessions in Redis', function () {
  this.timeout(120_000);
  before(function () {
    return skipWithoutRedis(this);
  });

  it('are a sign-in, a logout and the end of the other sessions; and no sign-in without its row', async () => {
    await using keys = await redisKeys();
    await using app = await startApp({ SESSION_STORE_URL: keys.url });
    await addUser(app, 'ada');
    const clients = [app.client(), app.client(), app.client()] as const;
    for (const client of clients) await client.login('ada', PASSWORD);
    await clients[0].request('DELETE', '/auth/sessions?scope=others');
    await clients[0].post('/auth/logout');
    const rows = await recorded(app.services.database);
    expect(rows.map(({ event }) => event)).to.deep.equal([
      ...clients.map(() => 'login.succeeded'),
      'session.revoked',
      'logout',
    ]);
    expect(rows[3]).to.include({ details: '{"scope":"others","sessions":2}' });

    await refuse(app.services.database, 'SQLite', 'insert', 'audit_events');
    const response = await app.client().login('ada', PASSWORD);
    expect(response.status).to.be.at.least(500);
    expect(response.headers.getSetCookie()).to.deep.equal([]);
    expect(await app.services.sessions.list()).to.deep.equal([]);
  });
});

describe('the bypass', () => {
  it('is on record for each use, and whom it has made', async () => {
    await using app = await startApp();
    await signIn(app, 'ada');
    await signIn(app, 'ada');
    const { id = '' } = (await app.services.users.findByUsername('ada')) ?? {};
    await app.services.users.setDisabled(id, true);
    expect((await app.client().get('/auth/bypass?token=ada')).status).to.equal(401);
    const rows = await recorded(app.services.database);
    expect(rows.map(({ event, subject_id }) => [event, subject_id])).to.deep.equal(
      ['user.added', 'login.bypass', 'login.bypass', 'login.failed'].map((event) => [event, id]),
    );
  });
});
