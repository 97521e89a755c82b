import { expect } from 'chai';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { DAY, HOUR, MINUTE } from '../support/clock.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { onEngines, temporaryPlace } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type MovedClock, movedClock, skipWithoutMovedClock } from '../support/moved-clock.ts';

onEngines((engine) =>
  describe(`a process on ${engine} whose machine has another time all at once`, function () {
    this.timeout(120_000);
    before(function () {
      skipWithoutMovedClock(this);
    });

    async function withService(
      test: (service: Served, clock: MovedClock) => Promise<void>,
    ): Promise<void> {
      await using place = await temporaryPlace(engine);
      using directory = temporaryDirectory();
      const cwd = directory.path;
      const clock = movedClock(cwd);
      const env = {
        DATABASE_URL: place.url,
        JWT_ALGORITHM: 'ES256',
        KEY_ROTATION_INTERVAL: '1d',
        SESSION_IDLE_TIMEOUT: '3d',
      };
      await run(['init'], { cwd });
      for (const name of ['ada', 'grace']) {
        await run(['user', 'add', name], { cwd, env, stdin: PASSWORD });
      }
      await using service = await serve({ cwd, env: { ...env, ...clock.env } });
      await test(service, clock);
      const { code, stdout } = await service.stop();
      expect(code, 'it has never crashed').to.equal(0);
      expect(logLines(stdout).filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
    }

    async function signIn({ url }: Served, name: string): Promise<Client> {
      const client = new Client(url);
      expect((await client.login(name, PASSWORD)).status).to.equal(200);
      return client;
    }

    const exchange = async (client: Client) => (await client.get('/auth/token')).status;
    const me = async ({ url }: Served, token: string) =>
      (await new Client(url).get('/auth/me', { Authorization: `Bearer ${token}` })).status;
    const keySet = async ({ url }: Served) =>
      (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as JSONWebKeySet;

    /** A token that was just signed is good for the service, and for an API by the keys that are published. */
    async function expectGood(service: Served, clock: MovedClock, client: Client): Promise<string> {
      const token = await client.token();
      expect(await me(service, token)).to.equal(200);
      const keys = createLocalJWKSet(await keySet(service));
      const { payload } = await jwtVerify(token, keys, { currentDate: new Date(clock.now()) });
      expect(Math.abs(Number(payload.iat) * 1000 - clock.now()), 'signed now').to.be.below(MINUTE);
      return token;
    }

    const kid = (token: string) => decodeProtectedHeader(token).kid;

    it('a day ahead and back: no token beyond its end, keys change hands, and everybody stays signed in', () =>
      withService(async (service, clock) => {
        const ada = await signIn(service, 'ada');
        const first = await expectGood(service, clock, ada);

        clock.move(DAY + MINUTE);
        expect(await me(service, first), 'beyond its end').to.equal(401);
        await expectGood(service, clock, ada);
        await service.until(async () => (await keySet(service)).keys.length > 1); // the next key is due
        clock.move(DAY + HOUR);
        const grace = await signIn(service, 'grace');
        const next = await expectGood(service, clock, ada);
        expect(kid(next), 'the next key signs').not.to.equal(kid(first));

        clock.move(0);
        expect(await me(service, first), 'before its end again').to.equal(200);
        const again = await expectGood(service, clock, ada);
        expect(kid(again), 'the first key signs').to.equal(kid(first));
        await expectGood(service, clock, grace);
        await expectGood(service, clock, await signIn(service, 'grace'));
      }));

    it('a day back and ahead, and past every end: no session beyond its own, and people sign in anew', () =>
      withService(async (service, clock) => {
        const ada = await signIn(service, 'ada');
        const token = await expectGood(service, clock, ada);

        clock.move(-DAY);
        await expectGood(service, clock, ada);
        const grace = await signIn(service, 'grace');
        const early = await expectGood(service, clock, grace);

        clock.move(0);
        expect(await me(service, early), 'of a day ago').to.equal(401);
        expect([await me(service, token), await exchange(grace)]).to.deep.equal([200, 200]);

        clock.move(2 * DAY + HOUR);
        expect(await exchange(grace), 'in use two days ago').to.equal(200);
        clock.move(5 * DAY);
        expect(await exchange(grace), 'in use three days ago').to.equal(200);
        clock.move(6 * DAY + MINUTE);
        expect(await exchange(grace), 'seven days after its sign-in').to.equal(401);
        expect(await exchange(ada), 'not in use for three days').to.equal(401);
        expect(await me(service, token)).to.equal(401);
        await service.until(async () => (await fetch(`${service.url}/readyz`)).status === 200);
        await expectGood(service, clock, await signIn(service, 'ada'));

        clock.move(0);
        await expectGood(service, clock, await signIn(service, 'ada'));
      }));

    it('a logout stays final, whatever the time', () =>
      withService(async (service, clock) => {
        const ada = await signIn(service, 'ada');
        const token = await expectGood(service, clock, ada);
        clock.move(-DAY);
        expect((await ada.clone().post('/auth/logout')).status).to.equal(204);
        for (const time of [-DAY, 0, DAY, 0, -2 * DAY]) {
          clock.move(time);
          expect([await exchange(ada), await me(service, token)]).to.deep.equal([401, 401]);
        }
      }));
  }),
);
