import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import jsonwebtoken from 'jsonwebtoken';
import { requireToken } from '#verify';
import { hmac, publicKeyForms } from '../../../commands/probe/jws.ts';
import { issueOwnTokens, type OwnTokens } from '../../../commands/probe/own-tokens.ts';
import { isAllGood, type Probe, type Report, runProbe } from '../../../commands/probe/run.ts';
import { numericDate } from '../../../core/clock.ts';
import { addUser, startApp, type TestApp } from '../../support/app.ts';
import { MINUTE, SECOND } from '../../support/clock.ts';
import { failureOf } from '../../support/failure.ts';
import { freePort } from '../../support/free-port.ts';
import { laxApi, type Slip, startApi, type Trusted } from '../../support/lax-api.ts';
import { claimsOf, sessionRows } from '../../support/session.ts';

const AUDIENCE = 'https://api.example';
const DELAY = 65 * SECOND;
const never = new AbortController().signal;

async function startService(algorithm: string, settings: Record<string, string> = {}) {
  const port = await freePort();
  const environment = {
    JWT_ALGORITHM: algorithm,
    JWT_AUDIENCE: AUDIENCE,
    PUBLIC_URL: `http://localhost:${port}`,
    ...settings,
  };
  return startApp(environment, { port });
}

async function own({ services }: TestApp, audience?: string) {
  await services.keyRing.refresh(); // as a command does that has just begun
  return issueOwnTokens(services, audience, DELAY);
}

/** What is probed, with as few of the rest as there can be. */
function probeOf(app: TestApp, url: string, more: Partial<Probe> & { timeout?: number } = {}) {
  const { timeout = 5000, ...rest } = more;
  return runProbe({
    target: { url: new URL(url), method: 'GET', headers: {}, timeout },
    clock: app.clock,
    stop: never,
    async pause(milliseconds) {
      app.clock.advance(milliseconds);
    },
    ...rest,
  });
}

const named = ({ results }: Report, verdict: string) =>
  results.filter((result) => result.verdict === verdict && !result.isGood).map(({ name }) => name);
const bad = ({ results }: Report) =>
  results.filter(({ isGood }) => !isGood).map(({ name }) => name);

/** An API that does with every token what it does, behind the question whether there is one. */
function answering(answer: RequestListener): RequestListener {
  return (req, res) => {
    if (req.headers.authorization === undefined) res.writeHead(401).end();
    else answer(req, res);
  };
}

describe('a probe of an API that requireToken guards', function () {
  this.timeout(120_000);
  for (const algorithm of ['HS256', 'ES256', 'RS256', 'PS256']) {
    it(`gets nothing through where ${algorithm} signs, with at most 60 requests`, async () => {
      await using app = await startService(algorithm);
      const { secret } = app.services.settings.jwt;
      const guard = requireToken({
        issuer: app.services.settings.jwt.issuer,
        audience: AUDIENCE,
        revocation: 'required',
        now: () => app.clock.now(),
        ...(algorithm === 'HS256' ? { secret: secret ?? '' } : { discovery: true }),
      });
      await using api = await startApi((req, res) =>
        guard(req, res, (error) => res.writeHead(error === undefined ? 200 : 500).end()),
      );
      await using tokens = await own(app);
      const report = await probeOf(app, `${api.url}/orders?page=2`, { own: tokens });
      expect(bad(report)).to.deep.equal([]);
      expect(isAllGood(report)).to.equal(true);
      expect(api.requests).to.have.length(report.results.length).and.within(45, 60);
      const left = { HS256: ['hs-…'], ES256: ['other-algorithm'] }[algorithm] ?? [];
      expect(report.omissions.map(({ name }) => name)).to.deep.equal(left);
      expect(
        new Set(api.requests.map(({ url }) => url?.replace(/&access_token=.*/, ''))),
      ).to.have.keys('/orders?page=2');
    });
  }
});

describe('a probe', function () {
  this.timeout(120_000);
  let app: TestApp;
  let tokens: OwnTokens;
  let trusted: Trusted;
  before(async () => {
    app = await startService('RS256');
    tokens = await own(app);
    const { keyRing, settings, statusLists } = app.services;
    const { kid, algorithm, key } = keyRing.signing();
    const [list = ''] = await statusLists.ids();
    trusted = {
      algorithm,
      kid,
      key: createPublicKey(key),
      issuer: settings.jwt.issuer,
      audience: AUDIENCE,
      now: () => app.clock.now(),
      isRevoked: (index) => statusLists.isRevoked({ list, index }),
    };
  });
  after(async () => {
    await tokens[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  async function probed(
    listener: RequestListener,
    more: Partial<Probe> & { timeout?: number } = {},
  ) {
    await using api = await startApi(listener);
    return await probeOf(app, api.url, { own: tokens, ...more });
  }

  it('finds nothing wrong with an API by hand that forgets nothing', async () => {
    expect(bad(await probed(laxApi(trusted)))).to.deep.equal([]);
  });

  const NONE = [
    'none-lower',
    'none-title',
    'none-upper',
    'none-mixed',
    'none-blank',
    'none-signed',
  ];
  const SLIPS: Record<Slip, string[]> = {
    'accepts none': NONE,
    'accepts an empty signature': ['stripped', 'two-parts', ...NONE.slice(0, -1), 'none-empty'],
    'does not verify signatures': [
      ...'none-signed altered flipped zeros doubled other-key other-key-no-kid'.split(' '),
      ...'empty-secret weak-secret jwk jku x5u kid-address kid-path kid-sql kid-object hs-pem'.split(
        ' ',
      ),
      ...'hs-pem-trimmed hs-pem-space hs-pem-escaped hs-pem-quoted hs-pem-pkcs1 hs-jwk'.split(' '),
      'other-algorithm',
    ],
    'does not check exp': ['expired', 'no-exp', 'exp-text'],
    'does not demand exp': ['no-exp', 'exp-text'],
    'does not check nbf': ['not-yet'],
    'does not check iss': ['other-issuer'],
    'does not check aud': ['other-audience', 'no-audience'],
    'does not demand aud': ['no-audience'],
    'does not check typ': ['other-typ'],
    'does not check revocation': ['revoked'],
    'ignores crit': ['crit'],
    'takes jwk': ['jwk'],
    'follows jku': ['jku'],
    'fetches x5u': ['x5u'],
    'follows kid': ['kid-address'],
    'follows iss': ['issuer-address'],
    'fetches status lists first': ['status-address'],
    'reads a file for kid': ['kid-path'],
    'asks a database for kid': ['kid-sql'],
    'has no secret': ['empty-secret', 'kid-path'], // signed with the same
    'has the secret "secret"': ['weak-secret'],
    'takes the algorithm of the token': ['other-algorithm'],
    'reads JSON': ['json-flattened', 'json-general'],
    'skips what is not base64url': ['base64-junk', 'base64-padded'],
    'reads three of four parts': ['four-parts'],
    'takes tokens from the address': ['query'],
    'takes the first of two headers': ['two-headers-good-first'],
    'takes the last of two headers': ['two-headers-good-last'],
  };
  const ONLY_CALLED = new Set<string>(['fetches x5u', 'fetches status lists first']);
  for (const [slip, names] of Object.entries(SLIPS)) {
    it(`finds that an API ${slip}`, async () => {
      const report = await probed(laxApi(trusted, slip as Slip));
      expect(bad(report)).to.deep.equal(names);
      expect(named(report, ONLY_CALLED.has(slip) ? 'called' : 'accepted')).to.deep.equal(names);
    });
  }

  const comparisons: Record<string, NonNullable<Trusted['isSame']>> = {
    'begins with': (name, right) => name.startsWith(right),
    'ends with': (name, right) => name.endsWith(right),
    includes: (name, right) => name.includes(right),
  };
  for (const [how, isSame] of Object.entries(comparisons)) {
    it(`finds that an API takes an issuer and an audience whose name ${how} the right one`, async () => {
      const report = await probed(laxApi({ ...trusted, isSame }));
      expect(named(report, 'accepted')).to.deep.equal(['other-issuer', 'other-audience']);
    });
  }

  it('finds that an API tolerates more than eleven minutes between the clocks, and lets ten pass', async () => {
    await using fresh = await own(app);
    const names = async (tolerance: number) =>
      bad(await probed(laxApi({ ...trusted, tolerance }), { own: fresh }));
    expect(await names(600)).to.deep.equal([]);
    expect(await names(661)).to.deep.equal(['expired', 'not-yet']);
    expect(await names(3000)).to.deep.equal(['expired', 'not-yet']);
  });

  it('has enough of its 60 requests for everything that can be tried at once', async () => {
    await using api = await startApi(laxApi(trusted, 'does not check revocation'));
    await using fresh = await own(app, AUDIENCE);
    const report = await probeOf(app, api.url, { own: fresh, token: tokens.good });
    expect(bad(report)).to.deep.equal(['revoked']); // which is asked twice
    expect(report.omissions).to.deep.equal([]);
    expect(api.requests).to.have.length.within(report.results.length + 2, 60);
  });

  it('knows what to do with whatever a given token and its key may say', async () => {
    const anything = answering((_req, res) => res.end());
    const heads = ['constructor', '__proto__', 'none', 'HS512', 'EdDSA'].map((alg) => ({ alg }));
    const okp = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    for (const head of heads) {
      const token = hmac(head, { exp: { valueOf: 1, toString: 1 } }, 'secret');
      await using api = await startApi(anything);
      const report = await probeOf(app, api.url, { token, published: [okp] });
      expect(report.worthless, head.alg).to.equal(undefined);
      expect(bad(report), head.alg).to.include.members(['flipped', 'other-key', 'jwk']);
      expect(bad(report).includes('hs-jwk'), head.alg).to.equal(head.alg !== 'HS512');
    }
  });

  it('finds that a revoked token opens an API only when it had time to hear of it', async () => {
    let asked = 0;
    const since = app.clock.now();
    const slow = {
      ...trusted,
      isRevoked: (index: number) => {
        const knows = app.clock.now() >= since + MINUTE;
        return knows && trusted.isRevoked(index);
      },
    };
    await using fresh = await own(app);
    const report = await probed(laxApi(slow), {
      own: fresh,
      async pause(milliseconds) {
        asked += 1;
        expect(milliseconds).to.equal(DELAY);
        app.clock.advance(milliseconds);
      },
    });
    expect(bad(report)).to.deep.equal([]);
    expect(asked).to.equal(1);
  });

  it('finds a public key that jsonwebtoken takes for a secret, in every form that a setting makes of it', async () => {
    const forms = publicKeyForms({ ...tokens.published });
    const { issuer } = trusted;
    for (const [name, form] of Object.entries({
      'hs-pem-escaped': String.raw`PEM with a literal \n`,
      'hs-pem-space': 'PEM with a leading space',
      'hs-pem-quoted': 'PEM in quotes',
      'hs-jwk': 'JWK',
    })) {
      const setting = String(forms[form]);
      const report = await probed(
        answering((req, res) => {
          const token = (req.headers.authorization ?? '').replace('Bearer ', '');
          try {
            const { alg } = jsonwebtoken.decode(token, { complete: true })?.header ?? {};
            const mended = String(forms['PEM']);
            const clockTimestamp = numericDate(app.clock.now());
            // no algorithms: the mistake
            jsonwebtoken.verify(token, alg === 'HS256' ? setting : mended, {
              issuer,
              clockTimestamp,
            });
            res.end();
          } catch {
            res.writeHead(401).end();
          }
        }),
      );
      expect(
        named(report, 'accepted').filter((one) => one.startsWith('hs-')),
        form,
      ).to.deep.equal([name]);
    }
  });

  it('calls errors of the API, closed connections and silence a crash', async () => {
    const isOdd = (authorization = '') => {
      try {
        const [head = ''] = authorization.replace('Bearer ', '').split('.');
        const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid?: unknown };
        return typeof kid === 'object';
      } catch {
        return false;
      }
    };
    const guard = laxApi(trusted);
    const crashes: RequestListener[] = [
      (_req, res) => res.writeHead(500).end(),
      (req) => req.socket.destroy(),
      () => undefined,
    ];
    for (const crash of crashes) {
      const report = await probed(
        (req, res) => (isOdd(req.headers.authorization) ? crash : guard)(req, res),
        { timeout: 1000 },
      );
      expect(named(report, 'crashed')).to.deep.equal(['kid-object']);
      expect(bad(report)).to.deep.equal(['kid-object']);
    }
  });

  it('cannot tell where the API is too busy to say', async () => {
    for (const status of [429, 503]) {
      const guard = laxApi(trusted);
      const busy: RequestListener = (req, res) =>
        req.headersDistinct['authorization']?.length === 2
          ? res.writeHead(status).end()
          : guard(req, res);
      const report = await probed(busy);
      expect(named(report, 'unclear')).to.deep.equal([
        'two-headers-good-first',
        'two-headers-good-last',
      ]);
      expect(isAllGood(report)).to.equal(false);
    }
  });

  it('takes a redirect for a refusal, and follows none', async () => {
    await using elsewhere = await startApi((_req, res) => res.end());
    const redirects = laxApi(trusted, undefined, [302, { Location: elsewhere.url }]);
    const report = await probed(answering(redirects));
    expect(bad(report)).to.deep.equal([]);
    expect(new Set(report.results.map(({ status }) => status))).to.have.keys([200, 302, 401]);
    expect(elsewhere.requests).to.deep.equal([]);
  });

  it('takes the status with which an API hides itself from strangers for a refusal', async () => {
    const report = await probed(laxApi(trusted, undefined, [404, {}]));
    expect(bad(report)).to.deep.equal([]);
    const other = await probed((req, res) => {
      if (req.headersDistinct['authorization']?.length === 2) res.writeHead(404).end();
      else laxApi(trusted)(req, res);
    });
    expect(named(other, 'unclear')).to.have.length(2);
  });

  it('reads no more of an answer than it needs, however long it is', async () => {
    let sent = 0;
    const report = await probed((req, res) => {
      const end = res.end.bind(res);
      res.end = () => {
        if (res.statusCode !== 200) return end();
        const more = () => {
          let goesOn = !res.destroyed;
          while (goesOn) {
            sent += 65_536;
            goesOn = res.write(Buffer.alloc(65_536));
          }
        };
        res.on('drain', more);
        more();
        return res;
      };
      laxApi(trusted)(req, res);
    });
    expect(bad(report)).to.deep.equal([]);
    expect(sent).to.be.greaterThan(65_536).and.lessThan(50_000_000);
  });

  it('is worth nothing where the good token is refused, and says so after one request', async () => {
    await using api = await startApi((_req, res) => res.writeHead(401).end());
    const report = await probeOf(app, api.url, { own: tokens });
    expect(report.worthless).to.include('The good token is not accepted');
    expect(isAllGood(report)).to.equal(false);
    expect(api.requests).to.have.length(1);
  });

  it('is worth nothing where no token is needed, and says so after two', async () => {
    await using api = await startApi((_req, res) => res.end());
    const report = await probeOf(app, api.url, { own: tokens });
    expect(report.worthless).to.include('nothing guards');
    expect(api.requests).to.have.length(2);
  });

  it('finds everything wrong with an API that takes any token', async () => {
    const report = await probed(answering((_req, res) => res.end()));
    const [good, without, ...rest] = report.results;
    expect([good?.isGood, without?.isGood, rest.pop()?.isGood]).to.deep.equal([true, true, true]);
    const refused = rest.filter(({ isGood }) => isGood).map(({ name }) => name);
    expect(refused).to.deep.equal(['query']); // without a header
    expect(rest.every(({ weakness, isGood }) => isGood || weakness !== undefined)).to.equal(true);
  });

  it('is worth nothing where the API locks it out on the way', async () => {
    let left = 20;
    const guard = laxApi(trusted);
    const report = await probed((req, res) => {
      left -= 1;
      if (left > 0) guard(req, res);
      else res.writeHead(403).end();
    });
    expect(bad(report)).to.deep.equal(['good-token-again']);
    expect(report.worthless).to.include('not accepted any more');
  });

  it('asks nothing more when it is told to stop', async () => {
    const stop = new AbortController();
    await using api = await startApi((req, res) => {
      if (api.requests.length === 10) stop.abort();
      laxApi(trusted)(req, res);
    });
    const report = await probeOf(app, api.url, { own: tokens, stop: stop.signal });
    expect(api.requests).to.have.length(10);
    expect(named(report, 'unclear')).to.include('revoked');
    expect(isAllGood(report)).to.equal(false);
  });

  it('with a given token says what takes the key of the service, and keeps that token out of addresses', async () => {
    await using api = await startApi(laxApi(trusted));
    const { token, published } = { token: tokens.good, published: [{ ...tokens.published }] };
    const report = await probeOf(app, api.url, { token, published });
    expect(bad(report)).to.deep.equal([]);
    const left = report.omissions.map(({ name }) => name);
    expect(left)
      .to.include.members(['expired', 'revoked', 'query', 'other-typ'])
      .and.have.length(13);
    expect(api.requests.map(({ url }) => url)).to.satisfy((urls: string[]) =>
      urls.every((url) => url === '/'),
    );
    const without = await probeOf(app, api.url, { token });
    expect(without.omissions.map(({ name }) => name)).to.deep.equal(['hs-…', ...left]);
  });

  it('does not take the refusal of a user who does not exist for one of the token', async () => {
    const { sub } = claimsOf(tokens.good);
    await app.services.keyRing.refresh();
    const ada = jsonwebtoken.sign(
      { ...claimsOf(tokens.good), sub: 'ada' },
      app.services.keyRing.signing().key,
      {
        algorithm: 'RS256',
        header: { alg: 'RS256', typ: 'JWT', kid: trusted.kid },
      },
    );
    const guard = laxApi(trusted);
    const report = await probed(
      (req, res) => {
        const body = (req.headers.authorization ?? '').split('.')[1] ?? '';
        if (Buffer.from(body, 'base64url').includes(`"sub":"${String(sub)}"`))
          res.writeHead(401).end();
        else guard(req, res);
      },
      { token: ada },
    );
    expect(bad(report)).to.deep.equal([]);
    expect(report.results.map(({ name }) => name)).not.to.include('expired');
    expect(report.omissions.find(({ name }) => name === 'expired')?.why).to.include(
      'does not exist',
    );
  });
});

describe('the tokens that a probe signs itself', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await startService('ES256', { JWT_PROFILE: 'rfc9068' });
  });
  afterEach(() => app[Symbol.asyncDispose]());

  it('name nobody, say that a probe made them, and live for ten minutes', async () => {
    await using tokens = await own(app);
    const claims = claimsOf(tokens.good);
    expect(claims).to.include({
      sub: 'coatcheck-probe',
      username: 'coatcheck-probe',
      aud: AUDIENCE,
    });
    expect(claims['amr']).to.deep.equal(['probe']);
    expect(claims['roles']).to.deep.equal([]);
    expect(Number(claims['exp']) - Number(claims['iat'])).to.equal(600);
    expect(await app.services.verifier.verify(tokens.good)).to.include({ sub: 'coatcheck-probe' });
  });

  it('are all revoked afterwards, those without an end for years, and leave no user and no session', async () => {
    const tokens = await own(app);
    const entries = () =>
      app.services.database.kysely.selectFrom('status_entries').selectAll().execute();
    expect((await entries()).filter(({ revoked_at }) => revoked_at === null)).to.have.length(2);
    await tokens[Symbol.asyncDispose]();
    const after = await entries();
    expect(after).to.have.length(3);
    expect(after.every(({ revoked_at }) => revoked_at !== null)).to.equal(true);
    expect((await failureOf(app.services.verifier.verify(tokens.good))).message).to.include(
      'revoked',
    );
    expect(await app.services.users.list()).to.deep.equal([]);
    expect(await sessionRows(app)).to.equal(0);
    for (const { authorization, name } of tokens.attempts) {
      const [text = ''] = authorization;
      if (!['no-exp', 'exp-text'].includes(name)) continue;
      const { status } = claimsOf(text) as { status: { status_list: { idx: number } } };
      const entry = after.find(({ idx }) => idx === status.status_list.idx);
      expect(entry?.expires_at).to.be.greaterThan(app.clock.now() + 9 * 365 * 24 * 60 * MINUTE);
    }
  });

  it('are revoked with those of everybody where the probe could not do it any more', async () => {
    await own(app); // and killed
    await app.services.sessions.revokeAll();
    const entries = await app.services.database.kysely
      .selectFrom('status_entries')
      .selectAll()
      .execute();
    expect(entries.map(({ revoked_at }) => revoked_at !== null)).to.deep.equal([true, true, true]);
  });

  it('are not made where somebody has the name of nobody', async () => {
    await addUser(app, 'coatcheck-probe');
    expect((await failureOf(own(app))).message).to.include('There is a user');
  });

  it('are for one audience of the settings, or all, and for no other', async () => {
    await using one = await own(app, AUDIENCE);
    expect(claimsOf(one.good)['aud']).to.equal(AUDIENCE);
    expect((await failureOf(own(app, 'https://other.example'))).message).to.include(
      'that audience',
    );
    const entries = await app.services.database.kysely
      .selectFrom('status_entries')
      .selectAll()
      .execute();
    expect(entries.filter(({ revoked_at }) => revoked_at === null)).to.have.length(2); // those of `one`
  });

  it('have the right name in each audience that is not right, where there are several', async () => {
    const [one, two] = ['https://one.example', 'https://two.example'];
    await using several = await startService('ES256', { JWT_AUDIENCE: `${one},${two}` });
    await using tokens = await own(several);
    const other = tokens.attempts.find(({ name }) => name === 'other-audience');
    expect(claimsOf(other?.authorization[0] ?? '')['aud']).to.deep.equal([
      `${one}.elsewhere.invalid/${one}`,
      `${two}.elsewhere.invalid/${two}`,
    ]);
  });

  it('leave the keys as they are', async () => {
    const keys = () =>
      app.services.database.kysely.selectFrom('signing_keys').selectAll().execute();
    const before = await keys();
    await (await own(app))[Symbol.asyncDispose]();
    expect(await keys()).to.deep.equal(before);
  });

  it('are tried without an audience where the service has none', async () => {
    await using plain = await startService('HS256', { JWT_AUDIENCE: '' });
    await using tokens = await own(plain);
    expect(tokens.omissions.map(({ name }) => name)).to.deep.equal([
      'other-audience',
      'no-audience',
    ]);
    expect(tokens.published satisfies JsonWebKey | undefined).to.equal(undefined);
  });
});
