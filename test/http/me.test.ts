import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { HOUR, MINUTE, SECOND, TestClock } from '../support/clock.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { failureOf } from '../support/failure.ts';
import { send } from '../support/raw.ts';
import { claimsOf } from '../support/session.ts';

function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

/** The token with the character at that place changed to another one of its alphabet. */
function altered(token: string, place: number): string {
  const other = token[place] === 'A' ? 'B' : 'A';
  return token.slice(0, place) + other + token.slice(place + 1);
}

describe('GET /auth/me', () => {
  let app: TestApp;
  let ada: Client;
  let anyone: Client;
  before(async () => {
    app = await startApp();
    ada = await signIn(app, 'ada');
    anyone = app.client();
  });
  after(() => app[Symbol.asyncDispose]());

  it('answers the user as they are now, not as they were when the token was made', async () => {
    const token = await ada.token();
    const { sub } = claimsOf(token);
    await app.services.users.setRoles(String(sub), ['editor']);
    const response = await anyone.get('/auth/me', bearer(token));
    expect(response.status).to.equal(200);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect(await bodyOf(response)).to.deep.equal({
      user: { id: sub, username: 'ada', name: null, email: null, roles: ['editor'] },
    });
  });

  it('asks for a token with a bare challenge when there is none (RFC 6750, section 3.1)', async () => {
    for (const headers of [{}, { Authorization: 'Basic YTpi' }]) {
      const response = await anyone.get('/auth/me', headers);
      expect(response.status).to.equal(401);
      expect(response.headers.get('www-authenticate')).to.equal('Bearer');
      expect((await bodyOf(response))['code']).to.equal('token_required');
    }
  });

  it('does not take the session in place of a token', async () => {
    expect((await ada.get('/auth/me')).status).to.equal(401);
  });

  it('refuses a token with one character changed, anywhere', async () => {
    const token = await ada.token();
    for (let place = 0; place < token.length; place += 1) {
      if (token[place] === '.') continue;
      const response = await anyone.get('/auth/me', bearer(altered(token, place)));
      expect(response.status, `character ${place}`).to.equal(401);
      expect(response.headers.get('www-authenticate')).to.match(
        /^Bearer error="invalid_token", error_description="[^"]+"$/,
      );
      await response.arrayBuffer();
    }
  });

  it('refuses every other way to write the same signature', async () => {
    const token = await ada.token();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const last of alphabet) {
      const other = token.slice(0, -1) + last;
      const { status } = await anyone.get('/auth/me', bearer(other));
      expect(status, last).to.equal(other === token ? 200 : 401);
    }
    expect((await anyone.get('/auth/me', bearer(`${token}=`))).status).to.equal(401);
  });

  it('refuses a token that says alg: none', async () => {
    const [, payload] = (await ada.token()).split('.');
    const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    for (const signature of ['', 'AA']) {
      const response = await anyone.get(
        '/auth/me',
        bearer(`${header}.${String(payload)}.${signature}`),
      );
      expect(response.status).to.equal(401);
    }
  });

  it('refuses a token that has ended', async () => {
    await using other = await startApp();
    const token = await (await signIn(other, 'ada')).token();
    other.clock.advance(6 * HOUR + 6 * SECOND);
    const response = await other.client().get('/auth/me', bearer(token));
    expect(response.status).to.equal(401);
    expect((await bodyOf(response))['detail']).to.equal('The token has expired.');
  });

  it('refuses a token of another issuer that has the same secret', async () => {
    await using other = await startApp({ JWT_ISSUER: 'https://other.example.org' });
    const token = await (await signIn(other, 'ada')).token();
    expect((await anyone.get('/auth/me', bearer(token))).status).to.equal(401);
  });

  it('refuses the token of a user who was disabled or deleted', async () => {
    for (const username of ['bob', 'carol']) {
      const token = await (await signIn(app, username)).token();
      const id = String(claimsOf(token)['sub']);
      if (username === 'bob') await app.services.users.setDisabled(id, true);
      else await app.services.users.remove(id);
      const response = await anyone.get('/auth/me', bearer(token));
      expect(response.status).to.equal(401);
      expect((await bodyOf(response))['code']).to.equal('invalid_token');
    }
  });

  it('refuses a token in the address as a bad request, even a good one', async () => {
    const token = await ada.token();
    for (const headers of [{}, bearer(token)]) {
      const response = await anyone.get(`/auth/me?access_token=${token}`, headers);
      expect(response.status).to.equal(400);
      expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_request"');
      expect(await response.text()).not.to.include(token);
    }
  });

  it('refuses a header that is not one word after Bearer', async () => {
    for (const Authorization of ['Bearer', 'Bearer ', 'Bearer a b', 'Bearer "a"', 'Bearer a,b']) {
      const response = await anyone.get('/auth/me', { Authorization });
      expect(response.status, Authorization).to.equal(400);
      expect(response.headers.get('www-authenticate')).to.include('error="invalid_request"');
    }
  });

  it('takes the name of the scheme in any case', async () => {
    const token = await ada.token();
    for (const scheme of ['bearer', 'BEARER']) {
      const response = await anyone.get('/auth/me', { Authorization: `${scheme} ${token}` });
      expect(response.status).to.equal(200);
    }
  });

  it('answers a token of absurd length or strange characters with 401, quickly', async () => {
    for (const text of [
      '.',
      '..',
      'a.b.c',
      'a'.repeat(12_000),
      `${'a.'.repeat(5000)}a`,
      'ey.ey.ey',
    ]) {
      expect((await anyone.get('/auth/me', bearer(text))).status, text.slice(0, 9)).to.equal(401);
    }
  });

  it('refuses two Authorization headers: somebody on the way may have looked at the other one', async () => {
    const token = await ada.token();
    for (const Authorization of [
      ['Bearer x.y.z', `Bearer ${token}`],
      [`Bearer ${token}`, 'Bearer x.y.z'],
    ]) {
      const answer = await send(app, 'GET', '/auth/me', { Authorization });
      expect([answer.status, answer.headers.get('www-authenticate')]).to.deep.equal([
        400,
        'Bearer error="invalid_request"',
      ]);
    }
  });
});

describe('JWT_SECRET_KEY_PREVIOUS', () => {
  it('security 14: verifies tokens of before the rotation; new ones have the new key', async () => {
    using directory = temporaryDirectory();
    const DATABASE_URL = `sqlite:${directory.path}/shared.db`;
    const [old, current] = [randomBytes(64).toString('hex'), randomBytes(64).toString('hex')];
    await using before = await startApp({ DATABASE_URL, JWT_SECRET_KEY: old });
    const token = await (await signIn(before, 'ada')).token();
    await using rotated = await startApp({
      DATABASE_URL,
      JWT_SECRET_KEY: current,
      JWT_SECRET_KEY_PREVIOUS: old,
    });
    expect((await rotated.client().get('/auth/me', bearer(token))).status).to.equal(200);
    const fresh = await (await signIn(rotated, 'ada')).token();
    expect((await rotated.client().get('/auth/me', bearer(fresh))).status).to.equal(200);
    expect((await before.client().get('/auth/me', bearer(fresh))).status).to.equal(401);

    const tooEarly = startApp({ DATABASE_URL, JWT_SECRET_KEY: current });
    expect((await failureOf(tooEarly)).message).to.match(
      /JWT_SECRET_KEY_PREVIOUS must have the earlier/,
    );
    const clock = new TestClock();
    clock.advance(6 * HOUR + 2 * MINUTE);
    await using done = await startApp({ DATABASE_URL, JWT_SECRET_KEY: current }, { clock });
    expect((await done.client().get('/auth/me', bearer(token))).status).to.equal(401);
  });
});
