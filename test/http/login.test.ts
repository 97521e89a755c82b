import { expect } from 'chai';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';
import { claimsOf } from '../support/session.ts';

describe('POST /auth/login', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp();
    await addUser(app, 'Ada', { email: 'Ada@Example.org', name: 'Ada Lovelace', roles: ['admin'] });
    const gone = await addUser(app, 'gone', { email: 'gone@example.org' });
    await app.services.users.setDisabled(gone.id, true);
    await app.services.users.add({ username: 'nopassword' });
  });
  after(() => app[Symbol.asyncDispose]());

  it('answers the user and a first token to a script, and sets the session', async () => {
    const ada = app.client();
    const response = await ada.login('Ada', PASSWORD);
    expect(response.status).to.equal(200);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect(response.headers.has('etag')).to.equal(false);
    const body = await bodyOf(response);
    expect(body).to.have.all.keys('user', 'token', 'token_type', 'expires_in', 'expires_at');
    expect(body['user']).to.have.all.keys('id', 'username', 'name', 'email', 'roles');
    expect(body).to.include({ token_type: 'Bearer', expires_in: 21_600 });
    expect(claimsOf(String(body['token']))['amr']).to.deep.equal(['pwd']);
    expect((await ada.get('/auth/token')).status).to.equal(200);
  });

  it('sends a form on to the home page', async () => {
    const ada = app.client();
    const response = await ada.submit('/auth/login', { username: 'Ada', password: PASSWORD });
    expect([response.status, response.headers.get('location')]).to.deep.equal([303, '/']);
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect((await ada.get('/auth/token')).status).to.equal(200);
  });

  it('takes the e-mail address for the username', async () => {
    expect((await app.client().login('ada@example.org', PASSWORD)).status).to.equal(200);
  });

  it('knows the name in any case and Unicode form, with blanks around it', async () => {
    for (const name of [
      'ada',
      'ADA',
      'ａｄａ',
      'ＡＤＡ',
      '  Ada ',
      'ADA@EXAMPLE.ORG',
      'ａｄａ@example.org',
    ]) {
      expect((await app.client().login(name, PASSWORD)).status, name).to.equal(200);
    }
  });

  it('takes the password as it is: no case folding, no trimming, no cutting', async () => {
    for (const password of [
      PASSWORD.toUpperCase(),
      ` ${PASSWORD}`,
      `${PASSWORD} `,
      `${PASSWORD}x`,
    ]) {
      expect((await app.client().login('Ada', password)).status).to.equal(401);
    }
  });

  it('knows a password in either Unicode form', async () => {
    const passwordHash = await app.services.passwords.hash('süße kätzchen'.normalize('NFD'));
    await app.services.users.add({ username: 'unicode', passwordHash });
    for (const form of ['NFC', 'NFD']) {
      const response = await app.client().login('unicode', 'süße kätzchen'.normalize(form));
      expect(response.status, form).to.equal(200);
    }
  });

  it('security 11: answers unknown, wrong, disabled and without a password alike', async () => {
    const attempts = [
      ['unknown', PASSWORD],
      ['unknown@example.org', PASSWORD],
      ['Ada', 'wrong'],
      ['gone', PASSWORD],
      ['gone', 'wrong'],
      ['gone@example.org', PASSWORD],
      ['nopassword', PASSWORD],
      ['not a username!', PASSWORD],
    ] as const;
    const answers = await Promise.all(
      attempts.map(async ([username, password]) => {
        const response = await app.client().login(username, password);
        const { request_id: _, ...body } = await bodyOf(response);
        const headers = [...response.headers].filter(([name]) => name !== 'date');
        return { status: response.status, cookies: response.headers.getSetCookie(), headers, body };
      }),
    );
    expect(answers[0]?.body).to.include({ status: 401, code: 'invalid_credentials' });
    for (const answer of answers) {
      expect(answer.status).to.equal(401);
      expect(answer.cookies).to.deep.equal([]);
      expect({ ...answer.body }).to.deep.equal(answers[0]?.body);
      expect(answer.headers.map(([name]) => name)).to.deep.equal(
        answers[0]?.headers.map(([name]) => name),
      );
    }
  });

  it('security 19: never uses credentials of the address (M1)', async () => {
    const query = new URLSearchParams({ username: 'Ada', password: PASSWORD }).toString();
    const someone = app.client();
    const attempts = [
      await someone.post(`/auth/login?${query}`),
      await someone.post(`/auth/login?${query}`, {}),
      await someone.post(`/auth/login?${query}`, { username: '', password: '' }),
      await someone.post(`/auth/login?password=${encodeURIComponent(PASSWORD)}`, {
        username: 'Ada',
      }),
      await someone.submit(`/auth/login?${query}`, {}),
    ];
    for (const response of attempts) expect(response.status).to.equal(400);
    const wrong = await someone.post(`/auth/login?${query}`, {
      username: 'Ada',
      password: 'wrong',
    });
    expect(wrong.status).to.equal(401);
    expect((await someone.get(`/auth/login?${query}`)).status).to.equal(405);
    expect(someone.cookies.size).to.equal(0);
  });

  describe('by a browser form that is wrong', () => {
    it('shows the form again with the name in it, never the password', async () => {
      const fields = { username: 'Ada', password: 'not the password', returnTo: '/account' };
      const response = await app.client().submit('/auth/login', fields);
      expect(response.status).to.equal(401);
      expect(response.headers.get('content-type')).to.equal('text/html; charset=utf-8');
      const html = await response.text();
      expect(html).to.include('value="Ada"').and.to.include('Wrong username or password');
      expect(html).to.include('name="returnTo" value="/account"');
      expect(html).not.to.include('not the password');
    });

    it('escapes the name', async () => {
      const username = '"><script>alert(1)</script>';
      const response = await app.client().submit('/auth/login', { username, password: 'x' });
      const html = await response.text();
      expect(html).not.to.include('<script');
      expect(html).to.include('value="&quot;&gt;&lt;script&gt;');
    });

    it('shows what is missing with the status of a bad request', async () => {
      const response = await app.client().submit('/auth/login', { username: 'Ada' });
      expect(response.status).to.equal(400);
      expect(await response.text())
        .to.include('password is missing')
        .and.to.include('value="Ada"');
    });
  });
});
