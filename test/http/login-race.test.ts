import { expect } from 'chai';
import { addUser, PASSWORD, startApp, startBeside, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { HeldHasher } from '../support/held-hasher.ts';
import { refuse } from '../support/refuse.ts';

onEngines((engine) =>
  describe(`A login that is in flight, on ${engine}`, () => {
    let place: DatabasePlace;
    let app: TestApp;
    before(async () => {
      place = await temporaryPlace(engine);
      app = await startApp({ DATABASE_URL: place.url });
    });
    after(async () => {
      await app?.[Symbol.asyncDispose]();
      await place?.[Symbol.asyncDispose]();
    });

    /** Logs in, and does something else between the check of the password and the session. */
    async function loginAround(username: string, meanwhile: (id: string) => Promise<unknown>) {
      const { id } = await addUser(app, username);
      const passwords = new HeldHasher();
      await using slow = await startBeside(app, { passwords });
      const login = slow.client().login(username, PASSWORD);
      await passwords.checked;
      await meanwhile(id);
      await app.services.sessions.revokeByUser(id);
      passwords.goOn();
      return { answer: await login, sessions: await app.services.sessions.list(id) };
    }

    const { users, passwords } = {
      users: () => app.services.users,
      passwords: () => app.services.passwords,
    };
    const meanwhile: Record<string, (id: string) => Promise<unknown>> = {
      'the password is changed': async (id) =>
        users().setPassword(id, await passwords().hash('another one altogether')),
      'all sessions are ended': () => Promise.resolve(),
      'the user is disabled': (id) => users().setDisabled(id, true),
      'the user is deleted': (id) => users().remove(id),
    };
    for (const [event, act] of Object.entries(meanwhile)) {
      it(`leaves no session behind when ${event}`, async () => {
        const { answer, sessions } = await loginAround(`user-${event.replaceAll(' ', '-')}`, act);
        expect(answer.status).to.equal(401);
        expect((await bodyOf(answer))['code']).to.equal('invalid_credentials');
        expect(answer.headers.getSetCookie()).to.deep.equal([]);
        expect(sessions).to.deep.equal([]);
      });
    }

    it('leaves no session behind either where none can be removed any more, as after a crash', async () => {
      const { answer, sessions } = await loginAround('grace', async (id) => {
        await users().setPassword(id, 'none that anybody knows');
        await refuse(app.services.database, engine, 'delete', 'sessions');
      });
      expect([answer.status, sessions]).to.deep.equal([401, []]);
    });
  }),
);
