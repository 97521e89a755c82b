import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { type Balancer, startBalancer } from '../support/balancer.ts';
import { bodyOf, Client } from '../support/client.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type RedisKeys, redisKeys, skipWithoutRedis } from '../support/redis.ts';

/** A connection for this request alone, so that the balancer sends it to the next process. */
const ONCE = { Connection: 'close' };

onEngines(
  () =>
    describe('three processes behind a balancer, over PostgreSQL and Redis', function () {
      this.timeout(120_000);
      const directory = temporaryDirectory();
      let place: DatabasePlace;
      let redis: RedisKeys;
      let processes: Served[] = [];
      let balancer: Balancer;
      let surroundings: { cwd: string; env: Record<string, string> };
      before(async function () {
        await skipWithoutRedis(this);
        const cwd = directory.path;
        await run(['init'], { cwd });
        place = await temporaryPlace('PostgreSQL');
        redis = await redisKeys();
        const stores = { DATABASE_URL: place.url, SESSION_STORE_URL: redis.url };
        // debug: every request is in the log
        surroundings = {
          cwd,
          env: { ...stores, PUBLIC_URL: 'http://localhost:3000', LOG_LEVEL: 'debug' },
        };
        await run(['user', 'add', 'ada'], { ...surroundings, stdin: PASSWORD });
      });
      beforeEach(async () => {
        processes = await Promise.all([1, 2, 3].map(() => serve(surroundings)));
        balancer = await startBalancer(processes.map(({ port }) => port));
      });
      afterEach(async () => {
        await balancer[Symbol.asyncDispose]();
        for (const one of processes) await one[Symbol.asyncDispose]();
      });
      after(async () => {
        await redis?.[Symbol.asyncDispose]();
        await place?.[Symbol.asyncDispose]();
        directory[Symbol.dispose]();
      });

      async function login(): Promise<Client> {
        const client = new Client(balancer.url);
        const credentials = { username: 'ada', password: PASSWORD };
        expect((await client.post('/auth/login', credentials, ONCE)).status).to.equal(200);
        return client;
      }

      const exchange = (client: Client) => client.get('/auth/token', ONCE);

      async function tokenOf(client: Client): Promise<string> {
        const response = await exchange(client);
        expect(response.status).to.equal(200);
        return String((await bodyOf(response))['token']);
      }

      /** Of the exchange at each of the three, and of the profile with that token at each. */
      async function statuses(client: Client, token: string): Promise<number[]> {
        const answers: number[] = [];
        for (const headers of [ONCE, { ...ONCE, Authorization: `Bearer ${token}` }]) {
          const path = 'Authorization' in headers ? '/auth/me' : '/auth/token';
          for (const _ of processes) answers.push((await client.get(path, headers)).status);
        }
        return answers;
      }

      const REFUSED = [401, 401, 401, 401, 401, 401];

      /** Which of the processes have answered that, as often as they did. */
      function answeredBy(path: string): number[] {
        return processes.flatMap((one, index) =>
          logLines(one.output().stdout.replace(/[^\n]*$/, ''))
            .filter(({ route }) => route === path)
            .map(() => index),
        );
      }

      it('log in at one, exchange at another, log out at the third: refused everywhere at once', async () => {
        for (const _ of processes) {
          const ada = await login();
          const token = await tokenOf(ada);
          expect((await ada.clone().post('/auth/logout', undefined, ONCE)).status).to.equal(204);
          expect(await statuses(ada, token)).to.deep.equal(REFUSED);
          await exchange(ada); // the next round begins at another process
        }
        for (const path of ['/auth/login', '/auth/logout']) {
          await processes[0]?.until(() => answeredBy(path).length >= 3); // the log is written in blocks
          expect(answeredBy(path)).to.deep.equal([0, 1, 2]);
        }
      });

      it('give no token after a logout, however many exchanges were in flight', async () => {
        const ada = await login();
        let over = false;
        let answers = 0;
        const exchanging = processes.flatMap(({ url }) =>
          [1, 2, 3].map(async () => {
            const tab = new Client(url);
            for (const [name, value] of ada.cookies) tab.cookies.set(name, value);
            for (let status = 200; status === 200; answers += 1) {
              const late = over;
              ({ status } = await tab.get('/auth/token'));
              expect(status).to.be.oneOf(late ? [401] : [200, 401]);
            }
          }),
        );
        await processes[0]?.until(() => answers > 50);
        expect((await ada.clone().post('/auth/logout', undefined, ONCE)).status).to.equal(204);
        over = true;
        await Promise.all(exchanging);
      });

      it('give no token to a user whom one of them has disabled, and let them in no more', async () => {
        const ada = await login();
        const token = await tokenOf(ada);
        expect((await run(['user', 'disable', 'ada'], surroundings)).code).to.equal(0);
        expect(await statuses(ada, token)).to.deep.equal(REFUSED);
        for (const { url } of processes) {
          expect((await new Client(url).login('ada', PASSWORD)).status).to.equal(401);
        }
        expect((await run(['user', 'enable', 'ada'], surroundings)).code).to.equal(0);
        expect(await statuses(ada, token), 'enabled again').to.deep.equal(REFUSED);
        await login();
      });

      it('are two when one is killed, and nobody notices who asks after that', async () => {
        const ada = await login();
        await processes[1]?.stop('SIGKILL');
        for (let turn = 0; turn < 6; turn += 1) {
          expect((await exchange(ada)).status).to.equal(200);
        }
        await login();
      });
    }),
  ['PostgreSQL'],
);
