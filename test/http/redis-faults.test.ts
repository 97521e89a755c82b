import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { MINUTE } from '../support/clock.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { type RedisServer, skipWithoutRedisServer, startRedis } from '../support/redis-server.ts';

/** What every request is answered within while the store is away, in milliseconds. */
const PROMISED = 2000;

describe('sessions in a Redis', function () {
  this.timeout(120_000);
  let server: RedisServer;
  let proxy: FaultyProxy;
  let app: TestApp;
  before(async function () {
    skipWithoutRedisServer(this);
    server = await startRedis();
    proxy = await startFaultyProxy(server.port);
    app = await startApp({ SESSION_STORE_URL: `redis://127.0.0.1:${proxy.port}` });
    await addUser(app, 'ada');
  });
  after(async () => {
    await app?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const token = async (client: Client) => (await client.get('/auth/token')).status;
  const login = async () => (await app.client().login('ada', PASSWORD)).status;
  const me = async (jwt: string) =>
    (await app.client().get('/auth/me', { Authorization: `Bearer ${jwt}` })).status;

  /** Nobody gets in, nobody is told to sign in again, and whoever asks is not kept waiting. */
  async function expectAway(client: Client): Promise<void> {
    const attempts = {
      exchange: () => client.get('/auth/token'),
      'log in': () => app.client().login('ada', PASSWORD),
      'log in again': () => client.clone().login('ada', PASSWORD),
      bypass: () => app.client().get('/auth/bypass?token=grace'),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      const begun = performance.now();
      const response = await attempt();
      expect(performance.now() - begun, name).to.be.below(PROMISED);
      expect(response.status, name).to.equal(503);
      expect(response.headers.get('retry-after'), name).to.match(/^\d+$/);
      expect(response.headers.getSetCookie(), name).to.deep.equal([]);
      expect(await bodyOf(response), name).to.include({ code: 'unavailable' });
    }
    const ready = await app.client().get('/readyz');
    expect(ready.status).to.equal(503);
    expect(await bodyOf(ready)).to.deep.include({ failures: ['session store'] });
    expect((await app.client().get('/healthz')).status).to.equal(200);
  }

  /** Asks as a load balancer does, until the service wants requests again. */
  async function untilReady(): Promise<void> {
    while ((await app.client().get('/readyz')).status !== 200) await pause(20);
  }

  describe('behind something that', () => {
    afterEach(async () => {
      proxy.misbehave('none');
      await untilReady();
    });

    for (const [fault, words] of [
      ['delay', 'answers late'],
      ['reset', 'breaks connections'],
      ['swallow', 'swallows everything'],
    ] as const) {
      it(`${words} are away, and there again when that is over`, async () => {
        const ada = await signIn(app, 'ada');
        proxy.misbehave(fault, 5000);
        await expectAway(ada);
        proxy.misbehave('none');
        await untilReady();
        expect([await token(ada), await login()]).to.deep.equal([200, 200]);
      });
    }

    it('is merely slow are served', async () => {
      const ada = await signIn(app, 'ada');
      proxy.misbehave('delay', 100);
      expect([await token(ada), await login()]).to.deep.equal([200, 200]);
    });

    it('falls silent get another connection before anybody asks', async () => {
      const before = proxy.connections;
      proxy.misbehave('swallow');
      while (proxy.connections === before) await pause(20);
    });

    it('fails once a session is ended have ended it, and say so in the log', async () => {
      const grace = await signIn(app, 'grace');
      const jwt = await grace.token();
      const { id } = (await app.services.users.findLogin('grace'))?.user ?? { id: '' };
      proxy.misbehave('reset');
      expect(await app.services.sessions.revokeByUser(id)).to.equal(1);
      expect(app.logged()).to.match(/"level":40.*left in Redis/);
      expect(await me(jwt)).to.equal(401);
      proxy.misbehave('none');
      await untilReady();
      expect(await token(grace)).to.equal(401);
    });

    it('fails when somebody signs in leave no session that nobody knows of', async () => {
      const { id } = (await app.services.users.findLogin('ada'))?.user ?? { id: '' };
      await app.services.sessions.revokeByUser(id);
      proxy.misbehave('delay', 5000); // Redis does it, and nobody gets to know
      const bypass = await app.client().get('/auth/bypass?token=ada');
      expect(bypass.status).to.equal(503);
      proxy.misbehave('none');
      await untilReady();
      expect(await app.services.sessions.list(id)).to.deep.equal([]);
    });
  });

  describe('that', () => {
    it('is stopped are away; started again, it knows nobody, and people sign in', async () => {
      const ada = await signIn(app, 'ada');
      await server.stop();
      await expectAway(ada);
      await server.start();
      await untilReady();
      expect([await token(ada), await login()]).to.deep.equal([401, 200]);
    });

    it('stays away for long are there again soon after it is', async () => {
      await server.stop();
      const before = proxy.connections;
      while (proxy.connections < before + 8) await pause(50); // the pauses between attempts have reached their limit
      await server.start();
      await untilReady();
      expect(await login()).to.equal(200);
    });

    it('was flushed are gone; their tokens live on until they are revoked', async () => {
      const grace = await signIn(app, 'grace');
      const jwt = await grace.token();
      server.cli('FLUSHALL');
      expect(await token(grace)).to.equal(401);
      expect(await me(jwt)).to.equal(200);
      const { id } = (await app.services.users.findLogin('grace'))?.user ?? { id: '' };
      expect(await app.services.sessions.revokeByUser(id)).to.equal(1);
      expect(await me(jwt)).to.equal(401);
    });

    it('comes back from an old snapshot stay ended', async () => {
      const [here, there] = [await signIn(app, 'grace'), await signIn(app, 'grace')];
      for (const key of server.cli('KEYS', '*').split('\n')) {
        server.cli('COPY', key, `snapshot:${key}`);
      }
      expect((await here.clone().post('/auth/logout')).status).to.equal(204);
      for (const copy of server.cli('KEYS', 'snapshot:*').split('\n')) {
        server.cli('COPY', copy, copy.replace('snapshot:', ''), 'REPLACE');
      }
      expect([await token(here), await token(there)]).to.deep.equal([401, 200]);
      expect((await here.get('/auth/sessions')).status).to.equal(401);
      const own = await bodyOf(await there.get('/auth/sessions'));
      expect(own['sessions']).to.have.length(1);
    });
  });

  it('are read once for an exchange, and never looked for in all of Redis', async () => {
    await signIn(app, 'grace');
    const grace = await signIn(app, 'grace');
    expect(await token(grace)).to.equal(200); // what the sign-in still had to write has been written before
    server.cli('CONFIG', 'RESETSTAT');
    expect(await token(grace)).to.equal(200);
    expect(commands()).to.deep.equal(['hmget 1']);
    expect((await grace.get('/auth/sessions')).status).to.equal(200);
    expect((await grace.request('DELETE', '/auth/sessions?scope=all')).status).to.equal(204);
    expect(commands().join()).not.to.match(/scan|keys/);
  });

  /** What Redis was asked for, and how often, but for signs of life and what this test asks. */
  function commands(): string[] {
    const stats = server.cli('INFO', 'commandstats').matchAll(/cmdstat_(\S+?):calls=(\d+)/g);
    const counts = [...stats].map(([, name = '', calls = '']) => `${name} ${calls}`);
    return counts.filter((line) => !/^(ping|info|config|hello|client)/.test(line));
  }

  describe('that is full', () => {
    before(() => server.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction'));
    beforeEach(() => server.cli('CONFIG', 'SET', 'maxmemory', '0'));
    afterEach(() => server.cli('CONFIG', 'SET', 'maxmemory', '0'));
    const fill = () => server.cli('CONFIG', 'SET', 'maxmemory', '1');

    it('take no sign-in, and serve who is signed in, for as long as they are in use', async () => {
      const ada = await signIn(app, 'ada');
      fill();
      for (let turn = 0; turn < 5; turn += 1) {
        app.clock.advance(600 * MINUTE);
        expect(await token(ada)).to.equal(200);
      }
      const response = await app.client().login('ada', PASSWORD);
      expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '5']);
      expect(app.logged()).to.match(/is full: give it more memory/);
      server.cli('CONFIG', 'SET', 'maxmemory', '0');
      expect(await login()).to.equal(200);
    });

    it('can be ended, which makes room', async () => {
      const ada = await signIn(app, 'ada');
      const keys = Number(server.cli('DBSIZE'));
      fill();
      expect((await ada.clone().post('/auth/logout')).status).to.equal(204);
      expect(await token(ada)).to.equal(401);
      expect(Number(server.cli('DBSIZE'))).to.be.below(keys);
    });

    it('lose the tokens that carry the roles of before', async () => {
      const grace = await signIn(app, 'grace');
      const jwt = await grace.token();
      const { id } = (await app.services.users.findLogin('grace'))?.user ?? { id: '' };
      fill();
      expect(await app.services.changeRoles(id, () => ['admin'])).to.include.keys('roles');
      expect([await me(jwt), await token(grace)]).to.deep.equal([401, 200]);
    });
  });

  it('that answers what nobody can read are away, and no answer is taken for another', async () => {
    const ada = await signIn(app, 'ada');
    await server.stop();
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    await new Promise<void>((resolve) => other.listen(server.port, '127.0.0.1', resolve));
    await expectAway(ada);
    proxy.misbehave('reset'); // nobody is left who speaks to it
    await new Promise((resolve) => other.close(resolve));
    proxy.misbehave('none');
    await server.start();
    await untilReady();
  });
});
