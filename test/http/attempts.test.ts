import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { createApp } from '../../app.ts';
import { createWebServices } from '../../config/web-services.ts';
import { SqlAudit } from '../../audit/audit.ts';
import { readTrail } from '../../audit/trail.ts';
import { refuse } from '../support/refuse.ts';
import { fillUp } from '../support/attempts.ts';
import { PasswordHasher } from '../../users/password.ts';
import { ALLOWANCES } from '../../users/attempts.ts';
import { addUser, PASSWORD, signIn, startApp, startBeside, type TestApp } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { DAY, MINUTE, SECOND } from '../support/clock.ts';
import { setCookie } from '../support/session.ts';

const WRONG = 'a wren stole my umbrella';

/** Does something while all cores hash, and go on hashing. */
async function crowded(passwords: PasswordHasher, work: () => Promise<void>): Promise<void> {
  const over = new AbortController();
  const crowd = [1, 2, 3].map(async () => {
    while (!over.signal.aborted) await passwords.matches(null, WRONG, 'again').catch(() => false);
  });
  await work().finally(() => over.abort());
  await Promise.all(crowd);
}

describe('security 13: attempts to log in', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp();
    await addUser(app, 'Ada', { email: 'ada@example.org' });
  });
  afterEach(() => app[Symbol.asyncDispose]());

  const login = (name = 'ada', password = WRONG, client = app.client()) =>
    client.login(name, password);
  const status = async (...args: Parameters<typeof login>) => (await login(...args)).status;
  const fillAccount = () => fillUp(app, { kind: 'account', subject: 'ada' });

  async function statuses(requests: readonly Promise<Response>[]): Promise<Map<number, number>> {
    const counts = new Map<number, number>();
    for (const response of await Promise.all(requests)) {
      await response.arrayBuffer();
      counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
    }
    return counts;
  }

  it('are ten when 100 come at once, whatever they are spelt like', async () => {
    const names = ['ada', 'Ada', 'ADA', ' ada ', 'ａｄａ', 'Ａda'];
    const storm = Array.from({ length: 100 }, (_, index) => login(names[index % names.length]));
    expect([...(await statuses(storm))]).to.have.deep.members([
      [401, 10],
      [429, 90],
    ]);
  });

  it('are answered alike for a user and for nobody, to the last word', async () => {
    await app.services.users.setDisabled((await addUser(app, 'gone')).id, true);
    const answers = [];
    for (const name of ['ada', 'nobody', 'gone', 'nobody@example.org']) {
      for (let left = 10; left > 0; left -= 1) expect(await status(name), name).to.equal(401);
      const response = await login(name);
      const { request_id: _, ...body } = await bodyOf(response);
      const headers = Object.fromEntries(response.headers);
      delete headers['date'];
      answers.push({ status: response.status, headers, body });
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).to.have.lengthOf(1);
    expect(answers[0]).to.deep.include({
      status: 429,
      body: {
        type: 'urn:coatcheck:problem:too_many_attempts',
        title: 'Too many attempts',
        status: 429,
        code: 'too_many_attempts',
        detail: 'There have been too many attempts. Please try again in 2 minutes.',
      },
    });
    expect(answers[0]?.headers).to.include({ 'retry-after': '90', 'cache-control': 'no-store' });
  });

  it('are refused before the password is looked at: the right one is too', async () => {
    await fillAccount();
    expect(await status('ada', PASSWORD)).to.equal(429);
    expect(app.logged()).to.include('"limit":"account"').and.not.include('"limit":"address"');
  });

  it('are let through again one by one, as soon as Retry-After says', async () => {
    await fillAccount();
    app.clock.advance(90 * SECOND - 1);
    expect((await login()).headers.get('retry-after')).to.equal('1');
    app.clock.advance(1);
    expect([await status(), await status()]).to.deep.equal([401, 429]);
    app.clock.advance(90 * SECOND);
    expect(await status('ada', PASSWORD)).to.equal(200);
  });

  it('count when they are wrong only, and what was wrong before stays counted', async () => {
    for (let left = 9; left > 0; left -= 1) await login();
    for (let left = 3; left > 0; left -= 1) expect(await status('ada', PASSWORD)).to.equal(200);
    expect([await status(), await status()]).to.deep.equal([401, 429]);
  });

  it('do not count when the service was too busy to look', async () => {
    const { passwords } = app.services;
    const busy = Array.from({ length: 80 }, () => passwords.hash(PASSWORD).catch(() => undefined));
    const storm = await statuses(Array.from({ length: 9 }, () => login()));
    expect(storm.get(503) ?? 0).to.be.above(0);
    const overloads = await readTrail(app.services.database, {
      events: ['limit.overloaded'],
      limit: 99,
    });
    expect(overloads, 'and are on record').to.have.length(storm.get(503) ?? 0);
    expect(overloads[0]).to.include({
      address: '127.0.0.1',
      actor_kind: 'nobody',
      subject_id: null,
    });
    await Promise.all(busy);
    for (let wrong = storm.get(401) ?? 0; wrong < 10; wrong += 1) {
      expect(await status()).to.equal(401);
    }
    expect(await status()).to.equal(429);
  });

  it('do not count when they have waited for nothing either: nobody locks an owner out with a crowd', async () => {
    const passwords = new PasswordHasher(1, -1); // whoever has to wait has waited too long
    await using busy = await startBeside(app, { passwords });
    const bucket = { kind: 'login', subject: 'ada' } as const;
    for (let left = ALLOWANCES.login.limit - 1; left > 0; left -= 1) {
      await app.services.attempts.count([bucket]);
    }
    await crowded(passwords, async () => {
      expect((await busy.client().login('ada', WRONG)).status).to.equal(503);
    });
    expect(app.logged().match(/"event":"limit.overloaded"/g)).to.have.length(1);
    expect((await busy.client().login('ada', PASSWORD)).status).to.equal(200);
    expect((await busy.client().login('ada', PASSWORD)).status).to.equal(429);
  });

  it('are limited with the right password too, on known devices as well: nobody keeps the cores to themselves', async () => {
    const known = app.client();
    expect(await status('ada', PASSWORD, known)).to.equal(200);
    await fillUp(app, { kind: 'login', subject: 'ADA' });
    for (const client of [known, app.client()]) {
      const response = await login('ada', PASSWORD, client);
      expect([response.status, response.headers.get('retry-after')]).to.deep.equal([429, '3']);
    }
    const change = { current_password: PASSWORD, new_password: 'a heron brought it back' };
    expect((await known.post('/auth/password', change)).status).to.equal(429);
    expect((await known.get('/auth/token')).status).to.equal(200);
    app.clock.advance(3 * SECOND);
    expect(await status('ada', PASSWORD)).to.equal(200);
  });

  it('are refused slowly: whoever does not heed Retry-After cannot keep the service busy with saying no', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held: number[] = [];
    const services = {
      ...app.services,
      holdBack() {
        held.push(held.length);
        return promise;
      },
    };
    const server = createServer(createApp(services)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await fillAccount();
    const answered: number[] = [];
    const refused = [1, 2, 3].map(async () => {
      const response = await new Client(`http://127.0.0.1:${port}`).login('ada', WRONG);
      answered.push(response.status);
    });
    while (held.length < 3) await setImmediate();
    expect(answered).to.deep.equal([]);
    resolve();
    await Promise.all(refused);
    expect(answered).to.deep.equal([429, 429, 429]);
    server.close();
  });

  it('have no other path: in another spelling of it there is nothing', async () => {
    for (const path of ['//auth/login', '/auth//login', '/auth/login/', '/Auth/Login']) {
      const response = await app.client().post(path, { username: 'ada', password: PASSWORD });
      expect(response.status, path).to.equal(404);
    }
    await fillAccount();
    const query = await app.client().post('/auth/login?x=1', { username: 'ada', password: WRONG });
    expect(query.status).to.equal(429);
  });

  it('with the e-mail address count by themselves, so that nobody learns whose it is', async () => {
    await fillAccount();
    expect(await status('ada@example.org')).to.equal(401);
  });

  it('are shown on the page, with what was typed', async () => {
    await fillAccount();
    const form = { username: 'ada', password: WRONG };
    const response = await app.client().submit('/auth/login', form);
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([429, '90']);
    const page = await response.text();
    expect(page).to.include('Too many attempts').and.include('Please try again in 2 minutes');
    expect(page).to.include('value="ada"').and.not.include('aria-invalid').and.not.include(WRONG);
  });

  describe('from one network', () => {
    it('are limited for all names together', async () => {
      await fillUp(app, { kind: 'address', subject: '127.0.0.1' });
      expect([await status(), await status('nobody')]).to.deep.equal([429, 429]);
      app.clock.advance(9 * SECOND);
      expect(await status()).to.equal(401);
    });

    it('are from where they come: without TRUST_PROXY nobody may say something else', async () => {
      await fillUp(app, { kind: 'address', subject: '127.0.0.1' });
      for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'True-Client-IP']) {
        const headers = { [name]: name === 'Forwarded' ? 'for=192.0.2.1' : '192.0.2.1' };
        const body = { username: 'ada', password: WRONG };
        const response = await app.client().post('/auth/login', body, headers);
        expect(response.status, name).to.equal(429);
      }
    });

    it('are from where a trusted proxy says, an IPv6 address standing for its /64', async () => {
      await using behind = await startApp({ TRUST_PROXY: '127.0.0.1', BYPASS_AUTH: 'false' });
      await fillUp(behind, { kind: 'address', subject: '2001:db8:1:2::/64' });
      await fillUp(behind, { kind: 'address', subject: '192.0.2.1' });
      const from = async (address: string) => {
        const headers = { 'X-Forwarded-For': address };
        const body = { username: 'ada', password: WRONG };
        return (await behind.client().post('/auth/login', body, headers)).status;
      };
      for (const address of [
        '2001:db8:1:2::1',
        '2001:0DB8:1:2:ffff::',
        '2001:db8:1:2:0:0:192.0.2.9',
        '192.0.2.1',
        '::ffff:192.0.2.1',
        '::ffff:c000:0201',
        '198.51.100.7, 192.0.2.1',
      ]) {
        expect(await from(address), address).to.equal(429);
      }
      expect(await from('2001:db8:1:3::1')).to.equal(401);
      expect(await from('192.0.2.2')).to.equal(401);
    });
  });

  it('from the 65,536 networks of one IPv6 customer share a limit, as do sign-ups and clients', async () => {
    await using behind = await startApp({ TRUST_PROXY: '127.0.0.1', BYPASS_AUTH: 'false' });
    const { client } = await behind.services.apiClients.add('orders');
    async function tries(address: string): Promise<number[]> {
      const headers = { 'X-Forwarded-For': address };
      const basic = { ...headers, Authorization: `Basic ${btoa(`${client.id}:guess`)}` };
      const answers = [
        behind.client().post('/auth/login', { username: 'nobody', password: WRONG }, headers),
        behind.client().post('/auth/register', { username: '-', password: PASSWORD }, headers),
        behind.client().post('/oauth/revoke', {}, basic),
      ];
      return (await Promise.all(answers)).map((response) => response.status);
    }
    for (const kind of ['address', 'registration', 'client address'] as const) {
      await fillUp(behind, { kind: `${kind} block`, subject: '2001:db8:1::/48' });
    }
    expect(await tries('2001:db8:1:ffff::1')).to.deep.equal([429, 429, 429]);
    expect(await tries('2001:db8:2::1')).to.deep.equal([401, 400, 401]);
    expect(await tries('192.0.2.1')).to.deep.equal([401, 400, 401]);
  });

  describe('from a device that somebody has logged in with', () => {
    let ada: Client;
    beforeEach(async () => {
      ada = app.client();
      await login('ada', PASSWORD, ada);
      await ada.post('/auth/logout');
      await fillAccount();
      await fillUp(app, { kind: 'address', subject: '127.0.0.1' });
    });

    it('get the owner in while others hammer the account, from the same network even', async () => {
      expect(await status('ada', PASSWORD)).to.equal(429);
      expect(await status('ada', PASSWORD, ada)).to.equal(200);
      expect((await ada.get('/auth/token')).status).to.equal(200);
    });

    it('count for that device, by the name and the e-mail address, up to ten', async () => {
      for (let left = 5; left > 0; left -= 1) {
        expect(await status('ada', WRONG, ada)).to.equal(401);
        expect(await status('ada@example.org', WRONG, ada)).to.equal(401);
      }
      expect(await status('ada', PASSWORD, ada)).to.equal(429);
      expect(app.logged()).to.include('"limit":"device"');
    });

    it('are strangers for another account: a device of one’s own opens no other', async () => {
      await addUser(app, 'mallory');
      const found = await app.services.users.findLogin('mallory');
      const { value } = app.services.devices.remember(
        found?.user.id ?? '',
        found?.passwordHash ?? '',
      );
      const mallory = app.client();
      mallory.cookies.set('device', value);
      expect(await status('mallory', PASSWORD, mallory)).to.equal(200);
      expect(await status('ada', WRONG, mallory)).to.equal(429);
      expect(await status('nobody', WRONG, mallory)).to.equal(429);
    });

    it('are a stranger’s when a letter of the cookie is changed', async () => {
      const value = ada.cookies.get('device') ?? '';
      const changed = [0, 25, 40].map((at) => {
        const other = value[at] === '1' ? '2' : '1';
        return value.slice(0, at) + other + value.slice(at + 1);
      });
      for (const cookie of [...changed, '', value.slice(0, -1), `${value}x`, '%', '..']) {
        const client = app.client();
        client.cookies.set('device', cookie);
        expect(await status('ada', PASSWORD, client), cookie).to.equal(429);
      }
    });

    it('are a stranger’s once the password is another, but not where it was changed', async () => {
      const change = { current_password: PASSWORD, new_password: 'a swan stole my umbrella' };
      const other = ada.clone();
      await login('ada', PASSWORD, ada);
      expect((await ada.post('/auth/password', change)).status).to.equal(204);
      expect(await status('ada', PASSWORD, other)).to.equal(429);
      expect(await status('ada', change.new_password, ada)).to.equal(200);
    });

    it('are a stranger’s after 180 days', async () => {
      app.clock.advance(180 * DAY - MINUTE);
      await fillAccount();
      expect(await status('ada', PASSWORD, ada.clone())).to.equal(200);
      app.clock.advance(MINUTE);
      await fillAccount();
      expect(await status('ada', PASSWORD, ada)).to.equal(429);
    });
  });

  it('remember no device of who knew the old password only, in the moment in which it is changed', async () => {
    const { users, passwords, sessions, audit } = app.services;
    const { id = '' } = (await users.findByUsername('ada')) ?? {};
    const replacement = await passwords.hash('a swan stole my umbrella');
    class Overtaken extends SqlAudit {
      override async recordWith<T>(...[event, work]: Parameters<typeof audit.recordWith<T>>) {
        const result = await super.recordWith(event, work);
        await sessions.revokeByUser(id, '', (db) => users.setPassword(id, replacement, db));
        return result;
      }
    }
    const overtaken = new Overtaken({ ...app.services, actor: { kind: 'service' } });
    await using slow = await startBeside(app, { audit: overtaken });
    const thief = slow.client();
    await thief.login('ada', PASSWORD);
    expect(thief.cookies.get('device')).to.not.equal(undefined);
    await fillAccount();
    const later = app.client();
    later.cookies.set('device', thief.cookies.get('device') ?? '');
    expect(await status('ada', WRONG, later)).to.equal(429);
  });

  it('stay counted when a wrong password cannot be put on record', async () => {
    const ada = app.client();
    await login('ada', PASSWORD, ada);
    await app.services.database.kysely.deleteFrom('attempts').execute();
    await refuse(app.services.database, 'SQLite', 'insert', 'audit_events');
    for (let left = 10; left > 0; left -= 1) expect(await status()).to.equal(500);
    const change = { current_password: WRONG, new_password: 'a swan stole my umbrella' };
    for (let left = 10; left > 0; left -= 1) {
      expect((await ada.post('/auth/password', change)).status).to.equal(500);
    }
    const { attempts, sessions } = app.services;
    const [session] = await sessions.list();
    for (const bucket of [
      { kind: 'account', subject: 'ada' },
      { kind: 'password change', subject: session?.publicId ?? '' },
    ] as const) {
      expect(await attempts.count([bucket])).to.include({ kind: bucket.kind });
    }
  });

  it('set a cookie that scripts, other sites and other hosts do not get, and that opens nothing', async () => {
    const ada = app.client();
    const cookie = setCookie(await login('ada', PASSWORD, ada), 'device');
    expect(cookie).to.match(
      /^device=[\w.-]{77}; max-age=15552000; path=\/; expires=[^;]+; httponly; samesite=strict$/,
    );
    ada.cookies.delete('session');
    expect((await ada.get('/auth/token')).status).to.equal(401);
    expect(setCookie(await login(), 'device')).to.equal(undefined);
    const bypass = await app.client().get('/auth/bypass?token=ada');
    expect(setCookie(bypass, 'device')).to.equal(undefined);
  });

  it('never slow or refuse what hashes nothing, nor the bypass', async () => {
    const ada = await signIn(app, 'ada');
    await fillAccount();
    await fillUp(app, { kind: 'address', subject: '127.0.0.1' });
    for (const path of ['/auth/token', '/auth/session', '/auth/sessions', '/login', '/readyz']) {
      expect((await ada.get(path)).status, path).to.equal(200);
    }
    expect((await ada.get('/auth/bypass?token=ada')).status).to.equal(200);
    expect((await ada.post('/auth/logout')).status).to.equal(204);
  });
});

describe('security 13: attempts at other things that hash', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startApp();
    await addUser(app, 'ada');
  });
  afterEach(() => app[Symbol.asyncDispose]());

  it('sign up: one network may so often, and nobody is added beyond it', async () => {
    const grace = { username: 'grace', password: PASSWORD };
    await fillUp(app, { kind: 'registration', subject: '127.0.0.1' });
    const response = await app.client().post('/auth/register', grace);
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([429, '72']);
    expect(await app.services.users.findByUsername('grace')).to.equal(undefined);
    app.clock.advance(72 * SECOND);
    expect((await app.client().post('/auth/register', grace)).status).to.equal(201);
    const again = await app.client().post('/auth/register', { ...grace, username: 'alan' });
    expect(again.status).to.equal(429);
  });

  it('sign up: names that are taken count, or anybody could ask for one after another who is here', async () => {
    await app.services.users.add({ username: 'grace', email: 'grace@example.org' });
    const taken = { username: 'ADA', password: PASSWORD };
    const inUse = { username: 'eve', email: 'Grace@example.org', password: PASSWORD };
    const bucket = { kind: 'registration', subject: '127.0.0.1' } as const;
    for (let left = ALLOWANCES.registration.limit - 2; left > 0; left -= 1) {
      await app.services.attempts.count([bucket]);
    }
    expect((await app.client().post('/auth/register', taken)).status).to.equal(409);
    expect((await app.client().post('/auth/register', inUse)).status).to.equal(409);
    expect((await app.client().post('/auth/register', taken)).status).to.equal(429);
  });

  it('sign up: what the service was too busy for does not count', async () => {
    const passwords = new PasswordHasher(1, -1); // whoever has to wait has waited too long
    await using busy = await startBeside(app, { passwords });
    const grace = { username: 'grace', password: PASSWORD };
    const bucket = { kind: 'registration', subject: '127.0.0.1' } as const;
    for (let left = ALLOWANCES.registration.limit - 1; left > 0; left -= 1) {
      await app.services.attempts.count([bucket]);
    }
    await crowded(passwords, async () => {
      for (let left = 3; left > 0; left -= 1) {
        expect((await busy.client().post('/auth/register', grace)).status).to.equal(503);
      }
    });
    expect((await busy.client().post('/auth/register', grace)).status).to.equal(201);
    expect((await busy.client().post('/auth/register', grace)).status).to.equal(429);
  });

  it('change a password: whoever there is no time for is refused slowly, as at a login', async () => {
    let held = 0;
    const passwords = new PasswordHasher(1, -1); // whoever has to wait has waited too long
    const services = await createWebServices({ ...app.services, passwords }, async () => {
      held += 1;
    });
    const server = createServer(createApp(services)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const ada = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await ada.login('ada', PASSWORD);
    const change = { current_password: PASSWORD, new_password: 'a swan stole my umbrella' };
    await crowded(passwords, async () => {
      expect((await ada.post('/auth/password', change)).status).to.equal(503);
    });
    server.close();
    server.closeAllConnections();
    expect(held).to.equal(1);
  });

  it('change a password: one session guesses ten times, and the others go on', async () => {
    const [thief, owner] = [app.client(), app.client()];
    await thief.login('ada', PASSWORD);
    await owner.login('ada', PASSWORD);
    const change = { current_password: WRONG, new_password: 'a swan stole my umbrella' };
    const guesses = Array.from({ length: 30 }, () => thief.post('/auth/password', change));
    const codes = (await Promise.all(guesses)).map((response) => response.status);
    expect(codes.filter((code) => code === 400)).to.have.length(10);
    expect(codes.filter((code) => code === 429)).to.have.length(20);
    const right = { ...change, current_password: PASSWORD };
    expect((await thief.post('/auth/password', right)).status).to.equal(429);
    expect((await owner.post('/auth/password', right)).status).to.equal(204);
  });

  it('show a client’s secret: wrong ones are limited, and the right one always goes through', async () => {
    const { client, secret } = await app.services.apiClients.add('orders');
    const ask = (password: string, id = client.id) =>
      app.client().request(
        'POST',
        '/oauth/introspect',
        {
          Authorization: `Basic ${btoa(`${id}:${password}`)}`,
          'Content-Type': 'application/x-www-form-urlencoded',
        },
        'token=x',
      );
    const codes = (
      await Promise.all(Array.from({ length: 30 }, (_, index) => ask(`guess ${index}`)))
    ).map((response) => response.status);
    expect(codes.filter((code) => code === 401)).to.have.length(10);
    const response = await ask('one more');
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([429, '90']);
    expect(await bodyOf(response)).to.include({ error: 'invalid_client' });
    expect((await ask(secret)).status).to.equal(200);
    await fillUp(app, { kind: 'client address', subject: '127.0.0.1' });
    expect((await ask('guess', 'another')).status).to.equal(429);
    expect((await ask(secret)).status).to.equal(200);
  });
});
