import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { startApp } from '../support/app.ts';
import { StorageError } from '../../core/errors.ts';
import { recorded } from '../support/audit.ts';
import { sessionId } from '../support/session.ts';

describe('security 21: no secret, password, cookie or token gets into a log or an error', () => {
  it('through a whole flow of sign-ins, refusals and failures', async () => {
    const secrets = {
      SESSION_SECRET: randomBytes(64).toString('hex'),
      JWT_SECRET_KEY: randomBytes(64).toString('hex'),
    };
    await using app = await startApp({ ...secrets, TOKEN_COOKIE: 'jwt' });
    const [password, newPassword, wrong, short] = [
      'canary-1-right',
      'canary-2-new',
      'canary-3-wrong',
      'c-4-sh',
    ];
    const canaries = new Set<string>([
      ...Object.values(secrets),
      password,
      newPassword,
      wrong,
      short,
    ]);
    const errors: string[] = [];
    const ada = app.client();
    const note = async (response: Response) => {
      for (const cookie of ada.cookies.values()) canaries.add(cookie);
      if (ada.cookies.has('session')) canaries.add(sessionId(ada.cookies.get('session')));
      if (response.status >= 400) errors.push(await response.text());
      return response;
    };
    const text = { 'Content-Type': 'application/json' };
    const page = { Accept: 'text/html' };

    await note(await ada.post('/auth/register', { username: 'ada', password: short }));
    await note(await ada.submit('/auth/register', { username: 'ada', password: short }));
    await note(await ada.post('/auth/register', { username: 'ada', password }));
    await note(await ada.login('ada', wrong));
    await note(await ada.submit('/auth/login', { username: 'ada', password: wrong }));
    await note(
      await ada.submit('/auth/login', { username: password, password: wrong, extra: wrong }),
    );
    await note(await ada.get(`/auth/login?username=ada&password=${password}`));
    await note(await ada.post(`/auth/login?username=ada&password=${password}`, {}));
    await note(
      await ada.request('POST', '/auth/login', text, `{"username":"ada","password":"${wrong}`),
    );
    await note(await ada.request('POST', '/auth/login', text, `{"password":${wrong}}`));
    await note(await ada.request('POST', '/auth/login', text, `{"password":["${wrong}"],"x":1}`));
    await note(await ada.request('POST', '/auth/login', { 'Content-Type': 'text/plain' }, wrong));
    await note(await ada.login('ada', password));
    const token = await ada.token();
    canaries.add(token).add(token.split('.')[2] ?? '');
    const bearer = (value: string) => ({ Authorization: `Bearer ${value}` });
    await note(await ada.get('/auth/token?audience=nobody'));
    await note(await ada.get(`/auth/me?access_token=${token}`));
    await note(await ada.get('/auth/me', bearer(token)));
    await note(await app.client().get('/auth/me', bearer(`${token.slice(0, -2)}AA`)));
    await note(await ada.get(`/${token}`));
    await note(await ada.get(`/${token}`, page));
    const change = { current_password: wrong, new_password: newPassword };
    await note(await ada.post('/auth/password', change));
    await note(await ada.submit('/auth/password', change));
    await note(await ada.post('/auth/password', { ...change, current_password: password }));

    const address = { email: 'ada@example.org', current_password: wrong };
    await note(await ada.submit('/auth/email', address));
    await note(await ada.post('/auth/email', { ...address, current_password: newPassword }));

    const { users, sessions } = app.services;
    const findActive = users.findActive.bind(users);
    const findLogin = users.findLogin.bind(users);
    for (const error of [new Error('boom'), new StorageError('away')]) {
      users.findActive = () => Promise.reject(error);
      users.findLogin = () => Promise.reject(error);
      await note(await ada.get('/auth/token'));
      await note(await ada.login('ada', newPassword));
      await note(await ada.submit('/auth/login', { username: 'ada', password: newPassword }));
      users.findActive = findActive;
      users.findLogin = findLogin;
    }
    sessions.set = (_id, _session, callback) => callback?.(new Error('boom'));
    await note(await ada.login('ada', newPassword));
    const onRecord = JSON.stringify(await recorded(app.services.database));
    await app.services.database.close();
    await note(await ada.login('ada', newPassword));
    await note(await ada.get('/readyz'));

    expect(errors).to.have.lengthOf.above(20);
    expect(onRecord).to.include('login.failed').and.include('user.password_changed');
    expect(app.logged()).to.include('boom').and.to.include('/auth/login');
    for (const canary of canaries) {
      expect(canary, 'a canary of use').to.have.lengthOf.above(5);
      expect(app.logged().includes(canary), canary).to.equal(false);
      expect(onRecord.includes(canary), `${canary} on record`).to.equal(false);
      for (const error of errors) {
        // The name that was typed is shown again in its form, even when it was the password by mistake.
        const shown = error.replaceAll(
          `name="username" type="text" autocomplete="username webauthn" value="${password}"`,
          '',
        );
        expect(shown.includes(canary), `${canary} in ${error}`).to.equal(false);
      }
    }
  });
});
