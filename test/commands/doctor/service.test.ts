import { join } from 'node:path';
import { expect } from 'chai';
import { SERVICE_CHECKS } from '../../../commands/doctor/checks.ts';
import { examine } from '../../../commands/doctor/examine.ts';
import { Visit } from '../../../commands/doctor/service/visit.ts';
import { type Clock, systemClock } from '../../../core/clock.ts';
import { startApp, type TestApp } from '../../support/app.ts';
import { MINUTE } from '../../support/clock.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { type Expected, expectFinding } from '../../support/findings.ts';
import { startApi } from '../../support/lax-api.ts';
import { failureOf } from '../../support/failure.ts';
import { freePort } from '../../support/free-port.ts';
import {
  type Spoiling,
  type SpoilingProxy,
  startSpoilingProxy,
} from '../../support/spoiling-proxy.ts';
import { makeCertificate } from '../../support/tls.ts';

const NAME = 'login.example.org';
const never = new AbortController().signal;

/** Every name is this machine: so a test can have a public one. */
const here: NonNullable<Visit['manner']['lookup']> = (_name, options, found) =>
  options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);

function visitOf(url: string, clock: Clock = systemClock, timeout = 20_000): Visit {
  return new Visit(new URL(url), { clock, timeout, stop: never, lookup: here });
}

const set = (name: string, value: string): Spoiling => ({
  answer: ({ headers }) => void (headers[name] = value),
});
const drop = (...names: string[]): Spoiling => ({
  answer({ headers }) {
    for (const name of names) Reflect.deleteProperty(headers, name);
  },
});
const replace = (pattern: RegExp, by: string): Spoiling => ({
  answer({ headers }) {
    const cookies = [headers['set-cookie'] ?? []].flat().map(String);
    if (cookies.length > 0)
      headers['set-cookie'] = cookies.map((line) => line.replace(pattern, by));
  },
});
/** Answers differently on one path. */
const on = (path: string, change: NonNullable<Spoiling['answer']>): Spoiling => ({
  answer(answer) {
    if (answer.request.path === path) change(answer);
  },
});
const KEY_SET = '/.well-known/jwks.json';

type Row = Expected & { readonly spoiling: Spoiling };

const ROWS: readonly Row[] = [
  {
    check: 'headers',
    spoiling: drop('content-security-policy'),
    verdict: 'wrong',
    what: /^content-security-policy is missing or too weak on \/, \/auth\/token, /,
    asvs: '3.4.3',
  },
  {
    check: 'headers',
    spoiling: set(
      'content-security-policy',
      "default-src 'none'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    ),
    verdict: 'wrong',
    what: /^content-security-policy/,
    asvs: '3.4.3',
  },
  {
    check: 'headers',
    spoiling: set('content-security-policy', "default-src 'none'; base-uri 'none'"),
    verdict: 'wrong',
    what: /^content-security-policy/,
    asvs: '3.4.6',
  },
  {
    check: 'headers',
    spoiling: on('/auth/token', ({ headers }) => void delete headers['x-content-type-options']),
    verdict: 'wrong',
    what: /^x-content-type-options is missing or too weak on \/auth\/token\.$/,
    asvs: '3.4.4',
  },
  {
    check: 'headers',
    spoiling: set('referrer-policy', 'unsafe-url'),
    verdict: 'wrong',
    what: /^referrer-policy/,
    asvs: '3.4.5',
  },
  {
    check: 'headers',
    spoiling: drop('cross-origin-resource-policy'),
    verdict: 'wrong',
    what: /^cross-origin-resource-policy/,
    asvs: '3.5.8',
  },
  ...[
    drop('strict-transport-security'),
    set('strict-transport-security', 'max-age=86400; includeSubDomains'),
  ].map((spoiling): Row => ({
    check: 'headers',
    spoiling,
    verdict: 'wrong',
    what: /^strict-transport-security/,
    asvs: '3.4.1',
    change: 'PUBLIC_URL=https://',
  })),
  {
    check: 'disclosure',
    spoiling: set('server', 'nginx/1.18.0'),
    verdict: 'note',
    what: /^Answers say "server: nginx\/1\.18\.0"\.$/,
    asvs: '13.4.6',
    change: 'server_tokens off',
  },
  {
    check: 'cookies',
    spoiling: replace(/; Secure/i, ''),
    verdict: 'wrong',
    what: /^The cookie __Host-session is not Secure\.$/,
    asvs: '3.3.1',
  },
  {
    check: 'cookies',
    spoiling: replace(/^__Host-session/, 'sid'),
    verdict: 'wrong',
    what: /^The cookie sid has no __Host- prefix\.$/,
    asvs: '3.3.3',
  },
  {
    check: 'cookies',
    spoiling: replace(/; HttpOnly/i, ''),
    verdict: 'wrong',
    what: /is not HttpOnly\.$/,
    asvs: '3.3.4',
  },
  {
    check: 'cookies',
    spoiling: replace(/; SameSite=Lax/i, ''),
    verdict: 'wrong',
    what: /has no SameSite\.$/,
    asvs: '3.3.2',
  },
  {
    check: 'cookies',
    spoiling: replace(/$/, '; Domain=example.org'),
    verdict: 'wrong',
    what: /has a Domain\.$/,
    asvs: '3.3.3',
  },
  {
    check: 'cookies',
    spoiling: on('/', ({ headers }) => void (headers['set-cookie'] = ['track=1; Secure'])),
    verdict: 'note',
    what: /^\/ sets the cookie track for whoever comes\.$/,
  },
  {
    check: 'cookies',
    spoiling: drop('set-cookie'),
    verdict: 'note',
    what: /answered 204, and took no cookie back\.$/,
  },
  ...['no-store', 'public, max-age=86400', 'public, max-age=1'].map((value): Row => ({
    check: 'key set',
    spoiling: set('cache-control', value),
    verdict: 'wrong',
    what: new RegExp(`^The key set comes with cache-control: ${value}\\.$`),
  })),
  {
    check: 'key set',
    spoiling: drop('etag'),
    verdict: 'note',
    what: /^The key set comes without an ETag\.$/,
  },
  {
    check: 'key set',
    spoiling: { request: (headers) => void delete headers['if-none-match'] },
    verdict: 'note',
    what: /is answered 200, not 304\.$/,
  },
  {
    check: 'key set',
    spoiling: on(
      KEY_SET,
      (answer) => (answer.body = answer.body.replace('"kty"', '"d":"x","kty"')),
    ),
    verdict: 'wrong',
    what: /has its private half with it\.$/,
    asvs: '13.3.1',
    change: '--emergency',
  },
  {
    check: 'key set',
    spoiling: on(KEY_SET, (answer) => Object.assign(answer, { status: 404, body: '' })),
    verdict: 'wrong',
    what: /answered 404, and no key set\.$/,
  },
  {
    check: 'metadata',
    spoiling: {
      answer: (answer) => (answer.body = answer.body.replaceAll(NAME, 'old.example.org')),
    },
    verdict: 'note',
    what: /^It calls itself https:\/\/old\.example\.org:\d+, and was found at/,
    change: 'PUBLIC_URL=https://login.example.org',
  },
  {
    check: 'clock',
    spoiling: set('date', new Date(0).toUTCString()),
    verdict: 'note',
    what: /^Its clock is \d+ s behind the one here\.$/,
    asvs: '16.2.2',
  },
  {
    check: 'errors',
    spoiling: on(
      '/auth/token',
      (answer) => (answer.body = answer.body.replace('}', ',"stack":"x\\n at a.ts:1"}')),
    ),
    verdict: 'wrong',
    what: /^The error of GET \/auth\/token shows the inside/,
    asvs: '16.5.1',
  },
  {
    check: 'errors',
    spoiling: on('/auth/login', (answer) =>
      Object.assign(answer, {
        headers: { 'content-type': 'text/html' },
        body: '<h1>Bad request</h1>',
      }),
    ),
    verdict: 'wrong',
    what: /^POST \/auth\/login answered 400 \(text\/html\), not 400 as problem\+json\.$/,
    change: 'proxy_intercept_errors off',
  },
  {
    check: 'errors',
    spoiling: {
      answer: (answer) => void (answer.request.method === 'TRACE' && (answer.status = 200)),
    },
    verdict: 'wrong',
    what: /^TRACE is answered with 200\.$/,
    asvs: '13.4.4',
  },
  {
    check: 'no-store',
    spoiling: set('cache-control', 'max-age=60'),
    verdict: 'wrong',
    what: /^\/auth\/token comes with cache-control: max-age=60\.$/,
    asvs: '14.3.2',
  },
  {
    check: 'no-store',
    spoiling: set('etag', '"x"'),
    verdict: 'wrong',
    what: /, and an ETag\.$/,
    asvs: '14.3.2',
  },
  {
    check: 'bypass',
    spoiling: on('/auth/bypass', (answer) => (answer.status = 400)),
    verdict: 'wrong',
    what: /^\/auth\/bypass answered 400, not 404\.$/,
    asvs: '6.3.4',
    change: 'BYPASS_AUTH=false',
  },
  {
    check: 'cors',
    spoiling: {
      answer: ({ headers, request }) =>
        void (headers['access-control-allow-origin'] = request.headers.origin),
    },
    verdict: 'wrong',
    what: /^Scripts of https:\/\/login\.example\.org\.attacker\.example may read/,
    asvs: '3.4.2',
    change: 'CORS_ORIGINS=',
  },
  {
    check: 'cors',
    spoiling: {
      answer: ({ headers, request }) => {
        if (request.headers.origin === 'null') headers['access-control-allow-origin'] = 'null';
      },
    },
    verdict: 'wrong',
    what: /^Scripts of null may read/,
    asvs: '3.4.2',
  },
  {
    check: 'cross-site',
    spoiling: {
      request(headers) {
        for (const name of ['origin', 'sec-fetch-site', 'sec-fetch-mode'])
          Reflect.deleteProperty(headers, name);
      },
    },
    verdict: 'wrong',
    what: /was answered 4\d\d, not 403\.$/,
    asvs: '3.5.1',
  },
  {
    check: 'names',
    spoiling: {
      answer(answer) {
        const host = answer.request.headers['x-forwarded-host'];
        if (typeof host === 'string') answer.body = answer.body.replaceAll(NAME, host);
      },
    },
    verdict: 'wrong',
    what: /^Headers of the caller change the addresses/,
    asvs: '4.1.3',
  },
  {
    check: 'operators',
    spoiling: on('/metrics', (answer) => (answer.status = 200)),
    verdict: 'note',
    what: /^\/metrics can be read from here\.$/,
    asvs: '13.4.5',
    change: 'location = /metrics',
  },
];

describe('coatcheck doctor, of a service behind a proxy', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => join(directory.path, name)) as [
    string,
    string,
  ];
  let app: TestApp | undefined;
  let proxy: SpoilingProxy;
  let url: string;
  /** What a good proxy does: /readyz stays inside. */
  const inside = on('/readyz', (answer) => (answer.status = 404));

  before(async function () {
    if (!makeCertificate(cert, key, { name: NAME, days: 90 })) this.skip(); // there is no openssl
    const port = await freePort();
    url = `https://${NAME}:${port}`;
    app = await startApp({
      JWT_ALGORITHM: 'ES256',
      PUBLIC_URL: url,
      TRUST_PROXY: '127.0.0.1',
      BYPASS_AUTH: 'false',
    });
    proxy = await startSpoilingProxy(app.url, { cert, key }, port);
  });
  beforeEach(() => (proxy.spoiling = inside));
  after(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  for (const { spoiling, ...expected } of ROWS) {
    it(`says: ${expected.what.source}`, async () => {
      const good = visitOf(url);
      await examine(
        { [expected.check]: SERVICE_CHECKS[expected.check] ?? (() => []) },
        good,
        () => undefined,
      );
      proxy.spoiling = spoiling;
      await expectFinding(SERVICE_CHECKS, expected, { bad: visitOf(url), good });
    });
  }

  it('finds nothing with a good one but that its certificate signed itself, in 25 requests at most', async () => {
    const before = proxy.requests;
    const results = await examine(SERVICE_CHECKS, visitOf(url), () => undefined);
    expect(results.map(({ check }) => check)).to.include.members(Object.keys(SERVICE_CHECKS));
    expect(
      results.filter(({ verdict }) => verdict !== 'fine').map(({ what }) => what),
    ).to.deep.equal([
      'The certificate has signed itself.',
      'The certificate is not trusted on this machine: DEPTH_ZERO_SELF_SIGNED_CERT.',
    ]);
    expect(proxy.requests - before).to.be.at.most(25);
  });

  it('leaves nothing in the service: no user, no session, no attempt', async () => {
    await examine(SERVICE_CHECKS, visitOf(url), () => undefined);
    const { kysely } = app?.services.database ?? {};
    for (const table of ['users', 'sessions', 'attempts'] as const) {
      expect(await kysely?.selectFrom(table).selectAll().execute(), table).to.deep.equal([]);
    }
  });

  it('says that the certificate is for another name, and when it ends', async () => {
    const other = url.replace(NAME, 'other.example.org');
    const said = await examine(SERVICE_CHECKS, visitOf(other), () => undefined);
    expect(said.map(({ what }) => what).join('\n')).to.include('is not for other.example.org');
    const later: Clock = { now: () => systemClock.now() + 91 * 24 * 60 * MINUTE };
    const after = await examine(SERVICE_CHECKS, visitOf(url, later), () => undefined);
    expect(after.map(({ what }) => what).join('\n')).to.match(/The certificate ended on 20/);
  });

  it('says that it still speaks TLS 1.0', async () => {
    const old = { cert, key, minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await using obsolete = await startSpoilingProxy(app?.url ?? '', old);
    const { transport } = SERVICE_CHECKS;
    const said = await transport?.(visitOf(`https://${NAME}:${obsolete.port}`));
    expect(said?.find(({ what }) => what.includes('TLS 1.0'))).to.include({
      verdict: 'wrong',
      asvs: '12.1.1',
    });
  });

  it('says that plain http is read by whoever is on the way', async () => {
    await using open = await startSpoilingProxy(app?.url ?? '');
    const { transport } = SERVICE_CHECKS;
    const [said] = (await transport?.(visitOf(`http://${NAME}:${open.port}`))) ?? [];
    expect(said).to.include({
      verdict: 'wrong',
      asvs: '12.2.1',
      change: `PUBLIC_URL=https://${NAME}`,
    });
  });

  it('follows no redirect', async () => {
    await using elsewhere = await startSpoilingProxy(app?.url ?? '');
    proxy.spoiling = {
      answer: (answer) =>
        Object.assign(answer, {
          status: 302,
          headers: { location: `http://${NAME}:${elsewhere.port}/` },
        }),
    };
    await examine(SERVICE_CHECKS, visitOf(url), () => undefined);
    expect(elsewhere.requests).to.equal(0);
  });
});

describe('coatcheck doctor, of a service on this machine', function () {
  this.timeout(120_000);

  it('bears plain http and the bypass, and leaves the bypass on', async () => {
    const port = await freePort();
    await using app = await startApp({ PUBLIC_URL: `http://127.0.0.1:${port}` }, { port });
    const results = await examine(SERVICE_CHECKS, visitOf(app.url), () => undefined);
    expect(
      results
        .filter(({ verdict }) => verdict !== 'fine')
        .map(({ check, verdict }) => [check, verdict]),
    ).to.deep.equal([['bypass', 'note']]);
    expect(app.services.bypass?.isOn()).to.equal(true);
  });

  it('reads no answer without an end', async () => {
    await using endless = await startApi((_req, res) => {
      const write = () => {
        while (res.write('x'.repeat(16_384)));
        res.once('drain', write);
      };
      write();
    });
    const { body } = await visitOf(endless.url).ask({ path: '/' });
    expect(body).to.have.length.within(65_536, 200_000);
  });

  it('does not wait for what is silent, and does not ask without an end', async () => {
    await using silent = await startApi(() => undefined);
    const visit = visitOf(silent.url, systemClock, 50);
    const results = await examine(SERVICE_CHECKS, visit, () => undefined);
    expect(results.map(({ what }) => what).join('\n')).to.include(
      'GET /auth/token: no answer in time',
    );
    for (let number = 0; number < 60; number += 1) {
      await visit.ask({ path: `/${number}` }).catch(() => undefined);
    }
    const refusal = await failureOf(visit.ask({ path: '/more' }));
    expect(refusal.message).to.include('which is enough');
  });
});
