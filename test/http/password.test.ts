import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { bodyOf, type Client } from '../support/client.ts';

const NEW = 'the umbrella came back';

describe('POST /auth/password', () => {
  let app: TestApp;
  let ada: Client;
  beforeEach(async () => {
    app = await startApp();
    await addUser(app, 'ada', { email: 'ada@example.org', name: 'Ada Lovelace' });
    ada = app.client();
    await ada.login('ada', PASSWORD);
  });
  afterEach(() => app[Symbol.asyncDispose]());

  async function change(client: Client, current: string, replacement: string) {
    const fields = { current_password: current, new_password: replacement };
    const response = await client.post('/auth/password', fields);
    const code = response.status === 204 ? undefined : (await bodyOf(response))['code'];
    return { status: response.status, code };
  }

  async function works(password: string): Promise<boolean> {
    return (await app.client().login('ada', password)).status === 200;
  }

  it('changes the password', async () => {
    expect(await change(ada, PASSWORD, NEW)).to.deep.equal({ status: 204, code: undefined });
    expect([await works(PASSWORD), await works(NEW)]).to.deep.equal([false, true]);
  });

  it('ends the other sessions of the user, and keeps this one', async () => {
    const phone = app.client();
    await phone.login('ada', PASSWORD);
    const bypassed = await signIn(app, 'ada');
    const bob = await signIn(app, 'bob');
    await change(ada, PASSWORD, NEW);
    const alive = async (client: Client) => (await client.get('/auth/token')).status;
    expect(await Promise.all([ada, phone, bypassed, bob].map(alive))).to.deep.equal([
      200, 401, 401, 200,
    ]);
  });

  it('changes nothing when the current password is wrong', async () => {
    const phone = app.client();
    await phone.login('ada', PASSWORD);
    expect(await change(ada, 'wrong', NEW)).to.deep.equal({ status: 400, code: 'wrong_password' });
    expect([await works(PASSWORD), await works(NEW)]).to.deep.equal([true, false]);
    expect((await phone.get('/auth/token')).status).to.equal(200);
  });

  it('changes nothing when the new one is refused', async () => {
    for (const password of ['short', 'password123', 'ada@example.org', 'Ada Lovelace']) {
      const answer = await change(ada, PASSWORD, password);
      expect(answer, password).to.deep.equal({ status: 400, code: 'password_refused' });
    }
    expect(await works(PASSWORD)).to.equal(true);
  });

  it('is for whoever is signed in', async () => {
    expect((await change(app.client(), PASSWORD, NEW)).status).to.equal(401);
    const token = await ada.token();
    const fields = { current_password: PASSWORD, new_password: NEW };
    const bearer = { Authorization: `Bearer ${token}` };
    expect((await app.client().post('/auth/password', fields, bearer)).status).to.equal(401);
    expect(await works(PASSWORD)).to.equal(true);
  });

  it('is not for a user who was disabled', async () => {
    const user = await app.services.users.findByUsername('ada');
    await app.services.users.setDisabled(user?.id ?? '', true);
    expect((await change(ada, PASSWORD, NEW)).status).to.equal(401);
  });

  it('gives no password to a user of the bypass who has none', async () => {
    const bob = await signIn(app, 'bob');
    for (const current of ['x', '', 'null']) {
      expect((await change(bob, current, NEW)).status).to.equal(400);
    }
    expect((await app.client().login('bob', NEW)).status).to.equal(401);
  });

  it('lets only one of several changes at once win', async () => {
    const replacements = [1, 2, 3, 4].map((number) => `${NEW} ${number}`);
    const answers = await Promise.all(
      replacements.map((replacement) => change(ada.clone(), PASSWORD, replacement)),
    );
    const winners = replacements.filter((_, index) => answers[index]?.status === 204);
    expect(winners).to.have.lengthOf(1);
    for (const { status, code } of answers) {
      if (status !== 204) expect([status, code]).to.deep.equal([400, 'wrong_password']);
    }
    for (const replacement of replacements) {
      expect(await works(replacement), replacement).to.equal(winners.includes(replacement));
    }
  });

  it('refuses what is no text, and fields of others', async () => {
    const bodies = [
      {},
      { current_password: PASSWORD },
      { current_password: PASSWORD, new_password: 12_345_678 },
      { current_password: [PASSWORD], new_password: NEW },
      { current_password: PASSWORD, new_password: NEW, user_id: 'x' },
      { current_password: PASSWORD, new_password: 'x'.repeat(5000) },
    ];
    for (const body of bodies) {
      expect((await ada.post('/auth/password', body)).status).to.equal(400);
    }
    expect(await works(PASSWORD)).to.equal(true);
  });

  it('shows the account page again with what is wrong, and none of the passwords', async () => {
    const fields = { current_password: 'not the one', new_password: NEW };
    const response = await ada.submit('/auth/password', fields);
    expect(response.status).to.equal(400);
    const html = await response.text();
    expect(html).to.include('id="password-current_password-error"');
    expect(html).not.to.include('not the one').and.not.to.include(NEW);
  });

  it('sends a form on to the account page, which says so', async () => {
    const fields = { current_password: PASSWORD, new_password: NEW };
    const response = await ada.submit('/auth/password', fields);
    expect(response.status).to.equal(303);
    const location = response.headers.get('location') ?? '';
    expect(location).to.equal('/account?changed=password');
    expect(await (await ada.get(location)).text()).to.include('Your password has been changed');
  });
});

describe('POST /auth/password of somebody who is gone', () => {
  it('is refused like that of anyone who is signed out, even with a body that cannot be read', async () => {
    await using app = await startApp();
    const ada = await addUser(app, 'ada');
    const client = app.client();
    expect((await client.login('ada', PASSWORD)).status).to.equal(200);
    await app.services.users.remove(ada.id);
    const headers = { 'Content-Type': 'application/json', Accept: 'text/html' };
    expect((await client.request('POST', '/auth/password', headers, '{')).status).to.equal(401);
  });
});
