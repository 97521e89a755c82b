import {
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import express, { type RequestHandler } from 'express';
import {
  type Middleware,
  RequestError,
  requireRoles,
  requireToken,
  type RequireTokenOptions,
  type Token,
  TokenError,
  UnavailableError,
  type Verifier,
} from '#verify';
import { createTestIssuer, type TestIssuer } from '../../packages/verify/testing/index.ts';

type Headers = Record<string, string | string[]>;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Sends exactly these headers: `fetch` would join two of one name. */
function send(server: Server, path: string, headers: Headers, method: string): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, method, headers, agent: false }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }));
    });
    sent.on('error', reject).end();
  });
}

/** Asks a server that is there for this one request. */
async function ask(
  listener: RequestListener,
  {
    path = '/',
    headers = {},
    method = 'GET',
  }: { path?: string; headers?: Headers; method?: string } = {},
): Promise<Answer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await send(server, path, headers, method);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** An API of one route, behind these steps. */
function api(...steps: Middleware[]): RequestListener {
  const app = express();
  const handlers: RequestHandler[] = steps; // what Express wants is what the package gives
  app.all('/{*path}', ...handlers, (req, res) => void res.json({ of: req.token?.sub ?? null }));
  app.use(
    ((error, _req, res, _next) =>
      void res.status(500).json({ error: String(error) })) satisfies express.ErrorRequestHandler,
  );
  return app as RequestListener;
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('requireToken', () => {
  let issuer: TestIssuer;
  let token: string;
  before(async () => {
    issuer = await createTestIssuer();
    token = await issuer.token({ sub: 'ada', roles: ['user', 'editor'] });
  });

  const gate = (more: object = {}) => requireToken({ ...issuer.settings, ...more });
  const guarded = (more: object = {}) => api(gate(more));

  it('lets a good token through and says whose it is', async () => {
    const answer = await ask(guarded(), { headers: bearer(token) });
    expect([answer.status, answer.body]).to.deep.equal([200, '{"of":"ada"}']);
  });

  it('works without Express', async () => {
    const check = gate();
    const listener: RequestListener = (req: IncomingMessage & { token?: Token }, res) =>
      check(req, res, () => res.end(req.token?.sub));
    expect(await ask(listener, { headers: bearer(token) })).to.include({
      status: 200,
      body: 'ada',
    });
    expect(await ask(listener)).to.include({ status: 401 });
  });

  it('shares a verifier that was made before', async () => {
    let asked = 0;
    const verifier: Verifier = {
      verify(jwt) {
        asked += 1;
        throw new TokenError('revoked', jwt);
      },
    };
    const answer = await ask(api(requireToken({ verifier })), { headers: bearer('a.b.c') });
    expect([answer.status, asked]).to.deep.equal([401, 1]);
  });

  it('does not believe a claim to a token that was there before', async () => {
    const forger: Middleware = (req, _res, next) => {
      req.token = { iss: 'x', sub: 'root', iat: 0, exp: 0, jti: 'x', sid: 'x' };
      next();
    };
    const onRefused: RequireTokenOptions['onRefused'] = (_error, _req, _res, next) => next();
    const answer = await ask(api(forger, gate({ onRefused })));
    expect(answer.body).to.equal('{"of":null}');
  });

  describe('answers', () => {
    const problem = async (options: Parameters<typeof ask>[1], more: object = {}) => {
      const answer = await ask(guarded(more), options);
      expect(answer.headers['content-type']).to.equal('application/problem+json; charset=utf-8');
      expect(answer.headers['cache-control']).to.equal('no-store');
      const body = JSON.parse(answer.body) as Record<string, unknown>;
      expect(body).to.have.all.keys('type', 'title', 'status', 'code', 'detail');
      expect(body['status']).to.equal(answer.status);
      const challenge = answer.headers['www-authenticate'];
      return { ...body, status: answer.status, challenge, detail: String(body['detail']) };
    };
    const badRequest = {
      status: 400,
      challenge: 'Bearer error="invalid_request"',
      code: 'invalid_request',
    };

    it('401 with a challenge and no error code where there is no token', async () => {
      for (const headers of [{}, { Authorization: 'Basic YTpi' }, { Cookie: `jwt=${token}` }]) {
        expect(await problem({ headers })).to.include({
          status: 401,
          challenge: 'Bearer',
          code: 'token_required',
        });
      }
    });

    it('400 to a header that is not understood', async () => {
      for (const Authorization of [
        'Bearer',
        'Bearer a b',
        'Bearer "x"',
        `Bearer ${token},${token}`,
      ]) {
        expect(await problem({ headers: { Authorization } }), Authorization).to.include(badRequest);
      }
    });

    it('400 to a token in the address, good or not, with or without another', async () => {
      for (const path of [
        `/?access_token=${token}`,
        '/?access_token=x',
        '/?access_token',
        '/a/b?x=1&access_token=',
        '/?access%5Ftoken=x',
      ]) {
        for (const headers of [{}, bearer(token)]) {
          const found = await problem({ path, headers });
          expect(found, path).to.include(badRequest);
          expect(found.detail).not.to.include(token);
        }
      }
      const path = '/access_token?token=access_token&xaccess_token=1';
      expect(await ask(guarded(), { path, headers: bearer(token) })).to.include({ status: 200 });
    });

    it('400 to two Authorization headers, even of the same token', async () => {
      for (const other of [`Bearer ${token}`, 'Basic YTpi', '']) {
        const Authorization = [`Bearer ${token}`, other];
        expect(await problem({ headers: { Authorization } }), other).to.include(badRequest);
      }
      const upperCase = { AUTHORIZATION: [`Bearer ${token}`, `Bearer ${token}`] };
      expect(await problem({ headers: upperCase })).to.include(badRequest);
    });

    it('401 to a token that is not accepted, and says why', async () => {
      const expired = await problem({ headers: bearer(await issuer.expired()) });
      expect(expired).to.include({
        status: 401,
        challenge: 'Bearer error="invalid_token", error_description="The token has expired."',
        code: 'invalid_token',
        detail: 'The token has expired.',
      });
      for (const jwt of [
        'x',
        'a.b.c',
        'x'.repeat(10_000),
        await issuer.tampered(),
        await issuer.revoked(),
      ]) {
        expect(await problem({ headers: bearer(jwt) })).to.include({
          status: 401,
          code: 'invalid_token',
        });
      }
    });

    it('401 with a description that is within its quotation marks', async () => {
      const [head = '', ...rest] = token.split('.');
      const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
      const refused = Buffer.from(JSON.stringify({ ...header, crit: [] })).toString('base64url');
      const found = await problem({ headers: bearer([refused, ...rest].join('.')) });
      expect(found.detail).to.equal('The token\'s header must not have "crit".');
      expect(found.challenge).to.match(
        /^Bearer error="invalid_token", error_description="[^"\\]+"$/,
      );
    });

    it('403 to a good token without all the roles', async () => {
      for (const roles of [['admin'], ['user', 'admin']]) {
        expect(await problem({ headers: bearer(token) }, { roles })).to.include({
          status: 403,
          challenge: 'Bearer error="insufficient_scope"',
          code: 'insufficient_scope',
        });
      }
      const none = await issuer.token({ roles: undefined });
      const found = await problem({ headers: bearer(none) }, { roles: ['user'] });
      expect(found).to.include({ status: 403 });
      const enough = await ask(guarded({ roles: ['editor', 'user'] }), { headers: bearer(token) });
      expect(enough.status).to.equal(200);
    });

    it('503 with a time to try again when nobody can say', async () => {
      const fetch = () => Promise.reject(new Error('no route to host'));
      const found = await problem({ headers: bearer(token) }, { fetch });
      expect(found).to.include({ status: 503, code: 'unavailable', challenge: undefined });
      expect(found.detail).not.to.include('host');
      const answer = await ask(guarded({ fetch }), { headers: bearer(token) });
      expect(answer.headers['retry-after']).to.equal('5');
    });

    it('HEAD without a body, and other methods as GET', async () => {
      const head = await ask(guarded(), { method: 'HEAD' });
      expect([head.status, head.body]).to.deep.equal([401, '']);
      for (const method of ['POST', 'DELETE', 'OPTIONS']) {
        expect(await ask(guarded(), { method })).to.include({ status: 401 });
      }
    });
  });

  describe('with a cookie', () => {
    const more = { cookie: 'jwt' };
    const status = async (headers: Headers) => (await ask(guarded(more), { headers })).status;

    it('takes the token from it', async () => {
      for (const Cookie of [
        `jwt=${token}`,
        `a=b; jwt=${token}; c=d`,
        `a=b;\tjwt=${token} `,
        `jwt=; jwt=${token}`,
      ]) {
        expect(await status({ Cookie }), Cookie).to.equal(200);
      }
      expect(await status({ Cookie: `jwt=${await issuer.expired()}` })).to.equal(401);
    });

    it('does not take it from cookies of other names', async () => {
      for (const name of ['JWT', 'xjwt', 'jwt2', '\u00a0jwt', '"jwt"', 'jwt ']) {
        const headers = { Cookie: Buffer.from(`${name}=${token}`, 'utf8').toString('latin1') };
        expect(await status(headers), name).to.equal(401);
      }
    });

    it('takes the header as well, and both when they hold the same', async () => {
      expect(await status(bearer(token))).to.equal(200);
      expect(await status({ ...bearer(token), Cookie: `jwt=${token}` })).to.equal(200);
      expect(await status({ ...bearer(token), Cookie: 'jwt=' })).to.equal(200);
    });

    it('answers 400 to two different tokens', async () => {
      const other = await issuer.token();
      expect(await status({ ...bearer(token), Cookie: `jwt=${other}` })).to.equal(400);
      expect(await status({ ...bearer(token), Cookie: 'jwt=x' })).to.equal(400);
      expect(await status({ Cookie: `jwt=${token}; jwt=${other}` })).to.equal(400);
      expect(await status({ Cookie: `jwt=${token}; jwt=${token}` })).to.equal(200);
    });

    it('answers rubbish in it with 401', async () => {
      for (const value of ['x', '%', 'a.b.c', '"quoted"', '=']) {
        expect(await status({ Cookie: `jwt=${value}` }), value).to.equal(401);
      }
    });
  });

  describe('with onRefused', () => {
    it('leaves the answer to it, and says how it would have answered', async () => {
      const seen: unknown[] = [];
      const onRefused: RequireTokenOptions['onRefused'] = (error, _req, res) => {
        seen.push([error.constructor, error.status, error.code, error.headers]);
        res.writeHead(418).end();
      };
      const fetch = () => Promise.reject(new Error('down'));
      expect((await ask(guarded({ onRefused }))).status).to.equal(418);
      await ask(guarded({ onRefused }), { headers: bearer('x') });
      await ask(guarded({ onRefused, roles: ['root'] }), { headers: bearer(token) });
      await ask(guarded({ onRefused, fetch }), { headers: bearer(token) });
      const description = 'error_description="The token is not a compact JWS."';
      expect(seen).to.deep.equal([
        [RequestError, 401, 'token_required', { 'WWW-Authenticate': 'Bearer' }],
        [
          TokenError,
          401,
          'invalid_token',
          { 'WWW-Authenticate': `Bearer error="invalid_token", ${description}` },
        ],
        [
          RequestError,
          403,
          'insufficient_scope',
          { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' },
        ],
        [UnavailableError, 503, 'unavailable', { 'Retry-After': '5' }],
      ]);
    });

    it('may let a request go on without a token', async () => {
      const onRefused: RequireTokenOptions['onRefused'] = (_error, _req, _res, next) => next();
      const answer = await ask(guarded({ onRefused }), { headers: bearer('x') });
      expect([answer.status, answer.body]).to.deep.equal([200, '{"of":null}']);
    });

    it('passes on what goes wrong in it', async () => {
      const broken = new Error('broken');
      const throwing = () => {
        throw broken;
      };
      for (const onRefused of [throwing, () => Promise.reject(broken)]) {
        const answer = await ask(guarded({ onRefused }));
        expect([answer.status, answer.body]).to.deep.equal([500, '{"error":"Error: broken"}']);
      }
    });
  });

  describe('never lets a request through, nor leaves it waiting, when something breaks:', () => {
    const rejecting = (reason: unknown) => async () => {
      throw reason;
    };
    const broken: [string, () => unknown][] = [
      ['an error', rejecting(new Error('broken'))],
      [
        'an error that is thrown at once',
        () => {
          throw new Error('broken');
        },
      ],
      ['nothing that is thrown', rejecting(undefined)],
      ['a word that Express takes for a command', rejecting('route')],
      ['another one', rejecting('router')],
      ['no claims', async () => undefined],
    ];
    for (const [what, verify] of broken) {
      it(what, async () => {
        const verifier = { verify } as unknown as Verifier;
        const answer = await ask(api(requireToken({ verifier })), { headers: bearer('a.b.c') });
        expect(answer.status).to.equal(500);
      });
    }

    it('a request that is none, told to next and not thrown', async () => {
      const told = await new Promise(
        (resolve) => void Reflect.apply(gate(), undefined, [{}, {}, resolve]),
      );
      expect(told).to.be.instanceOf(Error);
    });

    it('an answer that was given meanwhile is left alone', async () => {
      let passedOn = 0;
      const listener: RequestListener = (req, res) => {
        res.writeHead(202).write('early');
        const verifier: Verifier = { verify: () => Promise.reject(new TokenError('expired', 'x')) };
        requireToken({ verifier })(req, res, () => (passedOn += 1));
        setImmediate(() => res.end());
      };
      const answer = await ask(listener, { headers: bearer('a.b.c') });
      expect(answer).to.include({ status: 202, body: 'early' });
      expect(passedOn, 'an error that nobody can answer any more').to.equal(0);
    });

    it('a next that throws is called again with the error', async () => {
      const calls: unknown[] = [];
      const req = { headers: { authorization: `Bearer ${token}` }, rawHeaders: [], url: '/' };
      await new Promise<void>((resolve) => {
        const next = (error?: unknown) => {
          calls.push(error);
          if (error === undefined) throw new TypeError('in a handler');
          resolve();
        };
        Reflect.apply(gate(), undefined, [req, {}, next]);
      });
      expect(calls).to.have.length(2);
      expect(calls[1]).to.be.instanceOf(TypeError);
    });
  });
});

describe('requireRoles', () => {
  let issuer: TestIssuer;
  before(async () => (issuer = await createTestIssuer()));

  it('lets through who has all the roles', async () => {
    const app = api(requireToken(issuer.settings), requireRoles('admin', 'user'));
    const statuses = [];
    for (const roles of [['admin', 'user', 'x'], ['admin'], ['Admin', 'user'], []]) {
      statuses.push((await ask(app, { headers: bearer(await issuer.token({ roles })) })).status);
    }
    expect(statuses).to.deep.equal([200, 403, 403, 403]);
  });

  it('says what is missing as RFC 6750 has it', async () => {
    const app = api(requireToken(issuer.settings), requireRoles('admin'));
    const answer = await ask(app, { headers: bearer(await issuer.token()) });
    expect(answer.headers['www-authenticate']).to.equal('Bearer error="insufficient_scope"');
    expect(answer.headers['cache-control']).to.equal('no-store');
    expect(JSON.parse(answer.body)).to.include({ status: 403, code: 'insufficient_scope' });
  });

  it('answers 401 where requireToken was forgotten', async () => {
    const answer = await ask(api(requireRoles('admin')), { headers: bearer(await issuer.token()) });
    expect([answer.status, answer.headers['www-authenticate']]).to.deep.equal([401, 'Bearer']);
  });
});
