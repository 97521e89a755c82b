import { expect } from 'chai';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import { MINUTE } from '../support/clock.ts';
import { claimsOf, setCookie } from '../support/session.ts';

describe('TOKEN_COOKIE', () => {
  let app: TestApp;
  before(async () => {
    app = await startApp({ TOKEN_COOKIE: 'jwt' });
    await addUser(app, 'ada');
  });
  after(() => app[Symbol.asyncDispose]());

  it('sets the token at login and at every exchange, for as long as the token is good', async () => {
    const ada = app.client();
    const login = await ada.login('ada', PASSWORD);
    expect(setCookie(login, 'jwt')).to.match(
      /^jwt=[^;]+; max-age=21600; path=\/; expires=[^;]+; httponly; samesite=lax$/,
    );
    const first = ada.cookies.get('jwt');
    const exchange = await ada.get('/auth/token');
    expect(setCookie(exchange, 'jwt')).to.include('; httponly; samesite=lax');
    expect(ada.cookies.get('jwt')).not.to.equal(first);
    expect(claimsOf(ada.cookies.get('jwt') ?? '')).to.include({ username: 'ada' });
  });

  it('is set when a form or the bypass signs somebody in as well', async () => {
    const form = await app.client().submit('/auth/login', { username: 'ada', password: PASSWORD });
    expect(form.status).to.equal(303);
    expect(setCookie(form, 'jwt')).to.include('httponly');
    const bypass = await app.client().get('/auth/bypass?token=ada');
    expect(setCookie(bypass, 'jwt')).to.include('httponly');
  });

  it('is not set when the exchange is refused', async () => {
    const response = await app.client().get('/auth/token');
    expect(response.headers.getSetCookie()).to.deep.equal([]);
  });

  it('opens /auth/me', async () => {
    const ada = await signIn(app, 'ada');
    ada.cookies.delete('session');
    expect((await ada.get('/auth/me')).status).to.equal(200);
  });

  it('is cleared at logout, with the attributes it was set with', async () => {
    const ada = await signIn(app, 'ada');
    const response = await ada.post('/auth/logout');
    expect(setCookie(response, 'jwt')).to.equal(
      'jwt=; path=/; expires=thu, 01 jan 1970 00:00:00 gmt; httponly; samesite=lax',
    );
    expect(ada.cookies.size).to.equal(0);
  });

  it('and an Authorization header with another token are refused as a bad request', async () => {
    const ada = await signIn(app, 'ada');
    const token = ada.cookies.get('jwt') ?? '';
    const [same, other] = [token, await (await signIn(app, 'ada')).token()];
    expect((await ada.get('/auth/me', { Authorization: `Bearer ${same}` })).status).to.equal(200);
    const response = await ada.get('/auth/me', { Authorization: `Bearer ${other}` });
    expect(response.status).to.equal(400);
    expect(response.headers.get('www-authenticate')).to.equal('Bearer error="invalid_request"');
  });

  it('with rubbish in it is 401, not an error', async () => {
    for (const value of ['', 'x', '%', 'a.b.c', '"quoted"']) {
      const someone = app.client();
      someone.cookies.set('jwt', value);
      expect((await someone.get('/auth/me')).status, value).to.equal(401);
    }
  });

  it('ends with the token', async () => {
    await using short = await startApp({ TOKEN_COOKIE: 'jwt', JWT_EXPIRES_IN: '15m' });
    const ada = await signIn(short, 'ada');
    expect(setCookie(await ada.get('/auth/token'), 'jwt')).to.include('; max-age=900;');
    short.clock.advance(16 * MINUTE);
    expect((await ada.get('/auth/me')).status).to.equal(401);
  });

  it('is ignored under any other name, and where it is not configured', async () => {
    await using plain = await startApp();
    const token = await (await signIn(plain, 'ada')).token();
    const someone = plain.client();
    for (const name of ['jwt', 'token', 'undefined']) someone.cookies.set(name, token);
    expect((await someone.get('/auth/me')).status).to.equal(401);
    expect((await signIn(plain, 'ada')).cookies.size).to.equal(1);
  });
});
