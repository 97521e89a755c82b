import { expect } from 'chai';
import fc from 'fast-check';
import { StorageError } from '../../core/errors.ts';
import { signIn, startApp, type TestApp } from '../support/app.ts';
import { answerOf, expectSound } from '../support/answer.ts';
import { recorded } from '../support/audit.ts';
import { bodyOf, type Client } from '../support/client.ts';
import { forge } from '../support/forge.ts';
import { inspect, plain } from '../support/inspect.ts';
import { freshSecret } from '../support/keys.ts';
import { claimsOf, headerOf } from '../support/session.ts';

const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}<%= 7 %>`;
const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', ''];

describe('what is pasted into the token inspector', () => {
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

  /** Nothing that a browser would run, and nothing that cannot be seen. */
  function expectHarmless(html: string): void {
    expect(html).to.not.match(/<img src=x|<script>|<svg|<iframe/i);
    const withoutValues = html.replaceAll(/="[^"]*"/g, '=""');
    expect(withoutValues).to.not.match(/<[^>]+\s(style|on\w+)\s*=/i);
    expect(html.match(/<script[^>]*>/g)).to.have.length(1);
    expect(html).to.not.match(/(?![\n\r\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  }

  it('is shown as text, in every name and every value of header and payload', async () => {
    const tokens = [
      forge({ ...headerOf(token), [HOSTILE]: 1 }, claimsOf(token), secret),
      forge(headerOf(token), { ...claimsOf(token), [HOSTILE]: { [HOSTILE]: [HOSTILE] } }, secret),
      forge(headerOf(token), HOSTILE, secret),
      forge(headerOf(token), JSON.stringify(HOSTILE), secret),
      ...['alg', 'typ', 'kid', 'jku', 'crit', 'cty'].flatMap((name) =>
        [HOSTILE, [HOSTILE], { [HOSTILE]: HOSTILE }].map((value) =>
          forge({ ...headerOf(token), [name]: value }, claimsOf(token), secret),
        ),
      ),
      ...Object.keys(claimsOf(token)).flatMap((name) =>
        [HOSTILE, [HOSTILE], { [HOSTILE]: HOSTILE }].map((value) =>
          forge(headerOf(token), { ...claimsOf(token), [name]: value }, secret),
        ),
      ),
    ];
    for (const [index, hostile] of tokens.entries()) {
      const { status, html } = await inspect(app.client(), { token: hostile, audience: HOSTILE });
      expect(status).to.equal(200);
      expectHarmless(html);
      expect(html, String(index)).to.include('&lt;script&gt;');
    }
  });

  it('shows what is invisible or turns the direction of writing', async () => {
    const strange = 'a\u202eb\u2066c\u200dd\u0000e\u001b[2Jf\u007fg\u2028h\u{e0041}i\ud800j\ufeff';
    const claims = { ...claimsOf(token), iss: strange, [strange]: strange, roles: [strange] };
    for (const hostile of [
      forge({ ...headerOf(token), kid: strange }, claims, secret),
      forge(headerOf(token), claims, secret),
      forge(headerOf(token), `plain ${strange}`, secret),
    ]) {
      const { html } = await inspect(app.client(), { token: hostile });
      expectHarmless(html);
      expect(html).to.match(/\\u202e|\ufffd/);
    }
    const { html } = await inspect(app.client(), { token: forge(headerOf(token), claims, secret) });
    expect(html).to.include('a\\u202eb\\u2066c\\u200dd\\u0000e\\u001b[2Jf\\u007fg\\u2028h');
  });

  it('has names of the prototype shown as the names that they are', async () => {
    const text = `{${NAMES.map((name) => `${JSON.stringify(name)}:{"sub":"x"}`).join()}}`;
    const { status, html, reasons } = await inspect(app.client(), {
      token: forge(headerOf(token), text, secret),
    });
    expect(status).to.equal(200);
    for (const name of NAMES)
      expect(html).to.include(`<code dir="ltr">${name || '&quot;&quot;'}</code>`);
    expect(reasons.join()).to.include(
      'It lacks claims that every token of this service has: iss, sub,',
    );
    const inHeader = await inspect(app.client(), { token: forge(text, claimsOf(token), secret) });
    expect(inHeader.reasons.join()).to.include('It names no key');
  });

  it('may be nested, long and full of names: the page stays small', async () => {
    const deep = (open: string, close: string, levels: number) =>
      open.repeat(levels) + '1' + close.repeat(levels);
    const payloads = [
      `{"a":${deep('[', ']', 5000)}}`,
      `{"iss":${deep('{"a":', '}', 1500)}}`,
      deep('[', ']', 5000),
      JSON.stringify({ a: 'x'.repeat(10_000) }),
      JSON.stringify({ ['x'.repeat(10_000)]: 1 }),
      JSON.stringify(Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [at, 1]))),
      JSON.stringify({ a: Array.from({ length: 5000 }, () => 1) }),
      '\u202e'.repeat(3000),
    ];
    for (const payload of payloads) {
      for (const hostile of [
        forge(headerOf(token), payload, secret),
        forge(payload, claimsOf(token), secret),
      ]) {
        const { status, html } = await inspect(app.client(), { token: hostile });
        expect([200, 400]).to.include(status);
        expect(html.length).to.be.below(150_000);
      }
    }
  });

  it('is answered, whatever it is, with a page that is sound', async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(1e308, -1e308, 1e12, -8.64e12, HOSTILE),
    );
    const object = fc.dictionary(
      fc.oneof(
        fc.constantFrom(
          ...NAMES,
          'alg',
          'kid',
          'exp',
          'nbf',
          'iat',
          'auth_time',
          'aud',
          'status',
          'amr',
        ),
        fc.string(),
      ),
      value,
    );
    const part = fc.oneof(object, fc.json(), fc.string({ unit: 'binary', maxLength: 40 }));
    const pasted = fc.oneof(
      fc.tuple(part, part).map(([one, two]) => forge(one, two, secret)),
      object.map((claims) => forge(headerOf(token), { ...claimsOf(token), ...claims }, secret)),
      fc.string({ unit: 'binary', maxLength: 200 }),
    );
    await fc.assert(
      fc.asyncProperty(pasted, async (text) => {
        await app.services.attempts.forget({ kind: 'inspection', subject: '127.0.0.1' });
        const response = await app.client().submit('/inspect', { token: text });
        const answer = await answerOf(response);
        expectSound(answer, { path: '/inspect', method: 'POST', accept: 'text/html' });
        expect(answer.status).to.be.oneOf([200, 400]);
        expectHarmless(answer.body);
      }),
      { numRuns: 400 },
    );
  });

  it('is too long with more than 16 KiB, and is told so', async () => {
    const page = await inspect(app.client(), {
      token: `${token.slice(0, -1)}${'A'.repeat(17_000)}`,
    });
    expect(page.status).to.equal(413);
    expect(plain(page.html)).to.include(
      'Too long for a token. No token of this service is longer than 16384 characters',
    );
    const script = await app.client().post('/inspect', { token: 'x'.repeat(20_000) });
    expect((await bodyOf(script))['code']).to.equal('payload_too_large');
  });

  it('is never repeated where it is no token: it may be a secret', async () => {
    const secrets = [
      'correct-horse-battery-staple',
      freshSecret(),
      '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----',
      '{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMko"}',
      `session=${ada.cookies.get('session') ?? ''}`,
    ];
    for (const text of secrets) {
      for (const accept of ['text/html', 'application/json']) {
        const response = await app.client().submit('/inspect', { token: text }, { Accept: accept });
        expect(response.status).to.equal(400);
        const body = plain(await response.text()).replaceAll(' ', '');
        const needle = text.replaceAll(/\s|["\\]/g, '').slice(-30, -4);
        expect(body.replaceAll(/["\\]/g, '')).to.not.include(needle);
      }
    }
  });

  it('and a token of whoever is signed in, is refused to other sites', async () => {
    const callers = [
      { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Origin: 'https://evil.example', 'Sec-Fetch-Site': '' },
    ];
    for (const headers of callers) {
      const response = await ada.submit('/inspect', { from: 'session' }, headers);
      expect(response.status).to.equal(403);
      expect(await response.text()).to.not.include('eyJ');
    }
  });
});

describe('security 21: a token that is inspected', () => {
  it('gets into no log, no record and no address, whether it is good or not, and whatever fails', async () => {
    const secret = freshSecret();
    await using app = await startApp({ JWT_SECRET_KEY: secret });
    const ada = await signIn(app, 'ada');
    const canary = 'canary-5-claim';
    const good = await ada.token();
    const marked = forge({ alg: 'HS256', kid: canary }, { ...claimsOf(good), x: canary }, secret);
    const canaries = [...[good, marked].flatMap((jwt) => jwt.split('.').slice(1)), canary];
    const answers: Response[] = [];
    const send = async (fields: Record<string, string>) => {
      answers.push(await ada.submit('/inspect', fields), await ada.post('/inspect', fields));
    };
    const everything = async () => {
      for (const token of [good, marked, canary, `${marked}.x`, `-----BEGIN ${canary}`]) {
        await send({ token });
        await send({ token, audience: canary });
        await send({ token, surplus: canary });
      }
      await send({ from: 'session', token: marked });
      answers.push(
        await ada.get(`/inspect?token=${marked}`),
        await ada.request(
          'POST',
          '/inspect',
          { 'Content-Type': 'application/json' },
          `{"token":"${marked}`,
        ),
        await ada.request('POST', '/inspect', { 'Content-Type': 'text/plain' }, marked),
        await ada.request('PUT', `/inspect?token=${marked}`),
      );
    };
    await everything();
    const { verifier, statusLists } = app.services;
    const verify = verifier.verify.bind(verifier);
    for (const error of [new Error('boom'), new StorageError('away')]) {
      const fail = () => Promise.reject(error);
      Object.assign(statusLists, { isRevoked: fail });
      await everything();
      Object.assign(verifier, { verify: fail });
      await everything();
      Object.assign(verifier, { verify });
    }
    expect(new Set(answers.map(({ status }) => status))).to.include.members([
      200, 400, 405, 415, 500, 503,
    ]);
    expect(app.logged()).to.include('boom').and.include('"route":"/inspect"');
    const onRecord = JSON.stringify(await recorded(app.services.database));
    for (const text of canaries) {
      expect(app.logged().includes(text), `${text} in the log`).to.equal(false);
      expect(onRecord.includes(text), `${text} on record`).to.equal(false);
      for (const { headers } of answers) {
        expect(JSON.stringify([...headers]).includes(text), `${text} in a header`).to.equal(false);
      }
    }
  });
});
