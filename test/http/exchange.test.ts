import { expect } from 'chai';
import { startApp, signIn, type TestApp } from '../support/app.ts';
import { bodyOf } from '../support/client.ts';

describe('GET /auth/token', () => {
  let app: TestApp;
  before(async () => (app = await startApp()));
  after(() => app[Symbol.asyncDispose]());

  it('exchanges a session for a token of six hours', async () => {
    const ada = await signIn(app, 'ada');
    const response = await ada.get('/auth/token');
    expect(response.status).to.equal(200);
    const { token, token_type, expires_in } = await bodyOf(response);
    expect([token_type, expires_in]).to.deep.equal(['Bearer', 21_600]);
    expect((await app.client().get('/auth/me', { Authorization: `Bearer ${String(token)}` })).status).to.equal(200);
  });

  it('refuses to exchange a session that was logged out in another tab', async () => {
    const tab = await signIn(app, 'ada');
    const other = tab.clone();
    expect((await other.post('/auth/logout')).status).to.equal(204);
    expect((await tab.get('/auth/token')).status).to.equal(401);
  });
});
