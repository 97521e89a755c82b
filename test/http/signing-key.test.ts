import { expect } from 'chai';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { DAY, MINUTE, SECOND } from '../support/clock.ts';
import { freshSecret, startProcess } from '../support/keys.ts';
import { headerOf } from '../support/session.ts';

describe('the service and its signing key', () => {
  let app: TestApp;
  afterEach(() => app[Symbol.asyncDispose]());

  it('is not ready and answers 503 while the key that signs is not its own, and mends itself', async () => {
    const [own, other] = [freshSecret(), freshSecret()];
    app = await startApp({ JWT_SECRET_KEY: own });
    const client = await signIn(app, 'ada');
    const { database } = app.services;
    const secrets = { JWT_SECRET_KEY: other, JWT_SECRET_KEY_PREVIOUS: own };
    await startProcess(database, app.clock, secrets);
    app.clock.advance(6 * SECOND);
    const ready = await app.client().get('/readyz');
    expect(ready.status).to.equal(503);
    expect(await ready.json()).to.deep.include({ failures: ['signing key'] });
    expect((await client.get('/auth/token')).status).to.equal(503);

    await startProcess(database, app.clock, {
      JWT_SECRET_KEY: own,
      JWT_SECRET_KEY_PREVIOUS: other,
    });
    app.clock.advance(6 * SECOND);
    expect((await app.client().get('/readyz')).status).to.equal(200);
    expect((await client.get('/auth/token')).status).to.equal(200);
  });

  it('publishes no keys that may be outdated: whoever asks keeps those that it has', async () => {
    app = await startApp({ JWT_ALGORITHM: 'ES256' });
    await app.services.database.kysely.schema
      .alterTable('signing_keys')
      .renameTo('moved_keys')
      .execute();
    for (const [passed, status] of [
      [45 * SECOND, 200],
      [1, 503],
    ] as const) {
      app.clock.advance(passed);
      for (const path of ['/.well-known/jwks.json', '/.well-known/openid-configuration']) {
        const answer = await app.client().get(path);
        expect(answer.status, path).to.equal(status);
        expect(answer.headers.get('cache-control')).to.equal(
          status === 200 ? 'public, max-age=600' : 'no-store',
        );
      }
    }
  });

  it('publishes the key that signs the tokens, and the next one before it does', async () => {
    app = await startApp({ JWT_ALGORITHM: 'ES256', KEY_ROTATION_INTERVAL: '1d' });
    const kids = async () => {
      const set: unknown = await (await app.client().get('/.well-known/jwks.json')).json();
      const { keys } = set as { keys: { kid: string }[] };
      return keys.map(({ kid }) => kid);
    };
    const client = await signIn(app, 'ada');
    const kidOf = (jwt: string) => String(headerOf(jwt)['kid']);
    const [first, ...others] = await kids();
    expect(others).to.deep.equal([]);
    expect(kidOf(await client.token())).to.equal(first);
    for (let passed = 0; passed < DAY - 21 * MINUTE; passed += 19 * MINUTE) {
      app.clock.advance(19 * MINUTE);
      await client.get('/auth/token');
    }
    await app.services.keys.maintain();
    const [, second] = await kids();
    expect(second).to.be.a('string');
    expect(kidOf(await client.token())).to.equal(first);
    app.clock.advance(21 * MINUTE);
    expect(kidOf(await client.token())).to.equal(second);
    expect(await kids()).to.deep.equal([first, second]);
  });
});
