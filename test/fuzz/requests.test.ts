import { expect } from 'chai';
import fc from 'fast-check';
import { type Answer, expectSound } from '../support/answer.ts';
import { CANARY, expectUnharmed, holds, patient } from '../support/fuzz.ts';
import { junkCookie, junkQuery, junkToken, METHODS, RARE_METHODS } from '../support/junk.ts';
import { isNodesOwn, request, sendRaw } from '../support/raw-http.ts';
import { isForAnySite, PATHS, ROUTES } from '../support/routes.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

type Header = readonly [string, string];

/** Where any other spelling is the id of a session, which GET does not answer. */
const ANY_SESSION = /^\/auth\/sessions\/[^/?#]+$/;

const route = fc.constantFrom(...ROUTES);
const accept = fc.constantFrom(undefined, 'text/html', 'application/json', 'text/html;q=0, */*');

describe('Any request at all', function () {
  this.timeout(patient(60_000));
  let service: ServiceProcess;
  before(
    async () => (service = await startService({ TOKEN_COOKIE: 'ticket', JWT_AUDIENCE: 'a,b' })),
  );
  after(() => service[Symbol.asyncDispose]());
  afterEach(async () => {
    await expectUnharmed(service);
    expect(service.rows('users')).to.deep.equal([]);
    expect(service.rows('sessions')).to.deep.equal([]);
  });

  /** Sends one request and holds the answer against what all answers keep to. */
  async function send(
    method: string,
    target: string,
    headers: readonly Header[] = [],
  ): Promise<Answer> {
    const [answer, ...more] = await sendRaw(service.port, request(method, target, headers));
    expect(more).to.deep.equal([]);
    if (answer === undefined) throw new Error('there was no answer');
    const asked = headers.find(([name]) => name === 'Accept')?.[1];
    if (!isNodesOwn(answer)) expectSound(answer, { path: pathOf(target), method, accept: asked });
    expect(answer.body).to.not.include(CANARY.slice(0, 30));
    expect([...answer.headers.values()].join()).to.not.include(CANARY.slice(0, 30));
    return answer;
  }

  it('with a junk query string is answered as without one', async () => {
    const inputs = fc.tuple(route, junkQuery, accept);
    await holds(
      inputs,
      180,
      async ([
        {
          path,
          methods: [method],
        },
        query,
        wanted,
      ]) => {
        const headers: Header[] = wanted === undefined ? [] : [['Accept', wanted]];
        const { status } = await send(method ?? 'GET', `${path}?${query}`, headers);
        if (path === '/auth/bypass') expect(status).to.be.oneOf([200, 400]);
        else if (path.startsWith('/auth/')) expect(status).to.be.oneOf([204, 303, 400, 401, 200]);
        else if (path.startsWith('/oauth/')) expect(status).to.equal(401);
        else if (path === '/status-lists/:id') expect(status).to.equal(404);
        else expect(status).to.be.oneOf([200, 303]);
      },
    );
  });

  it('with a name for the bypass that can be none is refused, and makes no user', async () => {
    await holds(fc.tuple(junkToken, accept), 80, async ([query, wanted]) => {
      const headers: Header[] = wanted === undefined ? [] : [['Accept', wanted]];
      const { status, headers: answered } = await send('GET', `/auth/bypass?${query}`, headers);
      const chooser = wanted?.includes('text/html') === true;
      expect(status).to.be.oneOf(chooser ? [200, 400] : [400]);
      expect(answered.getSetCookie()).to.deep.equal([]);
    });
  });

  it('with junk for cookies is anonymous', async () => {
    const signedIn = new Set([
      '/auth/token',
      '/auth/session',
      '/auth/me',
      '/auth/password',
      '/auth/email',
      '/auth/sessions',
      '/auth/sessions/end',
      '/auth/sessions/:id',
    ]);
    await holds(
      fc.tuple(route, junkCookie, accept),
      180,
      async ([
        {
          path,
          methods: [method],
        },
        cookie,
        wanted,
      ]) => {
        const headers: Header[] = wanted === undefined ? [] : [['Accept', wanted]];
        const { status } = await send(method ?? 'GET', path, [['Cookie', cookie], ...headers]);
        if (signedIn.has(path)) expect(status).to.equal(401);
        if (path === '/account') expect(status).to.equal(303);
      },
    );
  });

  it('with more cookies than Node reads is told so', async () => {
    for (const bytes of [16_000, 16_384, 17_000, 100_000]) {
      const { status } = await send('GET', '/auth/token', [
        ['Cookie', `session=${'x'.repeat(bytes)}`],
      ]);
      expect(status).to.be.oneOf([401, 431]);
    }
  });

  it('with headers doubled, empty, contradicting or made up is no more than it was', async () => {
    const header: fc.Arbitrary<Header> = fc.oneof(
      fc.constantFrom<Header[]>(
        ['Host', 'localhost'],
        ['Host', 'evil.example'],
        ['Authorization', `Bearer ${CANARY}`],
        ['Authorization', `Basic ${CANARY}`],
        ['Authorization', `Bearer ${CANARY} ${CANARY}`],
        ['Authorization', 'Bearer'],
        ['Authorization', `Bearer eyJhbGciOiJub25lIn0.e30.${CANARY}`],
        ['Cookie', `ticket=${CANARY}`],
        ['Cookie', 'session=s%3Aa.b'],
        ['Cookie', 'session=s%3Aa.c'],
      ),
      fc.constantFrom<Header[]>(
        ['Content-Type', 'application/json'],
        ['Content-Type', 'text/plain; charset=utf-16'],
        ['Content-Encoding', 'gzip'],
        ['Content-Encoding', 'br, identity'],
        ['Origin', 'null'],
        ['Origin', ''],
        ['Origin', 'http://localhost'],
        ['Sec-Fetch-Site', 'same-origin'],
        ['Sec-Fetch-Site', 'cross-site'],
        ['Sec-Fetch-Site', ''],
        ['X-Forwarded-For', '::ffff:1.2.3.4, junk'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', 'evil.example'],
        ['Forwarded', 'for="[::1'],
      ),
      fc.constantFrom<Header[]>(
        ['X-HTTP-Method-Override', 'DELETE'],
        ['X-Original-URL', '/auth/token'],
        ['Range', 'bytes=0-0,5-,-1'],
        ['If-None-Match', '*'],
        ['If-Modified-Since', 'never'],
        ['Expect', '100-continue'],
        ['Expect', 'the unexpected'],
        ['Upgrade', 'h2c'],
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Connection', 'close, keep-alive'],
        ['TE', 'trailers'],
        ['Accept', 'text/html'],
        ['Accept', ', ;q=x'],
        ['Accept-Encoding', '*;q=0'],
        ['User-Agent', `\xff${'x'.repeat(3000)}`],
      ),
      fc
        .tuple(fc.stringMatching(/^[A-Za-z_-]{1,12}$/), fc.string({ unit: 'grapheme-ascii' }))
        .map(([name, value]): Header => [`X-${name}`, value]),
    );
    const inputs = fc.tuple(route, fc.array(header, { maxLength: 12 }));
    await holds(
      inputs,
      180,
      async ([
        {
          path,
          methods: [method],
        },
        headers,
      ]) => {
        const doubled = headers.filter(([name]) => name === 'Accept');
        const one = headers.filter((pair) => pair[0] !== 'Accept' || pair === doubled[0]);
        const { status, headers: answered } = await send(method ?? 'GET', path, one);
        if (status === 200)
          expect(path).to.not.be.oneOf(['/auth/token', '/auth/session', '/auth/me']);
        expect(answered.get('location') ?? '').to.not.include('evil');
        const readers = isForAnySite(path) ? ['*', null] : [null]; // nobody where Node itself refuses
        expect(answered.get('access-control-allow-origin')).to.be.oneOf(readers);
      },
    );
  });

  it('for a path that is not spelt exactly like a route finds nothing', async () => {
    const inputs = fc.constantFrom(...PATHS.filter((path) => path !== '/')).chain(otherSpelling);
    await holds(fc.tuple(inputs, accept), 220, async ([target, wanted]) => {
      const headers: Header[] = wanted === undefined ? [] : [['Accept', wanted]];
      const answer = await send('GET', target, headers);
      const found = ANY_SESSION.test(target) ? [404, 405] : [404];
      expect(answer.status, target).to.be.oneOf(isNodesOwn(answer) ? [400] : found);
    });
  });

  it('in absolute form is answered as that path, whatever the host in it', async () => {
    const origins = ['http://evil.example', 'http://localhost', 'https://a:1', 'HTTP://[::1]:80'];
    const inputs = fc.tuple(route, fc.constantFrom(...origins));
    await holds(
      inputs,
      40,
      async ([
        {
          path,
          methods: [method],
        },
        origin,
      ]) => {
        const answer = await send(method ?? 'GET', origin + path);
        const same = await send(method ?? 'GET', path);
        expect(answer.status).to.equal(same.status);
      },
    );
  });

  it('for something that is no path at all is a problem, too', async () => {
    const targets = fc.constantFrom(
      '*',
      'http://',
      'http://[',
      'http://[::1',
      'http://a:b:c/auth/token',
      'http://localhost:99999/',
      'http://%zz/',
      'ftp://localhost/auth/token',
      'auth/token',
      '?',
      '\\auth\\token',
      'javascript:alert(1)',
      'localhost:80',
    );
    const method = fc.constantFrom('GET', 'OPTIONS', 'POST', 'HEAD');
    await holds(fc.tuple(method, targets), 50, async ([verb, target]) => {
      const answer = await send(verb, target);
      expect(answer.status, target).to.be.oneOf(isNodesOwn(answer) ? [400] : [404]);
    });
  });

  it('with a method that the route does not have is 405 and names those it has', async () => {
    const method = fc.constantFrom(...METHODS, ...RARE_METHODS);
    await holds(fc.tuple(route, method, accept), 200, async ([{ path, methods }, verb, wanted]) => {
      if (methods.some((known) => known === verb)) return;
      const headers: Header[] = wanted === undefined ? [] : [['Accept', wanted]];
      const { status, headers: answered } = await send(verb, path, headers);
      expect(status).to.equal(405);
      expect(answered.get('allow')?.split(', ')).to.have.members([...methods]);
    });
  });

  it('with a method that nobody knows never reaches a route', async () => {
    const method = fc.constantFrom('get', 'Post', 'GETT', 'G', 'GET\0', '', '1', 'BREW', 'PRI');
    await holds(fc.tuple(route, method), 40, async ([{ path }, verb]) => {
      expect(isNodesOwn(await send(verb, path))).to.equal(true);
    });
  });
});

function pathOf(target: string): string {
  return PATHS.find((path) => target === path || target.startsWith(`${path}?`)) ?? target;
}

/** A path that a lenient server or a proxy could take for the given one. */
function otherSpelling(path: string): fc.Arbitrary<string> {
  const at = path.indexOf('/', 1);
  const known = new Set(PATHS);
  return fc
    .oneof(
      fc.constantFrom(
        `/${path}`,
        `${path}/`,
        `${path}//`,
        `/.${path}`,
        `/x/..${path}`,
        `${path}/.`,
      ),
      fc.constantFrom(`${path}/..${path}`, `${path};x`, `${path};`, `${path}%00`, `${path}%20`),
      fc.constantFrom(
        `${path}.`,
        `${path}.json`,
        `${path}%2f`,
        `${path}%`,
        `${path}%zz`,
        `${path}&a=b`,
      ),
      fc.constantFrom(
        `${path}#x`,
        `${path}#?x`,
        `${path}\\`,
        `${path}\xe9`,
        `/\\${path}`,
        `/%2e${path}`,
      ),
      fc.constant(path.toUpperCase()),
      fc.constant(path.replaceAll('/', '\\')),
      fc.constant(`/${path.replaceAll('/', '\\')}#`),
      fc.constant(at < 0 ? `${path}%3f` : `${path.slice(0, at)}%2f${path.slice(at + 1)}`),
      fc.constant(at < 0 ? `${path}%23` : `${path.slice(0, at)}/.${path.slice(at)}`),
      fc.nat(path.length - 2).map((index) => {
        const code = path.charCodeAt(index + 1).toString(16);
        return `${path.slice(0, index + 1)}%${code}${path.slice(index + 2)}`;
      }),
      fc.nat(path.length - 2).map((index) => {
        const letter = path.charAt(index + 1).toUpperCase();
        return path.slice(0, index + 1) + letter + path.slice(index + 2);
      }),
      fc.nat(12_000).map((length) => `${path}${'/x'.repeat(length / 2)}`),
      fc
        .string({ unit: fc.constantFrom('/', '.', '%', '2', 'f', 'a', '\\', ';', '~', '$', '*') })
        .map((text) => `/${text}`),
    )
    .filter((target) => !known.has(target) && !target.startsWith('/?'));
}
