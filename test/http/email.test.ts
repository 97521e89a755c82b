import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, startBeside, type TestApp } from '../support/app.ts';
import { fillUp } from '../support/attempts.ts';
import { recorded } from '../support/audit.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { HeldHasher } from '../support/held-hasher.ts';
import { claimsOf } from '../support/session.ts';

const NEW = 'countess@example.org';

describe('POST /auth/email', () => {
  let app: TestApp;
  let ada: Client;
  beforeEach(async () => {
    app = await startApp();
    await addUser(app, 'ada', { email: 'ada@example.org' });
    await addUser(app, 'grace', { email: 'grace@example.org' });
    ada = app.client();
    await ada.login('ada', PASSWORD);
  });
  afterEach(() => app[Symbol.asyncDispose]());

  async function change(client: Client, email: string | undefined, password = PASSWORD) {
    const response = await client.post('/auth/email', { email, current_password: password });
    const code = response.status === 204 ? undefined : (await bodyOf(response))['code'];
    return { status: response.status, code };
  }

  const emailOf = async (username: string) =>
    (await app.services.users.findByUsername(username))?.email;

  it('changes the address, with which one logs in from then on', async () => {
    expect(await change(ada, ` ${NEW} `)).to.deep.equal({ status: 204, code: undefined });
    expect((await app.client().login(NEW.toUpperCase(), PASSWORD)).status).to.equal(200);
    expect((await app.client().login('ada@example.org', PASSWORD)).status).to.equal(401);
  });

  it('security 20: refuses an address that is the password', async () => {
    const password = 'countess@lovelace.example';
    const { passwords, users } = app.services;
    await users.add({ username: 'noor', passwordHash: await passwords.hash(password) });
    const noor = app.client();
    await noor.login('noor', password);
    const refused = await change(noor, password.toUpperCase(), password);
    expect(refused).to.deep.equal({ status: 400, code: 'password_refused' });
    expect(await emailOf('noor')).to.equal(null);
  });

  it('changes nothing for a password that has been changed since it was looked at', async () => {
    const passwords = new HeldHasher();
    await using slow = await startBeside(app, { passwords });
    const thief = slow.client();
    for (const [name, value] of ada.cookies) thief.cookies.set(name, value);
    const changing = change(thief, 'thief@example.org');
    await passwords.checked;
    const owner = await app.services.users.findByUsername('ada');
    await app.services.users.setPassword(owner?.id ?? '', 'none that anybody knows');
    passwords.goOn();
    expect(await changing).to.deep.equal({ status: 401, code: 'session_required' });
    expect(await emailOf('ada')).to.equal('ada@example.org');
  });

  it('removes it when it is empty or left out', async () => {
    for (const nothing of ['', undefined]) {
      await change(ada, NEW);
      expect((await change(ada, nothing)).status).to.equal(204);
      expect(await emailOf('ada')).to.equal(null);
    }
  });

  it('revokes the tokens that carry the old one, and lets the sessions go on', async () => {
    const phone = app.client();
    await phone.login('ada', PASSWORD);
    const tokens = [await ada.token(), await phone.token()];
    await change(ada, NEW);
    for (const token of tokens) {
      const headers = { Authorization: `Bearer ${token}` };
      expect((await app.client().get('/auth/me', headers)).status).to.equal(401);
    }
    for (const client of [ada, phone]) {
      const token = await client.token();
      expect(claimsOf(token)['email']).to.equal(NEW);
      const headers = { Authorization: `Bearer ${token}` };
      expect((await app.client().get('/auth/me', headers)).status).to.equal(200);
    }
  });

  it('changes nothing without the current password', async () => {
    expect(await change(ada, NEW, 'wrong')).to.deep.equal({ status: 400, code: 'wrong_password' });
    const noor = await signIn(app, 'noor'); // who has none
    for (const password of ['x', 'null'])
      expect((await change(noor, NEW, password)).code).to.equal('wrong_password');
    expect([await emailOf('ada'), await emailOf('noor')]).to.deep.equal(['ada@example.org', null]);
  });

  it('tells nobody without the password whether somebody has an address', async () => {
    expect((await change(ada, 'grace@example.org', 'wrong')).code).to.equal('wrong_password');
    expect((await change(ada, 'grace@example.org')).code).to.equal('email_taken');
    expect(await emailOf('ada')).to.equal('ada@example.org');
  });

  it('tells it no oftener than to somebody who signs up', async () => {
    await fillUp(app, { kind: 'registration', subject: '127.0.0.1' });
    expect((await change(ada, 'grace@example.org')).code).to.equal('too_many_attempts');
    expect((await change(ada, NEW)).code).to.equal('too_many_attempts');
  });

  it('lets a session try ten passwords, those of a change of the password included', async () => {
    for (let index = 0; index < 5; index += 1) {
      expect((await change(ada, NEW, 'wrong')).code).to.equal('wrong_password');
      const fields = { current_password: 'wrong', new_password: 'a heron brought it back' };
      expect((await ada.post('/auth/password', fields)).status).to.equal(400);
    }
    expect((await change(ada, NEW)).code).to.equal('too_many_attempts');
  });

  it('is for whoever is signed in, and for no other site', async () => {
    expect((await change(app.client(), NEW)).status).to.equal(401);
    const fields = { email: NEW, current_password: PASSWORD };
    const response = await ada.submit('/auth/email', fields, { 'Sec-Fetch-Site': 'cross-site' });
    expect(response.status).to.equal(403);
    const user = await app.services.users.findByUsername('ada');
    await app.services.users.setDisabled(user?.id ?? '', true);
    expect((await change(ada, NEW)).status).to.equal(401);
    expect(await emailOf('ada')).to.equal('ada@example.org');
  });

  it('takes an address only, and nothing of anybody else', async () => {
    for (const body of [
      {},
      { email: NEW },
      { email: [NEW], current_password: PASSWORD },
      { email: 'x'.repeat(300), current_password: PASSWORD },
      { email: 'no address', current_password: PASSWORD },
      { email: NEW, current_password: PASSWORD, id: 'x' },
    ]) {
      expect((await ada.post('/auth/email', body)).status).to.equal(400);
    }
    expect(await emailOf('ada')).to.equal('ada@example.org');
  });

  it('is on record, without the address', async () => {
    await change(ada, NEW, 'wrong');
    await change(ada, NEW);
    const events = await recorded(app.services.database);
    expect(events.map(({ event }) => event)).to.include.members([
      'user.password_refused',
      'user.email_changed',
    ]);
    expect(JSON.stringify(events)).not.to.include(NEW);
  });

  it('shows the form again with what was typed, but for the password, and what is wrong beside it', async () => {
    const fields = { email: NEW, current_password: 'not the one' };
    const refused = await ada.submit('/auth/email', fields);
    expect(refused.status).to.equal(400);
    const html = await refused.text();
    expect(html).to.include('id="email-current_password-error"').and.include(`value="${NEW}"`);
    expect(html)
      .not.to.include('not the one')
      .and.not.include('id="password-current_password-error"');
    const taken = await ada.submit('/auth/email', {
      email: 'grace@example.org',
      current_password: PASSWORD,
    });
    expect(taken.status).to.equal(409);
    expect(await taken.text()).to.include('id="email-email-error"');
  });

  it('is not there where people cannot sign up: apps may trust an address that an operator has given', async () => {
    await using closed = await startApp({ REGISTRATION: 'closed' });
    await addUser(closed, 'ada', { email: 'ada@example.org' });
    const client = closed.client();
    await client.login('ada', PASSWORD);
    expect((await change(client, NEW)).status).to.equal(404);
    const html = await (await client.get('/account', { Accept: 'text/html' })).text();
    expect(html).to.include('ada@example.org').and.not.include('/auth/email');
  });
});
