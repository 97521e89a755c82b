import { expect } from 'chai';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { DAY, HOUR, MINUTE, TestClock } from '../support/clock.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { registerApi } from '../support/introspection.ts';
import {
  newPostgres,
  type PostgresServer,
  skipWithoutPostgresServer,
} from '../support/postgres-server.ts';

const ES256 = { JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' };

/** Signs a user in by password. */
async function signedIn(app: TestApp, username: string): Promise<Client> {
  const client = app.client();
  expect((await client.login(username, PASSWORD)).status).to.equal(200);
  return client;
}

/** The same browser, which the balancer has sent to another process. */
function at(app: TestApp, { cookies }: Client): Client {
  const client = app.client();
  for (const [name, value] of cookies) client.cookies.set(name, value);
  return client;
}

const exchange = async (client: Client) => (await client.get('/auth/token')).status;

onEngines(
  () =>
    describe('processes that share a database in PostgreSQL', function () {
      this.timeout(120_000);
      let place: DatabasePlace;
      let apps: TestApp[];
      let one: TestApp;
      let two: TestApp;
      let three: TestApp;
      beforeEach(async () => {
        place = await temporaryPlace('PostgreSQL');
        const clock = new TestClock();
        const start = () => startApp({ DATABASE_URL: place.url, ...ES256 }, { clock });
        apps = [(one = await start()), (two = await start()), (three = await start())];
      });
      afterEach(async () => {
        for (const app of apps) await app[Symbol.asyncDispose]();
        await place[Symbol.asyncDispose]();
      });

      it('log in at one, exchange at another, and a logout at the third is final everywhere at once', async () => {
        await addUser(one, 'ada');
        const ada = await signedIn(one, 'ada');
        expect(await exchange(at(two, ada))).to.equal(200);
        const logout = await at(three, ada).post('/auth/logout');
        expect(logout.status).to.be.oneOf([200, 204]);
        for (const app of apps) expect(await exchange(at(app, ada))).to.equal(401);
      });

      it('revoke the tokens of a session that one of them ends', async () => {
        await addUser(one, 'ada');
        const ada = await signedIn(one, 'ada');
        const token = await at(two, ada).token();
        const api = await registerApi(three);
        expect(await api.isActive(token)).to.equal(true);
        await at(two, ada).post('/auth/logout');
        expect(await api.isActive(token)).to.equal(false);
        const me = await one.client().get('/auth/me', { Authorization: `Bearer ${token}` });
        expect(me.status).to.equal(401);
      });

      it('give no token to a user whom one of them has disabled', async () => {
        const { id } = await addUser(one, 'ada');
        const ada = await signedIn(one, 'ada');
        await two.services.users.setDisabled(id, true);
        for (const app of apps) expect(await exchange(at(app, ada))).to.equal(401);
        expect((await three.client().login('ada', PASSWORD)).status).to.equal(401);
      });

      it('end all other sessions when the password is changed at one', async () => {
        await addUser(one, 'ada');
        const [here, there] = [await signedIn(one, 'ada'), await signedIn(two, 'ada')];
        const body = { current_password: PASSWORD, new_password: 'another gull, another umbrella' };
        expect((await at(three, here).post('/auth/password', body)).status).to.be.below(300);
        expect(await exchange(at(one, there))).to.equal(401);
        expect((await one.client().login('ada', PASSWORD)).status).to.equal(401);
      });

      it('sign with the same key, and rotate it together without rejecting a token', async () => {
        await addUser(one, 'ada');
        const ada = await signedIn(one, 'ada');
        const tokens: string[] = [];
        for (let passed = 0; passed < 28 * HOUR; passed += 2 * HOUR) {
          for (const app of apps) {
            await app.services.keys.maintain();
            tokens.push(await at(app, ada).token());
          }
          for (const token of tokens.slice(-6)) {
            for (const app of apps) {
              const headers = { Authorization: `Bearer ${token}` };
              expect((await app.client().get('/auth/me', headers)).status).to.equal(200);
            }
          }
          one.clock.advance(2 * HOUR);
        }
        const kid = (jwt = '') => Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString();
        expect(new Set(tokens.map(kid)).size, 'a key for each day').to.equal(2);
        expect(one.clock.now()).to.be.above(DAY + MINUTE);
      });

      it('sign up one user of a name when two ask for it at once', async () => {
        const all = await Promise.all(
          [one, two, three, one, two].map((app) => addUser(app, 'ada').catch(() => undefined)),
        );
        expect(all.filter((user) => user !== undefined)).to.have.length(1);
      });
    }),
  ['PostgreSQL'],
);

describe('a service whose PostgreSQL', function () {
  this.timeout(120_000);
  let server: PostgresServer;
  let proxy: FaultyProxy;
  let app: TestApp;
  let ada: Client;
  before(async function () {
    skipWithoutPostgresServer(this);
    server = await newPostgres();
    server.start();
    proxy = await startFaultyProxy(server.port);
    app = await startApp({ DATABASE_URL: server.url.replace(`${server.port}`, `${proxy.port}`) });
    await addUser(app, 'ada');
    ada = await signedIn(app, 'ada');
  });
  after(async () => {
    await app?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** Nobody is let in, nobody is told that they are signed out, and nobody waits for long. */
  async function isUnavailable(): Promise<void> {
    const requests = [
      () => ada.get('/auth/token'),
      () => ada.get('/auth/token'),
      () => app.client().login('ada', PASSWORD),
      () => ada.clone().post('/auth/logout'),
    ];
    for (const request of requests) {
      const before_ = performance.now();
      const response = await request();
      expect(performance.now() - before_).to.be.below(2000);
      expect(response.status).to.equal(503);
      expect(response.headers.get('Retry-After')).to.match(/^\d+$/);
      expect((await bodyOf(response))['code']).to.equal('unavailable');
    }
    expect((await app.client().get('/readyz')).status).to.equal(503);
    expect((await app.client().get('/healthz')).status).to.equal(200);
  }

  async function isBack(): Promise<void> {
    expect(await exchange(ada)).to.equal(200);
    expect((await app.client().login('ada', PASSWORD)).status).to.equal(200);
    expect((await app.client().get('/readyz')).status).to.equal(200);
  }

  for (const how of ['fast', 'immediate'] as const) {
    it(`is stopped (${how}) answers 503 until it is started again, and then goes on without a restart`, async () => {
      await isBack();
      server.stop(how);
      try {
        await isUnavailable();
      } finally {
        server.start();
      }
      await isBack();
    });
  }

  for (const fault of ['swallow', 'reset'] as const) {
    it(`is behind a network that does ${fault} answers 503 in time, and then goes on`, async () => {
      await isBack();
      proxy.misbehave(fault);
      await isUnavailable();
      proxy.misbehave('none');
      await isBack();
    });
  }
});
