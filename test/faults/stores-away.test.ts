import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import {
  newPostgres,
  type PostgresServer,
  skipWithoutPostgresServer,
} from '../support/postgres-server.ts';
import { type RedisServer, skipWithoutRedisServer, startRedis } from '../support/redis-server.ts';

/** What every request is answered within while a store is away, in milliseconds. */
const PROMISED = 2000;

/** What callers have been told, and how long the slowest of those waited who asked and heard while the store was away. */
interface Told {
  readonly statuses: Set<string>;
  slowest: number;
  away: boolean;
  over: boolean;
}

describe('a process whose store', function () {
  this.timeout(180_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let postgres: PostgresServer;
  let redis: RedisServer;
  let far: Record<'postgres' | 'redis', FaultyProxy>;
  let service: Served;
  let ada: Client;
  let signedOut: Client;
  before(async function () {
    skipWithoutPostgresServer(this);
    skipWithoutRedisServer(this);
    await run(['init'], { cwd });
    postgres = await newPostgres();
    postgres.start();
    redis = await startRedis();
    far = {
      postgres: await startFaultyProxy(postgres.port),
      redis: await startFaultyProxy(redis.port),
    };
    await run(['user', 'add', 'ada'], { cwd, env: near(), stdin: PASSWORD });
  });
  beforeEach(async () => {
    [ada, signedOut] = [await signIn(), await signIn()];
    expect((await signedOut.clone().post('/auth/logout')).status).to.equal(204);
  });
  after(async () => {
    await far?.redis[Symbol.asyncDispose]();
    await far?.postgres[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const near = () => ({ DATABASE_URL: postgres.url, SESSION_STORE_URL: redis.url });
  const behind = () => ({
    DATABASE_URL: postgres.url.replace(`:${postgres.port}/`, `:${far.postgres.port}/`),
    SESSION_STORE_URL: `redis://127.0.0.1:${far.redis.port}`,
  });

  /** One process for all tests of a group. */
  function serveAll(env: () => Record<string, string>): void {
    before(async () => {
      service = await serve({ cwd, env: env() });
    });
    after(() => service?.[Symbol.asyncDispose]());
  }

  async function signIn(): Promise<Client> {
    const client = new Client(service.url);
    expect((await client.login('ada', PASSWORD)).status).to.equal(200);
    return client;
  }

  const status = async (path: string) => (await fetch(service.url + path)).status;

  /** People log in, exchange, and try with a session that they have ended, until told to stop. */
  function load(callersOfEach: number) {
    const told: Told = { statuses: new Set(), slowest: 0, away: false, over: false };
    const requests: Record<string, () => Promise<Response>> = {
      login: () => new Client(service.url).login('ada', PASSWORD),
      exchange: () => ada.clone().get('/auth/token'),
      'signed out': () => signedOut.clone().get('/auth/token'),
    };
    const call = async (name: string, request: () => Promise<Response>) => {
      while (!told.over) {
        const { away } = told;
        const begun = performance.now();
        const response = await request();
        await response.text();
        const took = performance.now() - begun;
        if (away && told.away) told.slowest = Math.max(told.slowest, took);
        const later = response.headers.has('retry-after') ? ' Retry-After' : '';
        told.statuses.add(`${name}: ${response.status}${later}`);
      }
    };
    const callers = Object.entries(requests).flatMap(([name, request]) =>
      Array.from({ length: callersOfEach }, () => call(name, request)),
    );
    return { told, callers: Promise.all(callers) };
  }

  /**
   * Takes the store away while people are at it, and brings it back.
   * @param after_ what a session that was alive is exchanged for then
   */
  async function storm(
    stop: () => unknown,
    start: () => unknown,
    after_: 200 | 401 = 200,
    callersOfEach = 2,
  ) {
    const pid = service.pid;
    const { told, callers } = load(callersOfEach);
    await service.until(() => told.statuses.size >= 3);
    await stop();
    told.away = true;
    await service.until(() =>
      ['login', 'exchange'].every((name) => told.statuses.has(`${name}: 503 Retry-After`)),
    );
    const first = await ada.clone().get('/auth/token');
    expect([first.status, first.headers.has('retry-after')]).to.deep.equal([503, true]);
    expect(await bodyOf(first)).to.include({ code: 'unavailable' });
    expect(await status('/readyz')).to.equal(503);
    expect(await status('/healthz')).to.equal(200);
    told.away = false;
    await start();
    await service.until(async () => (await status('/readyz')) === 200);
    told.over = true;
    await callers;
    // who is signed out may be told so: by then the session is in neither of the stores
    const right = ['exchange: 200', 'login: 200', 'signed out: 401'];
    const away = ['exchange', 'login', 'signed out'].map((name) => `${name}: 503 Retry-After`);
    const forgotten = after_ === 200 ? [] : ['exchange: 401'];
    expect([...right, ...away, ...forgotten]).to.include.members([...told.statuses]);
    expect(told.slowest, 'the slowest answer').to.be.below(PROMISED);
    expect((await ada.clone().get('/auth/token')).status).to.equal(after_);
    expect((await signedOut.clone().get('/auth/token')).status).to.equal(401);
    expect([service.pid, service.output().code]).to.deep.equal([pid, null]);
    await signIn();
  }

  describe('is stopped under load', () => {
    serveAll(near);

    for (const how of ['fast', 'immediate'] as const) {
      it(`answers 503 in time while PostgreSQL is stopped (${how}), and goes on when it is back`, () =>
        storm(
          () => postgres.stop(how),
          () => postgres.start(),
        ));
    }

    it('answers 503 in time while Redis is stopped; what that has forgotten is signed out', () =>
      storm(
        () => redis.stop(),
        () => redis.start(),
        401,
      ));
  });

  describe('is behind a network that fails under load', () => {
    serveAll(behind);

    for (const [fault, words] of [
      ['delay', 'delays answers'],
      ['reset', 'resets connections'],
      ['swallow', 'swallows everything'],
    ] as const) {
      for (const [name, store] of [
        ['postgres', 'PostgreSQL'],
        ['redis', 'Redis'],
      ] as const) {
        it(`answers 503 in time while that ${words} of ${store}, and goes on when it does not`, () =>
          storm(
            () => far[name].misbehave(fault, 5000),
            () => far[name].misbehave('none'),
            200,
            1, // who waits for a silent store has not much of the two seconds left
          ));
      }
    }
  });

  describe('is a Redis', () => {
    serveAll(near);

    it('that is flushed: everybody is signed out, and may sign in again', async () => {
      redis.cli('FLUSHALL');
      expect((await ada.clone().get('/auth/token')).status).to.equal(401);
      await signIn();
    });

    it('that is full: no sign-in, who is there is served and can leave, and it resumes', async () => {
      redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      redis.cli('CONFIG', 'SET', 'maxmemory', '1');
      try {
        const refused = await new Client(service.url).login('ada', PASSWORD);
        expect([refused.status, refused.headers.has('retry-after')]).to.deep.equal([503, true]);
        expect((await ada.clone().get('/auth/token')).status).to.equal(200);
        expect((await ada.clone().post('/auth/logout')).status).to.equal(204);
        expect((await ada.clone().get('/auth/token')).status).to.equal(401);
      } finally {
        redis.cli('CONFIG', 'SET', 'maxmemory', '0');
      }
      await signIn();
    });
  });
});
