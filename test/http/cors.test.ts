import { expect } from 'chai';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { cookiesOf, send } from '../support/raw.ts';

const APP = 'https://app.example.org';

describe('CORS_ORIGINS', () => {
  let app: TestApp;
  before(async () => (app = await startApp({ CORS_ORIGINS: `${APP},http://localhost:5173` })));
  after(() => app[Symbol.asyncDispose]());

  it('lets exactly the listed origins read answers, with cookies', async () => {
    const ada = await signIn(app, 'ada');
    for (const origin of [APP, 'http://localhost:5173']) {
      const answer = await send(app, 'GET', '/auth/token', { ...cookiesOf(ada), Origin: origin });
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('access-control-allow-origin')).to.equal(origin);
      expect(answer.headers.get('access-control-allow-credentials')).to.equal('true');
      expect(answer.headers.get('vary')).to.include('Origin');
    }
  });

  it('lets them read errors too', async () => {
    for (const path of ['/auth/token', '/auth/me', '/auth/nowhere']) {
      const answer = await send(app, 'GET', path, { Origin: APP });
      expect(answer.status).to.be.within(401, 404);
      expect(answer.headers.get('access-control-allow-origin'), path).to.equal(APP);
      expect(answer.headers.get('access-control-expose-headers')).to.include('WWW-Authenticate');
    }
  });

  it('lets no other origin, and never says *', async () => {
    const others = [
      'https://evil.example',
      'null',
      `${APP}.evil.example`,
      `${APP}/`,
      'http://app.example.org',
      'http://localhost:3000',
      '*',
      '',
    ];
    for (const origin of others) {
      for (const method of ['GET', 'OPTIONS']) {
        const headers = { Origin: origin, 'Access-Control-Request-Method': 'GET' };
        const answer = await send(app, method, '/auth/token', headers);
        expect(answer.headers.get('access-control-allow-origin'), origin).to.equal(null);
        expect(answer.headers.get('vary'), origin).to.include('Origin');
      }
    }
  });

  it('answers the preflight of a listed app', async () => {
    const answer = await send(app, 'OPTIONS', '/auth/login', {
      Origin: APP,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'content-type',
    });
    expect(answer.status).to.equal(204);
    expect(answer.headers.get('access-control-allow-origin')).to.equal(APP);
    expect(answer.headers.get('access-control-allow-credentials')).to.equal('true');
    expect(answer.headers.get('access-control-allow-methods')).to.equal('GET,POST,DELETE');
    expect(answer.headers.get('access-control-allow-headers')).to.equal('content-type');
  });

  it('opens nothing but /auth', async () => {
    for (const path of ['/', '/account', '/healthz']) {
      const answer = await send(app, 'GET', path, { Origin: APP });
      expect(answer.headers.get('access-control-allow-origin'), path).to.equal(null);
    }
  });

  it('left empty, lets nobody', async () => {
    await using closed = await startApp();
    const answer = await send(closed, 'GET', '/auth/token', { Origin: APP });
    expect(answer.status).to.equal(403);
    const headers = [...answer.headers.keys()].filter((name) => name.startsWith('access-control'));
    expect(headers).to.deep.equal([]);
    const preflight = { Origin: APP, 'Access-Control-Request-Method': 'POST' };
    expect((await send(closed, 'OPTIONS', '/auth/login', preflight)).status).to.equal(405);
  });
});
