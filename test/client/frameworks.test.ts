import { expect } from 'chai';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createSSRApp, effectScope } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';
import { type Auth, createAuth } from '../../packages/client/index.ts';
import { useAuth } from '../../packages/client/react.ts';
import { useAuth as useAuthInVue } from '../../packages/client/vue.ts';
import { addUser, PASSWORD, startApp, type TestApp } from '../support/app.ts';
import { eventually } from '../verify/published.ts';

describe('useAuth on a server and in a store', () => {
  let app: TestApp;
  let auth: Auth;
  let asked = 0;

  beforeEach(async () => {
    app = await startApp();
    asked = 0;
    app.server.on('request', () => (asked += 1));
    await addUser(app, 'ada');
    auth = createAuth({ baseUrl: app.url, fetch: app.client().fetch });
  });
  afterEach(async () => {
    auth.close();
    await app[Symbol.asyncDispose]();
  });

  it('renders with React on a server as unknown, and asks nobody', () => {
    const Name = () => createElement('b', {}, useAuth(auth).state);
    expect(renderToString(createElement(Name))).to.equal('<b>unknown</b>');
    expect(asked).to.equal(0);
  });

  it('renders with Vue on a server as unknown, and asks nobody', async () => {
    const page = createSSRApp({
      setup: () => useAuthInVue(auth),
      template: '<b>{{ state }}</b>',
    });
    expect(await renderVue(page)).to.equal('<b>unknown</b>');
    expect(asked).to.equal(0);
  });

  it('is followed by a store of Vue, until that is gone', async () => {
    const scope = effectScope();
    const store = scope.run(() => useAuthInVue(auth));
    await eventually(() => store?.state.value === 'signed-out');
    await auth.login({ username: 'ada', password: PASSWORD });
    await eventually(() => store?.user.value?.username === 'ada');
    scope.stop();
    await auth.logout();
    expect([auth.state, store?.state.value]).to.deep.equal(['signed-out', 'signed-in']);
  });
});
