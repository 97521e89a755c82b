import { expect } from 'chai';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { DAY, MINUTE, SECOND } from '../support/clock.ts';
import { onEngines, temporaryPlace } from '../support/database.ts';
import { sessionRows } from '../support/session.ts';

onEngines((engine) =>
  describe(`a service on ${engine} whose clock jumps`, function () {
    this.timeout(120_000);

    async function withApp(test: (app: TestApp, ada: Client) => Promise<void>): Promise<void> {
      await using place = await temporaryPlace(engine);
      const env = { DATABASE_URL: place.url, JWT_ALGORITHM: 'ES256', SESSION_IDLE_TIMEOUT: '3d' };
      await using app = await startApp(env);
      await test(app, await signIn(app, 'ada'));
    }

    const exchange = async (client: Client) => (await client.get('/auth/token')).status;
    const me = async (app: TestApp, token: string) =>
      (await app.client().get('/auth/me', { Authorization: `Bearer ${token}` })).status;

    it('a day ahead and back: no token beyond its end, and everything that lives goes on', () =>
      withApp(async (app, ada) => {
        const token = await ada.token();
        app.clock.advance(DAY);
        expect(await me(app, token), 'beyond its end').to.equal(401);
        expect(await exchange(ada), 'alive for seven days').to.equal(200);
        await app.services.keys.maintain();
        await app.services.retention.run();
        app.clock.advance(-DAY);
        expect(await me(app, token), 'before its end again').to.equal(200);
        expect(await exchange(ada)).to.equal(200);
        expect(await me(app, await ada.token()), 'a token of now').to.equal(200);
        await app.services.keys.maintain();
        await app.services.retention.run();
        expect(await exchange(await signIn(app, 'grace'))).to.equal(200);
        expect(app.logged()).not.to.include('"level":50');
      }));

    it('a day back and ahead: a session of then is over when its time is up, and no sooner', () =>
      withApp(async (app, ada) => {
        const token = await ada.token();
        app.clock.advance(-DAY);
        expect(await exchange(ada)).to.equal(200);
        const grace = await signIn(app, 'grace');
        app.clock.advance(DAY);
        expect([await exchange(ada), await exchange(grace), await me(app, token)]).to.deep.equal([
          200, 200, 200,
        ]);
        app.clock.advance(6 * DAY + SECOND);
        expect(await exchange(grace), 'seven days after its sign-in').to.equal(401);
      }));

    it('beyond the end of a session and back: retention leaves whatever is not a day past it', () =>
      withApp(async (app, ada) => {
        app.clock.advance(3 * DAY + MINUTE);
        expect(await exchange(ada), 'idle for too long').to.equal(401);
        await app.services.retention.run();
        expect(await sessionRows(app)).to.equal(1);
        app.clock.advance(-3 * DAY - MINUTE);
        expect(await exchange(ada)).to.equal(200);
      }));

    it('a logout stays final, whatever the clock says, and the status list says so', () =>
      withApp(async (app, ada) => {
        const token = await ada.token();
        app.clock.advance(-DAY);
        const tab = ada.clone();
        expect((await ada.post('/auth/logout')).status).to.equal(204);
        for (const jump of [0, DAY, -DAY, 2 * DAY, -DAY]) {
          app.clock.advance(jump);
          await app.services.retention.run();
          expect([await exchange(tab), await me(app, token)]).to.deep.equal([401, 401]);
        }
        const [list = ''] = await app.services.statusLists.ids();
        expect(await app.services.statusLists.revokedIndices(list)).to.have.length(1);
      }));
  }),
);
