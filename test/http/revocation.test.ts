import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { ROOT, run } from '../support/command.ts';
import { type DatabasePlace, onEngines, temporaryPlace } from '../support/database.ts';
import { type Api, registerApi } from '../support/introspection.ts';
import { claimsOf } from '../support/session.ts';

const NEW_PASSWORD = 'another gull, another umbrella';

onEngines((engine) =>
  describe(`tokens are revoked in ${engine}`, function () {
    this.timeout(120_000);
    let place: DatabasePlace;
    let app: TestApp;
    let api: Api;
    let names = 0;
    before(async () => {
      place = await temporaryPlace(engine);
      app = await startApp({ DATABASE_URL: place.url });
      api = await registerApi(app);
    });
    after(async () => {
      await app[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    /** A user of whom nobody has heard, signed in twice by password. */
    async function someone() {
      names += 1;
      const name = `user${names}`;
      await addUser(app, name);
      const [laptop, phone] = [app.client(), app.client()];
      for (const client of [laptop, phone])
        expect((await client.login(name, PASSWORD)).status).to.equal(200);
      return { name, laptop, phone, tokens: [await laptop.token(), await phone.token()] as const };
    }

    const sidOf = (token: string) => String(claimsOf(token)['sid']);

    /** Whether the service takes them, and whether it says of them that they are good: that is the same. */
    async function areGood(tokens: readonly string[]): Promise<boolean[]> {
      return Promise.all(
        tokens.map(async (token) => {
          const { status } = await app
            .client()
            .get('/auth/me', { Authorization: `Bearer ${token}` });
          const active = await api.isActive(token);
          expect(status).to.equal(active ? 200 : 401);
          return active;
        }),
      );
    }

    async function isAlive(client: Client): Promise<boolean> {
      return (await client.get('/auth/token')).status === 200;
    }

    /** A command in a process of its own, on the same database. */
    async function command(args: readonly string[], stdin = ''): Promise<void> {
      const env = { NODE_ENV: 'test', DATABASE_URL: place.url };
      const { code, stderr } = await run(args, { cwd: ROOT, env, stdin });
      expect(code, stderr).to.equal(0);
    }

    describe('by whoever has the session:', () => {
      it('a logout revokes the tokens of that session', async () => {
        const { laptop, tokens } = await someone();
        const second = await laptop.token();
        await laptop.post('/auth/logout');
        expect(await areGood([...tokens, second])).to.deep.equal([false, true, false]);
      });

      it('following a link to log out does, too', async () => {
        const { laptop, tokens } = await someone();
        await laptop.get('/auth/logout');
        expect(await areGood(tokens)).to.deep.equal([false, true]);
      });

      it('signing in again revokes those of the session before', async () => {
        const { laptop, tokens, name } = await someone();
        expect((await laptop.login(name, PASSWORD)).status).to.equal(200);
        expect(await areGood([...tokens, await laptop.token()])).to.deep.equal([false, true, true]);
      });

      it('signing in as somebody else does, too', async () => {
        const { laptop, tokens } = await someone();
        await laptop.get('/auth/bypass?token=grace');
        expect(await areGood(tokens)).to.deep.equal([false, true]);
      });

      it('a new password revokes those of the other sessions', async () => {
        const { laptop, phone, tokens } = await someone();
        const change = { current_password: PASSWORD, new_password: NEW_PASSWORD };
        expect((await laptop.post('/auth/password', change)).status).to.equal(204);
        expect(await areGood(tokens)).to.deep.equal([true, false]);
        expect([await isAlive(laptop), await isAlive(phone)]).to.deep.equal([true, false]);
      });
    });

    describe('by whoever runs the service:', () => {
      it('user disable', async () => {
        const { name, tokens } = await someone();
        await command(['user', 'disable', name]);
        expect(await areGood(tokens)).to.deep.equal([false, false]);
        await command(['user', 'enable', name]); // it is the sessions that have ended, not only the user
        expect(await areGood(tokens)).to.deep.equal([false, false]);
      });

      it('user delete', async () => {
        const { name, tokens } = await someone();
        await command(['user', 'delete', name]);
        expect(await areGood(tokens)).to.deep.equal([false, false]);
      });

      it('user password', async () => {
        const { name, tokens } = await someone();
        await command(['user', 'password', name], NEW_PASSWORD);
        expect(await areGood(tokens)).to.deep.equal([false, false]);
      });

      it('session revoke, of one session', async () => {
        const { tokens } = await someone();
        await command(['session', 'revoke', sidOf(tokens[1])]);
        expect(await areGood(tokens)).to.deep.equal([true, false]);
      });

      it('session revoke, of all of a user', async () => {
        const { name, tokens } = await someone();
        const other = await someone();
        await command(['session', 'revoke', '--user', name]);
        expect(await areGood([...tokens, ...other.tokens])).to.deep.equal([
          false,
          false,
          true,
          true,
        ]);
      });

      it('user roles: the sessions go on, and their next tokens have the new roles', async () => {
        const { name, laptop, phone, tokens } = await someone();
        await command(['user', 'roles', name, '--add', 'editor']);
        expect(await areGood(tokens)).to.deep.equal([false, false]);
        const next = [await laptop.token(), await phone.token()];
        expect(await areGood(next)).to.deep.equal([true, true]);
        for (const token of next) expect(claimsOf(token)['roles']).to.deep.equal(['editor']);
        await laptop.post('/auth/logout');
        expect(await areGood(next)).to.deep.equal([false, true]);
      });

      it('user roles, again: it may be repeated, as after a failure', async () => {
        const { name, laptop } = await someone();
        await command(['user', 'roles', name, '--set', 'editor']);
        const token = await laptop.token();
        await command(['user', 'roles', name, '--set', 'editor']);
        expect(await areGood([token, await laptop.token()])).to.deep.equal([false, true]);
      });

      it('and not by looking at the roles', async () => {
        const { name, tokens } = await someone();
        await command(['user', 'roles', name]);
        expect(await areGood(tokens)).to.deep.equal([true, true]);
      });
    });

    describe('while exchanges run:', () => {
      /** Tokens that many tabs get while something happens in the middle of it. */
      async function tokensAround(client: Client, happens: () => Promise<unknown>) {
        const tokens: string[] = [];
        const exchange = async (tab: Client): Promise<void> => {
          const response = await tab.get('/auth/token');
          if (response.status === 200) tokens.push(String((await bodyOf(response))['token']));
          else expect(response.status).to.equal(401);
        };
        const tabs = Array.from({ length: 12 }, () => client.clone());
        const rounds = async (tab: Client) => {
          for (let round = 0; round < 8; round += 1) await exchange(tab);
        };
        const running = tabs.map(rounds);
        await exchange(client);
        await happens();
        await Promise.all(running);
        return tokens;
      }

      it('none that was issued before or after a logout survives it', async () => {
        for (let turn = 0; turn < 5; turn += 1) {
          const { laptop } = await someone();
          const tokens = await tokensAround(laptop.clone(), () => laptop.post('/auth/logout'));
          expect(tokens).to.not.be.empty;
          expect(new Set(await areGood(tokens))).to.deep.equal(new Set([false]));
        }
      });

      it('those that survive a change of roles have the new ones', async () => {
        const { laptop, name } = await someone();
        const { users, changeRoles } = app.services;
        const { id = '' } = (await users.findByUsername(name)) ?? {};
        const tokens = await tokensAround(laptop, () => changeRoles(id, () => ['editor']));
        tokens.push(await laptop.token());
        const good = await areGood(tokens);
        expect(good).to.include(false);
        for (const token of tokens.filter((_, index) => good[index])) {
          expect(claimsOf(token)['roles']).to.deep.equal(['editor']);
        }
        expect(good.at(-1)).to.equal(true);
      });
    });

    it('a change of roles goes on from what another one beside it has left', async () => {
      const { users, changeRoles, database } = app.services;
      for (const disabled of [false, true]) {
        const { id } = await addUser(app, `roles-${disabled}`);
        await users.setRoles(id, ['admin', 'b']);
        await users.setDisabled(id, disabled);
        const noted: unknown[] = [];
        const changing: Promise<unknown>[] = [];
        await database.transaction(async (db) => {
          await users.setRoles(id, ['b'], db);
          const next = (current: readonly string[]) => [...current, 'x'];
          const note = async (_: unknown, changed: unknown) => noted.push(changed);
          changing.push(changeRoles(id, next, note));
          // time enough for it, were it not kept waiting
          for (let look = 0; look < 20; look += 1)
            await db.selectFrom('users').select('id').execute();
        });
        const changed = { before: ['b'], roles: ['b', 'x'] };
        expect(await Promise.all(changing)).to.deep.equal([changed]);
        expect(noted).to.deep.equal([changed]);
        expect((await users.findById(id))?.roles).to.deep.equal(['b', 'x']);
      }
      expect(await changeRoles('nobody', () => ['x'])).to.equal(undefined);
    });

    it('but not when somebody else logs out', async () => {
      const { tokens } = await someone();
      const grace = await signIn(app, 'grace');
      await grace.post('/auth/logout');
      expect(await areGood(tokens)).to.deep.equal([true, true]);
    });
  }),
);
