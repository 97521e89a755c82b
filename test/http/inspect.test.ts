import { expect } from 'chai';
import { StorageError } from '../../core/errors.ts';
import { planEmergency } from '../../tokens/key-emergency.ts';
import { rotateKeys } from '../../tokens/key-operations.ts';
import { addUser, PASSWORD, signIn, startApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { HOUR, MINUTE, SECOND } from '../support/clock.ts';
import { forge } from '../support/forge.ts';
import { expectReasons, inspect } from '../support/inspect.ts';
import { freshSecret, startProcess } from '../support/keys.ts';
import { claimsOf, headerOf } from '../support/session.ts';

const PAGE = { Accept: 'text/html' };

describe('the token inspector', () => {
  const secret = freshSecret();
  let app: TestApp;
  let ada: Client;
  let token: string;
  before(async () => (app = await startApp({ JWT_SECRET_KEY: secret })));
  beforeEach(async () => {
    await app.services.attempts.forget({ kind: 'inspection', subject: '127.0.0.1' });
    ada = await signIn(app, 'ada');
    token = await ada.token();
  });
  after(() => app[Symbol.asyncDispose]());

  /** The same token with something else in it, signed with the right key. */
  const resigned = (claims: object, header: object = {}) =>
    forge({ ...headerOf(token), ...header }, { ...claimsOf(token), ...claims }, secret);

  it('is there for whoever is signed in and whoever is not, and kept by nobody', async () => {
    for (const client of [ada, app.client()]) {
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await client.request(method, '/inspect', PAGE);
        expect(status).to.equal(200);
        expect(headers.get('content-type')).to.equal('text/html; charset=utf-8');
        expect(headers.get('cache-control')).to.equal('no-store');
        expect(headers.has('etag')).to.equal(false);
        expect(headers.get('referrer-policy')).to.equal('no-referrer');
      }
    }
    const page = await inspect(app.client(), { token });
    expect(page.headers.get('cache-control')).to.equal('no-store');
    expect(page.headers.has('etag')).to.equal(false);
  });

  it('lets its script send nothing, and its form go nowhere else', async () => {
    const policies = [
      (await app.client().get('/inspect')).headers,
      (await inspect(app.client(), { token })).headers,
      (await inspect(app.client(), { token: 'umbrella' })).headers,
    ].map((headers) => headers.get('content-security-policy')?.split(';'));
    for (const policy of policies) {
      expect(policy).to.include.members([
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
      ]);
      expect(policy?.join(';')).to.not.match(/connect-src|unsafe|http/);
    }
    const elsewhere = (await app.client().get('/login')).headers;
    expect(elsewhere.get('content-security-policy')).to.not.include('script-src');
  });

  it('says that anyone can read a payload, and that a live token belongs nowhere else', async () => {
    const html = await (await app.client().get('/inspect', PAGE)).text();
    expect(html).to.include('encoded, not encrypted').and.include('Never paste a live one');
    const page = await inspect(app.client(), { token });
    expect(page.html).to.include('Anyone who has the token can read this');
  });

  it('finds a token valid that the service accepts, and explains every claim', async () => {
    const page = await expectReasons(app, token, []);
    expect(page.html).to.match(/It expires <span data-at="\d+">in (6 hours|5 hours 59 minutes)</);
    for (const name of Object.keys(claimsOf(token))) {
      expect(page.html).to.include(`<code dir="ltr">${name}</code>`);
    }
    expect(page.html).to.include('RFC 7519, section 4.1.4').and.include('RFC 7515, section 4.1.1');
    expect(page.html).to.include('This service knows it: it signs now.');
    expect(page.remarks.join()).to.include('from the bypass');
  });

  it('forgives what a token is copied with', async () => {
    const [header = '', ...rest] = token.split('.');
    for (const pasted of [
      `  ${token}\n`,
      `Bearer ${token}`,
      `Authorization: bearer ${token}`,
      `"${token}",`,
      `'Bearer ${token}'`,
      `${header}.\r\n  ${rest.join('.\n')}`,
      `\u200b\ufeff${token}`,
      JSON.stringify({ token, token_type: 'Bearer' }),
    ]) {
      await expectReasons(app, pasted, []);
    }
  });

  it('uses a token of whoever is signed in, as the exchange would give it out', async () => {
    const page = await inspect(ada, { from: 'session', token: 'whatever', audience: '' });
    expect(page.verdict).to.include('Valid');
    expect(page.html).to.include('&quot;ada&quot;');
    const nobody = await inspect(app.client(), { from: 'session', token: '', audience: '' });
    expect(nobody.status).to.equal(401);
    expect(nobody.html).to.include('Nobody is signed in here');
    await ada.post('/auth/logout');
    expect((await inspect(ada, { from: 'session' })).status).to.equal(401);
    expect((await inspect(ada, { from: 'elsewhere' })).status).to.equal(400);
  });

  it('never looks into the address', async () => {
    const response = await ada.get(`/inspect?token=${token}&from=session`, PAGE);
    const html = await response.text();
    expect(html).to.not.include('verdict').and.not.include(token.split('.')[1]);
    const posted = await ada.submit(`/inspect?token=${token}&from=session`, {});
    expect(posted.status).to.equal(400);
  });

  describe('names the reason when a token is', () => {
    it('altered: nothing in it can be believed', async () => {
      const [header = '', , signature = ''] = token.split('.');
      const claims = Buffer.from(JSON.stringify({ ...claimsOf(token), roles: ['admin'] }));
      const altered = `${header}.${claims.toString('base64url')}.${signature}`;
      await expectReasons(app, altered, [/^The signature is wrong\. Nothing in this token can be/]);
      const flipped = token.slice(0, -2) + (token.endsWith('AA') ? 'QQ' : 'AA');
      await expectReasons(app, flipped, [/^(The signature is wrong|A part of it ends)/]);
    });

    it('expired, with how long ago and when, to the second', async () => {
      const { exp } = claimsOf(token);
      app.clock.advance(Number(exp) * 1000 - app.clock.now() - 1);
      await expectReasons(app, token, []);
      app.clock.advance(1);
      await expectReasons(app, token, [/^It expired now, at /]);
      app.clock.advance(3 * MINUTE);
      const at = new Date(Number(exp) * 1000).toISOString().slice(0, 19).replace('T', ' ');
      const page = await expectReasons(app, token, [/^It expired 3 minutes ago, at /]);
      expect(page.reasons[0]).to.equal(`It expired 3 minutes ago, at ${at} UTC.`);
    });

    it('not valid yet', async () => {
      const nbf = Math.floor(app.clock.now() / 1000) + 90;
      await expectReasons(app, resigned({ nbf }), [
        /^It is not valid yet: that begins in 1 minute (29|30) seconds, at /,
      ]);
    });

    it('from another issuer', async () => {
      await expectReasons(app, resigned({ iss: 'https://elsewhere.example' }), [
        /^The issuer is wrong: it is "https:\/\/elsewhere\.example", and expected is "http:\/\/localhost:3000"\.$/,
      ]);
    });

    it('meant for another audience than the one that was typed', async () => {
      await expectReasons(app, resigned({ aud: ['a', 'b'] }), [], 'b');
      await expectReasons(
        app,
        resigned({ aud: ['a', 'b'] }),
        [/^The audience is wrong: it is \["a","b"\], and expected is "c"\.$/],
        'c',
      );
      await expectReasons(app, token, [/^It has no audience, and expected is "c"\.$/], 'c');
    });

    it('meant for another audience than those of the settings', async () => {
      await using strict = await startApp({ JWT_SECRET_KEY: secret, JWT_AUDIENCE: 'one,two' });
      const client = await signIn(strict, 'ada');
      const own = await client.token('/auth/token?audience=one');
      await expectReasons(strict, own, []);
      const other = forge(headerOf(own), { ...claimsOf(own), aud: 'three' }, secret);
      await expectReasons(strict, other, [/it is "three", and expected is "one" or "two"\.$/]);
    });

    it('revoked, because its session has ended', async () => {
      await ada.post('/auth/logout');
      await expectReasons(app, token, [/^It has been revoked: its session has ended/]);
      app.clock.advance(7 * HOUR);
      await expectReasons(app, token, [/^It has been revoked/, /^It expired/]);
    });

    it('revoked, while its session goes on', async () => {
      const user = await app.services.users.findByUsername('ada');
      await app.services.changeRoles(user?.id ?? '', () => ['new']);
      await expectReasons(app, token, [/^It has been revoked, .* The session goes on/]);
      await app.services.changeRoles(user?.id ?? '', () => []);
    });

    it('without a status of this service', async () => {
      await expectReasons(app, resigned({ status: undefined }), [/^Its "status" is no entry/]);
      const status = { status_list: { idx: 1, uri: 'https://elsewhere.example/list' } };
      await expectReasons(app, resigned({ status }), [/^Its "status" is no entry/]);
    });

    it('signed by nobody', async () => {
      const none = (alg: string) => {
        const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url');
        return `${header}.${token.split('.')[1] ?? ''}.`;
      };
      for (const alg of ['none', 'NONE', 'nOnE']) {
        await expectReasons(app, none(alg), [/^Its algorithm is "none": it is not signed/]);
      }
      await expectReasons(app, `${token.split('.').slice(0, 2).join('.')}.`, [
        /^It has no signature/,
      ]);
    });

    it('signed with a key that is not known here, or names none', async () => {
      await expectReasons(app, resigned({}, { kid: 'k1' }), [/^The key "k1" is not known here/]);
      await expectReasons(app, resigned({}, { kid: undefined }), [/^It names no key/]);
      await expectReasons(app, resigned({}, { kid: 7 }), [/^It names no key/]);
    });

    it('signed with another algorithm than its key has', async () => {
      const { kid } = headerOf(token);
      const other = forge({ typ: 'JWT', alg: 'HS512', kid }, claimsOf(token), secret, 'HS512');
      await expectReasons(app, other, [
        /^The header says "HS512", but the key "[\w-]+" signs with "HS256" alone/,
      ]);
      const nameless = resigned({}, { alg: undefined });
      await expectReasons(app, nameless, [/^The header says nothing, but the key "[\w-]+" signs/]);
    });

    it('one that brings its own key or rules', async () => {
      for (const name of ['jku', 'jwk', 'x5u', 'x5c', 'crit']) {
        const page = await inspect(app.client(), { token: resigned({}, { [name]: ['x'] }) });
        expect(page.reasons[0]).to.include(`The header has "${name}"`);
      }
    });

    it('no token but something else that was signed', async () => {
      const says = /^The type \("typ"\) is "statuslist\+jwt", and must be "JWT" or "at\+jwt"/;
      await expectReasons(app, resigned({}, { typ: 'statuslist+jwt' }), [says]);
      await expectReasons(app, resigned({}, { typ: undefined }), [
        /^The type \("typ"\) is missing/,
      ]);
    });

    it('of another shape: claims that lack, or are not what they should be', async () => {
      const lacking = { sid: undefined, jti: undefined };
      await expectReasons(app, resigned(lacking), [/^It lacks claims .*: jti, sid\.$/]);
      await expectReasons(app, resigned({ sub: '', exp: '1', roles: 'admin' }), [
        /^"sub" must be a text/,
        /^"exp" must be a number of seconds/,
        /^"roles" must be a list of texts/,
      ]);
    });

    it('one whose payload is no object', async () => {
      for (const payload of ['"just a text"', '[1,2]', '42', 'plain', '']) {
        const forged = forge(headerOf(token), payload, secret);
        if (payload === '') {
          expect((await inspect(app.client(), { token: forged })).html).to.include(
            'payload, is empty',
          );
        } else {
          await expectReasons(app, forged, [/^The payload is no JSON object/]);
        }
      }
    });

    it('one with its times in milliseconds', async () => {
      const { exp, iat } = claimsOf(token);
      const times = { exp: Number(exp) * 1000, iat: Number(iat) * 1000 };
      const valid = await expectReasons(app, resigned(times), []);
      expect(valid.remarks.join()).to.include('"exp" and "iat" are in milliseconds');
      expect(valid.html).to.match(/as seconds, .* it is about the year 5\d{4}/);
      await expectReasons(app, resigned({ ...times, iss: 'x' }), [
        /^"exp" and "iat" are in milliseconds/,
        /^The issuer is wrong/,
      ]);
      await expectReasons(app, resigned({ nbf: times.iat }), [
        /^It is not valid yet\.$/,
        /^"nbf" is in milliseconds/,
      ]);
    });

    it('wrong in several ways, all at once, the signature first', async () => {
      const bad = forge(headerOf(token), { ...claimsOf(token), iss: 'x', exp: 1000 }, 'another');
      await expectReasons(app, bad, [/^The signature is wrong/, /^It expired/, /^The issuer/]);
    });
  });

  it('remarks on a name that is there twice', async () => {
    const text = JSON.stringify(claimsOf(token)).replace('{', '{"sub":"mallory",');
    const page = await expectReasons(app, forge(headerOf(token), text, secret), []);
    expect(page.remarks.join()).to.include('"sub" is in it twice');
  });

  it('can say nothing without its data, and says that', async () => {
    await using broken = await startApp();
    const own = await (await signIn(broken, 'ada')).token();
    const isRevoked = () => Promise.reject(new StorageError('away'));
    Object.assign(broken.services.statusLists, { isRevoked });
    const response = await broken.client().submit('/inspect', { token: own });
    expect(response.status).to.equal(503);
    expect(await response.text()).to.not.include(own.split('.')[1]);
  });

  it('counts how often it is asked from one network', async () => {
    const { attempts } = app.services;
    for (let count = 0; count < 300; count += 1) {
      await attempts.count([{ kind: 'inspection', subject: '127.0.0.1' }]);
    }
    const page = await inspect(app.client(), { token });
    expect(page.status).to.equal(429);
    expect(page.headers.has('retry-after')).to.equal(true);
    expect(page.html).to.include('Too many attempts').and.not.include(token.split('.')[2]);
  });
});

describe('the token inspector and keys that come and go', () => {
  it('says what a key does: published, signing, retired, gone', async () => {
    await using app = await startApp({ JWT_ALGORITHM: 'ES256', JWT_EXPIRES_IN: '1h' });
    const ada = await signIn(app, 'ada');
    const { keys } = app.services;
    const token = await ada.token();
    expect((await expectReasons(app, token, [])).html).to.include('it signs now');

    await rotateKeys(keys.context, false);
    app.clock.advance(6 * SECOND);
    await keys.maintain();
    const pending = (await keys.context.store.all()).at(-1);
    if (pending === undefined) throw new Error('no key is pending');
    const { key, algorithm } = keys.context.holder.signing(pending);
    const { default: jsonwebtoken } = await import('jsonwebtoken');
    const early = jsonwebtoken.sign(claimsOf(token), key, {
      algorithm,
      keyid: pending.kid,
    });
    const page = await expectReasons(app, early, []);
    expect(page.remarks.join()).to.match(
      /is published, but may not sign yet: that begins in 2\d minutes/,
    );

    for (let passed = 0; passed < 25; passed += 5) {
      app.clock.advance(5 * MINUTE);
      await ada.get('/auth/token');
      await keys.maintain();
    }
    const retired = await expectReasons(app, token, []);
    expect(retired.remarks.join()).to.match(/has been retired since \d minutes/);
    expect(await ada.token()).to.not.equal(token);

    for (let passed = 0; passed < 125; passed += 5) {
      app.clock.advance(5 * MINUTE);
      await ada.get('/auth/token');
      await keys.maintain();
    }
    const gone = await expectReasons(app, token, [
      /^The key "[\w-]+" is accepted no more: it was retired 2 hours \d+ minutes ago, at .* UTC\. Its last tokens expired/,
      /^It expired/,
    ]);
    expect(gone.html).to.include('Right: the key');
  });

  it('says that a key was rejected in an emergency, and when', async () => {
    await using app = await startApp({ JWT_ALGORITHM: 'ES256' });
    const token = await (await signIn(app, 'ada')).token();
    const plan = await planEmergency(app.services.keys.context);
    await plan.carryOut();
    app.clock.advance(2 * MINUTE);
    await expectReasons(app, token, [/rejected in an emergency, .* 2 minutes ago, at/]);
  });

  it('knows an earlier secret', async () => {
    const [old, current] = [freshSecret(), freshSecret()];
    const directory = await startApp({ JWT_SECRET_KEY: old });
    const token = await (await signIn(directory, 'ada')).token();
    await directory[Symbol.asyncDispose]();
    await using app = await startApp({ JWT_SECRET_KEY: current, JWT_SECRET_KEY_PREVIOUS: old });
    const page = await inspect(app.client(), { token });
    expect(page.html).to.include('Right: the key').and.include('an earlier secret of the settings');
  });

  it('says that nobody can say while the secret of a key is not here', async () => {
    const [own, other] = [freshSecret(), freshSecret()];
    await using app = await startApp({ JWT_SECRET_KEY: own });
    const claims = claimsOf(await (await signIn(app, 'ada')).token());
    const { keys } = await startProcess(app.services.database, app.clock, {
      JWT_SECRET_KEY: other,
      JWT_SECRET_KEY_PREVIOUS: own,
    });
    app.clock.advance(6 * SECOND);
    await app.services.keys.maintain();
    const { kid, algorithm } = keys.ring.signing();
    const token = forge({ alg: algorithm, typ: 'JWT', kid }, claims, other);
    const page = await inspect(app.client(), { token });
    expect(page.verdict).to.equal('? Cannot be checked now');
    expect(page.remarks.join()).to.include('nobody can say whether it is valid');
    expect(page.remarks.join()).to.include('nothing vouches for it');
  });

  it('names tokens of the bypass, and refuses them in production', async () => {
    const secret = freshSecret();
    await using app = await startApp({ JWT_SECRET_KEY: secret });
    const ada = await signIn(app, 'ada');
    const token = await ada.token();
    expect((await expectReasons(app, token, [])).remarks.join()).to.include('from the bypass');
    await using production = await startApp({
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://login.example.org',
      TRUST_PROXY: '127.0.0.1',
      BYPASS_AUTH: 'false',
      INSPECTOR: 'on',
      SESSION_SECRET: freshSecret(),
      JWT_SECRET_KEY: secret,
    });
    const page = await inspect(production.client(), { token });
    expect(page.reasons.join()).to.include('from the bypass of development');
  });

  it('says nothing of the bypass of somebody with a password', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const ada = app.client();
    await ada.login('ada', PASSWORD);
    expect((await expectReasons(app, await ada.token(), [])).remarks).to.deep.equal([]);
  });
});

describe('where the token inspector is off', () => {
  const secrets = { SESSION_SECRET: freshSecret(), JWT_SECRET_KEY: freshSecret() };
  const production = {
    ...secrets,
    NODE_ENV: 'production',
    PUBLIC_URL: 'https://login.example.org',
    TRUST_PROXY: '127.0.0.1',
    BYPASS_AUTH: 'false',
  };

  it('it is 404 as any unknown path is: in production unless it is on, and where it is off', async () => {
    for (const [settings, status] of [
      [production, 404],
      [{ ...production, INSPECTOR: 'off' }, 404],
      [{ ...secrets, INSPECTOR: 'off' }, 404],
      [{ ...production, INSPECTOR: 'on' }, 200],
      [secrets, 200],
    ] as const) {
      await using app = await startApp({ ...settings });
      const client = app.client();
      const asked = await client.get('/inspect', PAGE);
      expect(asked.status, JSON.stringify(settings)).to.equal(status);
      if (status === 200) continue;
      const unknown = await client.get('/nowhere', PAGE);
      const known = ['content-security-policy', 'referrer-policy', 'cache-control', 'allow'];
      for (const name of known) {
        expect(asked.headers.get(name)).to.equal(unknown.headers.get(name));
      }
      for (const method of ['POST', 'PUT', 'HEAD']) {
        expect((await client.request(method, '/inspect')).status).to.equal(404);
      }
      expect(await (await client.get('/login', PAGE)).text()).to.not.include('/inspect');
    }
  });
});
