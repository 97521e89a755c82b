import { expect } from 'chai';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { claimsOf, sessionRows } from '../support/session.ts';

describe('POST /auth/register', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'Ada', { email: 'ada@example.org' });
  });
  after(() => app[Symbol.asyncDispose]());

  async function refusal(fields: Record<string, unknown>) {
    const someone = app.client();
    const [rows, users] = [await sessionRows(app), (await app.services.users.list()).length];
    const response = await someone.post('/auth/register', fields);
    expect(someone.cookies.size).to.equal(0);
    expect(await sessionRows(app)).to.equal(rows);
    expect(await app.services.users.list()).to.have.lengthOf(users);
    const { code, detail } = await bodyOf(response);
    return { status: response.status, code, detail: String(detail) };
  }

  it('adds a user without roles and signs them in', async () => {
    const bob = app.client();
    const fields = {
      username: 'Bob',
      email: 'Bob@example.org',
      name: 'Bob B.',
      password: PASSWORD,
    };
    const response = await bob.post('/auth/register', fields);
    expect(response.status).to.equal(201);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    const { user, token } = await bodyOf(response);
    expect(user).to.deep.include({
      username: 'Bob',
      email: 'Bob@example.org',
      name: 'Bob B.',
      roles: [],
    });
    expect(claimsOf(String(token))['amr']).to.deep.equal(['pwd']);
    expect((await bob.get('/auth/token')).status).to.equal(200);
    expect((await app.client().login('bob@example.org', PASSWORD)).status).to.equal(200);
  });

  it('sends a form on to returnTo, or home', async () => {
    const fields = { username: 'carol', email: '', name: '', password: PASSWORD };
    const response = await app
      .client()
      .submit('/auth/register', { ...fields, returnTo: '/account' });
    expect([response.status, response.headers.get('location')]).to.deep.equal([303, '/account']);
  });

  it('takes nobody’s name, in whatever case or Unicode form', async () => {
    for (const username of ['Ada', 'ada', 'ADA', 'ａｄａ', ' ada ']) {
      const answer = await refusal({ username, password: PASSWORD });
      expect([answer.status, answer.code], username).to.deep.equal([409, 'username_taken']);
    }
  });

  it('takes nobody’s e-mail address', async () => {
    for (const email of ['ada@example.org', 'ADA@Example.ORG']) {
      const answer = await refusal({ username: 'eve', email, password: PASSWORD });
      expect([answer.status, answer.code]).to.deep.equal([409, 'email_taken']);
    }
  });

  it('takes no e-mail address for a username: it would catch the logins of its owner', async () => {
    expect((await refusal({ username: 'ada@example.org', password: PASSWORD })).status).to.equal(
      400,
    );
  });

  it('gives a name to one of many who ask at once', async () => {
    const fields = { username: 'popular', password: PASSWORD };
    const asked = Array.from({ length: 5 }, () => app.client().post('/auth/register', fields));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).to.deep.equal([201, 409, 409, 409, 409]);
  });

  it('refuses names that cannot be one', async () => {
    for (const username of [
      'a b',
      '<script>',
      '-x',
      '.',
      'x'.repeat(65),
      '\u200badmin',
      'a\u202eb',
    ]) {
      expect((await refusal({ username, password: PASSWORD })).status, username).to.equal(400);
    }
    for (const email of [
      'no-at',
      '@',
      'a@',
      '@b',
      'a b@c',
      'a@b@c',
      `${'x'.repeat(250)}@example.org`,
    ]) {
      expect(
        (await refusal({ username: 'eve', email, password: PASSWORD })).status,
        email,
      ).to.equal(400);
    }
    for (const name of ['a\u0007b', 'a\u202eb', 'x'.repeat(129)]) {
      expect((await refusal({ username: 'eve', name, password: PASSWORD })).status, name).to.equal(
        400,
      );
    }
  });

  it('refuses fields that give oneself more than a name', async () => {
    for (const extra of [
      { roles: ['admin'] },
      { id: 'x' },
      { disabled: false },
      { password_hash: 'x' },
    ]) {
      const answer = await refusal({ username: 'eve', password: PASSWORD, ...extra });
      expect(answer.status).to.equal(400);
      expect(answer.detail).to.equal(`not a field here: ${Object.keys(extra).join()}.`);
    }
  });

  describe('security 20: refuses a password', () => {
    const passwords: [string, string, string][] = [
      ['of seven characters', 'abc def', 'at least 8 characters; 15 or more are recommended'],
      ['of seven characters in many code units', '👩‍👩'.repeat(2) + '€', 'at least 8 characters'],
      ['of 1,025 characters', 'xy '.repeat(342).slice(0, 1025), 'at most 1024 characters'],
      ['that is common', 'password123', 'attackers try first'],
      ['that is common in another case', 'PassWord123', 'attackers try first'],
      ['of one character over and over', 'zzzzzzzzzzzzzzzz', 'attackers try first'],
      ['that is the own username', 'grace.hopper', 'your own username'],
      ['that is the own username in another case', 'GRACE.Hopper', 'your own username'],
      ['that is the own e-mail address', 'amazing@example.org', 'your own username'],
      ['that is the own name', 'Rear Admiral', 'your own username'],
      ['that is a name of the service', 'LocalHost-2026', 'a name of this service'],
    ];
    const fields = {
      username: ' grace.hopper ',
      email: ' amazing@example.org ',
      name: 'Rear Admiral',
    };
    for (const [what, password, message] of passwords) {
      it(what, async () => {
        const answer = await refusal({ ...fields, password });
        expect([answer.status, answer.code]).to.deep.equal([400, 'password_refused']);
        expect(answer.detail).to.include(message);
      });
    }
  });

  it('security 20: takes 8 and 1,024 characters of any kind, and checks all of them', async () => {
    const passwords = ['äöü 8¾𝒳 ', `${'ab '.repeat(341)}!`];
    for (const [index, password] of passwords.entries()) {
      const username = `length${index}`;
      expect((await app.client().post('/auth/register', { username, password })).status).to.equal(
        201,
      );
      expect((await app.client().login(username, password)).status).to.equal(200);
      const shorter = Array.from(password).slice(0, -1).join('');
      expect((await app.client().login(username, shorter)).status).to.equal(401);
    }
  });

  it('shows the form again with everything but the password, and points at the field', async () => {
    const fields = {
      username: 'grace',
      email: 'grace@example.org',
      name: 'Grace H.',
      password: 'sh0rt!',
    };
    const response = await app.client().submit('/auth/register', fields);
    expect(response.status).to.equal(400);
    const html = await response.text();
    for (const value of ['grace', 'grace@example.org', 'Grace H.']) {
      expect(html).to.include(`value="${value}"`);
    }
    expect(html).to.include('id="password-error"').and.not.to.include('sh0rt!');
  });
});

describe('REGISTRATION=closed', () => {
  it('leaves nothing to register at', async () => {
    await using app = await startApp({ REGISTRATION: 'closed' });
    const fields = { username: 'bob', password: PASSWORD };
    expect((await app.client().post('/auth/register', fields)).status).to.equal(404);
    expect((await app.client().submit('/auth/register', fields)).status).to.equal(404);
    expect((await app.client().get('/register')).status).to.equal(404);
    expect(await (await app.client().get('/login')).text()).not.to.include('/register');
    expect(await app.services.users.list()).to.deep.equal([]);
  });
});
