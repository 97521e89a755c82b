import { expect } from 'chai';
import { StorageError } from '../../core/errors.ts';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { bodyOf } from '../support/client.ts';
import { HOUR, TestClock } from '../support/clock.ts';
import { forge } from '../support/forge.ts';
import { type Api, basic, registerApi } from '../support/introspection.ts';
import { claimsOf } from '../support/session.ts';

const PATHS = ['/oauth/introspect', '/oauth/revoke'] as const;
const INACTIVE = '{"active":false}';

describe('API clients', () => {
  let app: TestApp;
  let api: Api;
  let ada: Client;
  before(async () => {
    app = await startApp();
    api = await registerApi(app);
  });
  beforeEach(async () => (ada = await signIn(app, 'ada')));
  after(() => app[Symbol.asyncDispose]());

  async function introspect(token: string): Promise<string> {
    const response = await api.post('/oauth/introspect', { token });
    expect(response.status).to.equal(200);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
    return response.text();
  }

  /** Tokens that are good for nothing, with why. */
  async function useless(): Promise<Record<string, string>> {
    await using other = await startApp({ PUBLIC_URL: 'http://localhost:4000' });
    const token = await ada.token();
    const loggedOut = await signIn(app, 'ada');
    const revoked = await loggedOut.token();
    await loggedOut.post('/auth/logout');
    const secret = app.services.settings.jwt.secret ?? '';
    const header = { alg: 'HS256', typ: 'JWT', kid: app.services.keyRing.signing().kid };
    const claims = claimsOf(token);
    const elsewhere = { status_list: { idx: 0, uri: 'https://evil.example/status-lists/x' } };
    return {
      'no token at all': 'x',
      'a number': '42',
      'not text': '\0\uFFFD',
      'a long text': 'x'.repeat(15_000),
      'one without signature': token.replace(/[^.]+$/, ''),
      'one with another signature': `${token.slice(0, -4)}AAAA`,
      'one of another service': await (await signIn(other, 'ada')).token(),
      'one that was revoked': revoked,
      'one without status': forge(header, { ...claims, status: undefined }, secret),
      'one with a status elsewhere': forge(header, { ...claims, status: elsewhere }, secret),
      'a status list': await (await fetch(app.url + pathOfList(claims))).text(),
    };
  }

  describe('POST /oauth/introspect', () => {
    it('tells the claims of a token that is good', async () => {
      const token = await ada.token();
      const answer: unknown = JSON.parse(await introspect(token));
      expect(answer).to.deep.equal({ ...claimsOf(token), active: true, token_type: 'Bearer' });
      expect(answer).to.include({ username: 'ada' });
    });

    it('tells of any other that it is not active, and nothing else', async () => {
      for (const [what, token] of Object.entries(await useless())) {
        expect(await introspect(token), what).to.equal(INACTIVE);
      }
    });

    it('tells the same of one that has expired', async () => {
      const clock = new TestClock();
      await using later = await startApp({}, { clock });
      const client = await registerApi(later);
      const token = await (await signIn(later, 'ada')).token();
      expect(await client.isActive(token)).to.equal(true);
      clock.advance(6 * HOUR + 10_000);
      expect(await client.isActive(token)).to.equal(false);
    });

    it('tells the same of one that ends this very second', async () => {
      const clock = new TestClock();
      await using own = await startApp({}, { clock });
      const caller = await registerApi(own);
      const token = await (await signIn(own, 'ada')).token();
      const exp = Number(claimsOf(token)['exp']);
      clock.advance((exp - 1) * 1000 - clock.now());
      const active = await caller.post('/oauth/introspect', { token });
      expect(await bodyOf(active)).to.include({ active: true });
      clock.advance(1000);
      expect(await (await caller.post('/oauth/introspect', { token })).text()).to.equal(INACTIVE);
    });

    it('tells the same when the user is disabled or gone', async () => {
      for (const name of ['disabled', 'gone']) {
        const token = await (await signIn(app, name)).token();
        expect(await api.isActive(token)).to.equal(true);
        const { users } = app.services;
        const user = await users.findByUsername(name);
        if (name === 'gone') await users.remove(user?.id ?? '');
        else await users.setDisabled(user?.id ?? '', true);
        expect(await introspect(token)).to.equal(INACTIVE);
      }
    });

    it('knows of a logout at once', async () => {
      const token = await ada.token();
      expect(await api.isActive(token)).to.equal(true);
      await ada.post('/auth/logout');
      expect(await introspect(token)).to.equal(INACTIVE);
    });

    it('says that it does not know while the database is away, never that a token is not active', async () => {
      await using broken = await startApp();
      const client = await registerApi(broken);
      const token = await (await signIn(broken, 'ada')).token();
      const away = () => Promise.reject(new StorageError('away'));
      const { statusLists, users, apiClients } = broken.services;
      for (const step of [
        () => (users.findActive = away),
        () => (statusLists.isRevoked = away),
        () => (apiClients.authenticate = away),
      ]) {
        step();
        for (const path of PATHS) {
          if (path === '/oauth/revoke' && statusLists.isRevoked !== away) continue;
          const response = await client.post(path, { token });
          expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '5']);
          expect(await bodyOf(response)).to.deep.include({ error: 'temporarily_unavailable' });
        }
      }
    });
  });

  describe('POST /oauth/revoke', () => {
    it('revokes the token and the others of its session, which goes on', async () => {
      const [first, second] = [await ada.token(), await ada.token()];
      const phone = await signIn(app, 'ada');
      const elsewhere = await phone.token();
      const response = await api.post('/oauth/revoke', { token: first });
      expect([response.status, await response.text()]).to.deep.equal([200, '']);
      expect(response.headers.get('cache-control')).to.equal('no-store');
      expect([await api.isActive(first), await api.isActive(second)]).to.deep.equal([false, false]);
      expect(await api.isActive(await ada.token()), 'the next one').to.equal(true);
      expect(await api.isActive(elsewhere), 'of another session').to.equal(true);
    });

    it('does not hurt the tokens that were issued since, when asked again', async () => {
      const token = await ada.token();
      await api.post('/oauth/revoke', { token });
      const next = await ada.token();
      expect((await api.post('/oauth/revoke', { token })).status).to.equal(200);
      expect(await api.isActive(next)).to.equal(true);
    });

    it('revokes a token whose session is gone from the store, too', async () => {
      const token = await ada.token();
      await app.services.database.kysely.deleteFrom('sessions').execute();
      expect(await api.isActive(token)).to.equal(true);
      await api.post('/oauth/revoke', { token });
      expect(await api.isActive(token)).to.equal(false);
    });

    it('has nothing to do for any other text, which is no error', async () => {
      const token = await ada.token();
      for (const [what, other] of Object.entries(await useless())) {
        const response = await api.post('/oauth/revoke', { token: other });
        expect([response.status, await response.text()], what).to.deep.equal([200, '']);
      }
      expect(await api.isActive(token)).to.equal(true);
    });
  });

  for (const path of PATHS) {
    describe(`POST ${path}, in any case,`, () => {
      async function refusal(response: Response): Promise<unknown> {
        expect(response.headers.get('cache-control')).to.equal('no-store');
        expect(response.headers.has('etag')).to.equal(false);
        const body = await bodyOf(response);
        expect(body).to.have.all.keys('error', 'error_description');
        expect(body['error_description']).to.match(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
        return [response.status, body['error']];
      }

      it('is for clients with the right secret only', async () => {
        const token = await ada.token();
        const other = await registerApi(app);
        const wrong: Record<string, string> = {
          'no secret': '',
          'an unknown id': basic('unknown', api.secret),
          'a wrong secret': basic(api.id, 'wrong'),
          'an empty secret': basic(api.id, ''),
          'the secret of another': basic(api.id, other.secret),
          'the hash of the secret': basic(api.id, await storedHash(api.id)),
          'a NUL': basic(`${api.id}\0`, api.secret),
          'a bad escape': `Basic ${btoa(`${api.id}:%zz`)}`,
          'no colon': `Basic ${btoa(api.id + api.secret)}`,
          'no base64': `Basic ${api.id}:${api.secret}`,
          'another scheme': basic(api.id, api.secret).replace('Basic', 'Digest'),
          'a token': `Bearer ${token}`,
        };
        for (const [what, Authorization] of Object.entries(wrong)) {
          const response = await api.post(path, { token }, { Authorization });
          expect(await refusal(response), what).to.deep.equal([401, 'invalid_client']);
          expect(response.headers.get('www-authenticate')).to.equal('Basic realm="coatcheck"');
        }
        const bare = await fetch(app.url + path, {
          method: 'POST',
          body: new URLSearchParams({ token, client_id: api.id, client_secret: api.secret }),
        });
        expect(await refusal(bare)).to.deep.equal([401, 'invalid_client']);
        expect(await api.isActive(token)).to.equal(true);
      });

      it('decodes id and secret as forms are, and takes the scheme in any case', async () => {
        const escape = (text: string) =>
          text.replaceAll(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`);
        const Authorization = `bAsIc ${btoa(`${escape(api.id)}:${escape(api.secret)}`)}`;
        expect((await api.post(path, { token: 'x' }, { Authorization })).status).to.equal(200);
      });

      it('refuses a client that was deleted', async () => {
        const gone = await registerApi(app);
        await app.services.apiClients.remove(gone.id);
        const response = await gone.post(path, { token: 'x' });
        expect(await refusal(response)).to.deep.equal([401, 'invalid_client']);
      });

      it('wants a form with one token; what else is in it is ignored', async () => {
        const send = (type: string, body: string) =>
          fetch(app.url + path, {
            method: 'POST',
            headers: { Authorization: basic(api.id, api.secret), 'Content-Type': type },
            body,
          });
        const form = 'application/x-www-form-urlencoded';
        const bad: [type: string, body: string][] = [
          [form, ''],
          [form, 'token='],
          [form, 'token_type_hint=access_token'],
          [form, 'token=a&token=b'],
          [form, 'token=a&x=1&x=2'],
          [form, 'token[]=a'],
          [form, 'token=%ff'],
          [form, `token=${'x'.repeat(20_000)}`],
          [`${form}; charset=latin1`, 'token=a'],
          ['application/json', '{"token":"a"}'],
          ['text/plain', 'token=a'],
        ];
        for (const [type, body] of bad) {
          const response = await send(type, body);
          expect(await refusal(response), `${type} ${body.slice(0, 40)}`).to.deep.equal([
            400,
            'invalid_request',
          ]);
        }
        for (const body of ['token=a&x=1&token_type_hint=unknown', 'token=a&x=', 'x%22=1&token=a'])
          expect((await send(`${form};charset=UTF-8`, body)).status, body).to.equal(200);
      });

      it('answers POST only', async () => {
        for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
          const response = await app.client().request(method, `${path}?token=x`);
          expect([response.status, response.headers.get('allow')]).to.deep.equal([405, 'POST']);
        }
      });

      it('keeps token and secret out of the log', async () => {
        const token = await ada.token();
        await api.post(path, { token });
        await api.post(path, { token }, { Authorization: basic(api.id, `${api.secret}x`) });
        for (const canary of [token, token.slice(-20), api.secret, btoa(api.secret)])
          expect(app.logged()).to.not.include(canary);
      });
    });
  }

  async function storedHash(id: string): Promise<string> {
    const { secret_hash } = await app.services.database.kysely
      .selectFrom('api_clients')
      .select('secret_hash')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return secret_hash;
  }

  it('are asked about a user who signed in with a password as well', async () => {
    await addUser(app, 'grace', { roles: ['admin'] });
    const grace = app.client();
    await grace.login('grace', PASSWORD);
    const answer: unknown = JSON.parse(await introspect(await grace.token()));
    expect(answer).to.deep.include({ active: true, amr: ['pwd'], roles: ['admin'] });
  });
});

function pathOfList(claims: Record<string, unknown>): string {
  const uri = /"uri":"([^"]+)"/.exec(JSON.stringify(claims))?.[1] ?? '';
  return new URL(uri).pathname;
}
