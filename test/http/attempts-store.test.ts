import { expect } from 'chai';
import { sql } from 'kysely';
import { fillUp } from '../support/attempts.ts';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { ROOT, serve } from '../support/command.ts';
import { onEngines, temporaryDatabase } from '../support/database.ts';
import { redisKeys, skipWithoutRedis } from '../support/redis.ts';

const WRONG = 'a wren stole my umbrella';
const PROMISED = 2000;

const login = (app: TestApp, password = PASSWORD) => app.client().login('ada', password);

onEngines((engine) => {
  describe(`security 10 and 13: attempts that are counted in ${engine}`, () => {
    it('stay counted when the process is another', async () => {
      await using place = await temporaryDatabase(engine);
      {
        await using first = await startApp({ DATABASE_URL: place.url });
        await addUser(first, 'ada');
        await fillUp(first, { kind: 'account', subject: 'ada' });
      }
      await using second = await startApp({ DATABASE_URL: place.url });
      expect((await login(second)).status).to.equal(429);
    });

    it('let nobody in while they cannot be counted, and keep nobody from the exchange', async () => {
      await using place = await temporaryDatabase(engine);
      const url = place.url.replace(/connect_timeout=.*/, '');
      await using app = await startApp({ DATABASE_URL: url });
      await addUser(app, 'ada');
      const ada = await signIn(app, 'ada');
      const other = await place.another();
      const lock =
        engine === 'SQLite' ? sql`select 1` : sql`lock table attempts in access exclusive mode`;
      await other.transaction(async (db) => {
        await lock.execute(db);
        const begun = performance.now();
        const response = await login(app);
        expect(performance.now() - begun).to.be.below(PROMISED);
        expect(response.status).to.equal(503);
        expect(response.headers.get('retry-after')).to.match(/^\d+$/);
        expect(await bodyOf(response)).to.include({ code: 'unavailable' });
        expect(response.headers.getSetCookie()).to.deep.equal([]);
        expect((await ada.get('/auth/token')).status).to.equal(200);
      });
      expect((await login(app)).status).to.equal(200);
    });

    it('are written nowhere when one of their limits is reached', async () => {
      await using place = await temporaryDatabase(engine);
      const url = place.url.replace(/connect_timeout=.*/, '');
      await using app = await startApp({ DATABASE_URL: url });
      await addUser(app, 'ada');
      await fillUp(app, { kind: 'account', subject: 'ada' });
      await fillUp(app, { kind: 'login', subject: 'grace' });
      const refused = async (name: string) => (await app.client().login(name, PASSWORD)).status;
      expect([await refused('ada'), await refused('grace')]).to.deep.equal([429, 429]); // on record
      const other = await place.another();
      const lock = engine === 'SQLite' ? sql`select 1` : sql`lock table attempts in share mode`;
      await other.transaction(async (db) => {
        await lock.execute(db); // whoever writes waits, and gets 503
        expect([await refused('ada'), await refused('grace')]).to.deep.equal([429, 429]);
      });
    });
  });
});

describe('security 13: attempts that are counted in Redis', () => {
  before(async function () {
    await skipWithoutRedis(this);
  });

  it('stay counted when the process is another, and share one count over processes', async () => {
    await using keys = await redisKeys();
    await using first = await startApp({ SESSION_STORE_URL: keys.url });
    await fillUp(first, { kind: 'account', subject: 'ada' });
    await using second = await startApp({ SESSION_STORE_URL: keys.url });
    expect((await login(second)).status).to.equal(429);
    expect((await keys.names()).join())
      .to.include('attempts:')
      .and.not.include('ada');
  });
});

describe('security 13: attempts with several workers over SQLite', function () {
  this.timeout(120_000);

  it('are ten for all of them together', async () => {
    await using place = await temporaryDatabase('SQLite');
    const env = { NODE_ENV: 'test', WORKERS: '3', DATABASE_URL: place.url, BYPASS_AUTH: 'false' };
    await using service = await serve({ cwd: ROOT, env });
    const wrong = Array.from({ length: 60 }, async () => {
      const response = await fetch(`${service.url}/auth/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Connection: 'close' },
        body: JSON.stringify({ username: 'ada', password: WRONG }),
      });
      return response.status;
    });
    const codes = await Promise.all(wrong);
    expect(codes.filter((code) => code === 401)).to.have.length(10);
    expect(codes.filter((code) => code === 429)).to.have.length(50);
  });
});
