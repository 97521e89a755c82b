import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { cleanEnvironment, ROOT, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';
import { certificate, TlsClient } from '../support/tls-client.ts';
import { caddy, nginx, type Place, startProxy } from './proxy.ts';

const NAME = 'login.example.org';

describe('deploy/Caddyfile', () => {
  /** What Caddy makes of it in that environment. */
  function adapted(this: Mocha.Context, env: Record<string, string>): string {
    const file = join(ROOT, 'deploy', 'Caddyfile');
    const { error, status, stdout, stderr } = spawnSync('caddy', ['adapt', '--config', file], {
      env: cleanEnvironment(env),
      encoding: 'utf8',
    });
    if (error !== undefined) this.skip();
    expect(status, stderr).to.equal(0);
    return stdout;
  }

  it('is for two processes on this machine when nothing is set', function () {
    expect(adapted.call(this, {}))
      .to.include('"upstreams":[{"dial":"127.0.0.1:3000"},{"dial":"127.0.0.1:3001"}]')
      .and.include('"https_port":443')
      .and.include('"host":["login.example.org"]');
  });

  it('is for the two of compose.yaml with what is set there', function () {
    const compose = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
    const [upstreams = ''] = /(?<=UPSTREAMS: ).+/.exec(compose) ?? [];
    expect(adapted.call(this, { UPSTREAMS: upstreams, HTTPS_PORT: '8443' }))
      .to.include('"upstreams":[{"dial":"coatcheck-1:3000"},{"dial":"coatcheck-2:3000"}]')
      .and.include('"https_port":8443');
  });
});

for (const proxy of [nginx, caddy]) {
  describe(`deploy/${proxy.file}, in front of two processes`, function () {
    this.timeout(120_000);
    const directory = temporaryDirectory();
    let place: Place;
    let services: Served[] = [];
    let running: AsyncDisposable | undefined;

    before(async function () {
      const program = proxy.find();
      const pair = certificate(directory.path, NAME);
      if (program === undefined || pair === undefined) {
        process.stderr.write(`The proxy of deploy/${proxy.file}, or openssl, is not here.\n`);
        this.skip();
      }
      const [http, https] = [await freePort(), await freePort()];
      services = await startServices(directory.path);
      const ports = services.map(({ port }) => port);
      place = { directory: directory.path, ...pair, http, https, services: ports };
      running = await startProxy(proxy, program, place);
    });

    after(async () => {
      await running?.[Symbol.asyncDispose]();
      for (const service of services) await service[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    });

    const client = () => new TlsClient({ name: NAME, port: place.https, cert: place.cert });

    async function signedIn(headers: Record<string, string> = {}): Promise<TlsClient> {
      const someone = client();
      const credentials = { username: 'ada', password: PASSWORD };
      const { status, body } = await someone.post('/auth/login', credentials, headers);
      expect(status, body).to.equal(200);
      return someone;
    }

    it('signs in over TLS, with a cookie for https alone, and exchanges at either process', async () => {
      const ada = await signedIn();
      expect([...ada.cookies.keys()]).to.have.members(['__Host-session', '__Host-device']);
      const statuses = [];
      for (let n = 0; n < 4; n += 1) statuses.push((await ada.get('/auth/token')).status);
      expect(statuses).to.deep.equal([200, 200, 200, 200]);
      for (const service of services) await service.said(/"\/auth\/token"/);
    });

    it('believes the caller neither address, nor scheme, nor name', async () => {
      const ada = await signedIn({
        'X-Forwarded-For': '203.0.113.66',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Host': 'evil.example',
        Forwarded: 'for=203.0.113.66;proto=http',
      });
      const { body } = await ada.get('/auth/sessions', { 'X-Forwarded-For': '203.0.113.67' });
      expect(body).to.include('"address":"127.0.0.1"').and.not.to.include('203.0.113.');
    });

    it('shows readiness and metrics to nobody outside', async () => {
      const paths = ['/readyz', '/readyz?x', '/metrics', '/%72eadyz', '//metrics', '/./readyz'];
      for (const path of paths) {
        const { status, headers } = await client().get(path);
        const fromService = headers.has('Content-Security-Policy'); // which all of its answers have
        expect([status, fromService], path).to.deep.equal([404, false]);
      }
      expect((await client().get('/nothing')).headers.has('Content-Security-Policy')).to.equal(
        true,
      );
      expect((await client().get('/healthz')).status).to.equal(200);
    });

    it('sends a browser that comes by http on to https', async () => {
      const request = get({
        host: '127.0.0.1',
        port: place.http,
        path: '/login?x=1',
        headers: { Host: NAME },
      });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).to.be.oneOf([301, 308]);
      expect(response.headers.location).to.equal(`https://${NAME}/login?x=1`);
    });

    it('refuses a handshake for another name', async () => {
      const { https, cert } = place;
      const other = new TlsClient({ name: 'other.example', port: https, cert });
      const outcome = await other.get('/login').then(
        () => 'answered',
        (error: unknown) => String(error),
      );
      expect(outcome).to.match(/alert/);
    });

    it('refuses a large body and goes on', async () => {
      const body = { username: 'ada', password: 'x'.repeat(40_000) };
      expect((await client().post('/auth/login', body)).status).to.equal(413);
      expect((await client().get('/login')).status).to.equal(200);
    });

    it('goes on without a failed request when one process stops', async () => {
      const ada = await signedIn();
      const [first, second] = services;
      const statuses: (number | undefined)[] = [];
      const exchange = async (times: number) => {
        for (let n = 0; n < times; n += 1) statuses.push((await ada.get('/auth/token')).status);
      };
      await exchange(4);
      const stopped = first?.stop();
      await exchange(20);
      expect((await stopped)?.code).to.equal(0);
      await exchange(10);
      await signedIn(); // a POST
      expect(new Set(statuses)).to.deep.equal(new Set([200]));
      expect(second?.output().code).to.equal(null);
    });
  });
}

/** Two processes over one database, in production, with a user. */
async function startServices(cwd: string): Promise<Served[]> {
  const env = {
    NODE_ENV: 'production',
    PUBLIC_URL: `https://${NAME}`,
    TRUST_PROXY: '127.0.0.1',
    SESSION_SECRET: randomBytes(64).toString('hex'),
    JWT_SECRET_KEY: randomBytes(64).toString('hex'),
  };
  await run(['user', 'add', 'ada'], { cwd, env, stdin: PASSWORD });
  return [await serve({ cwd, env }), await serve({ cwd, env })];
}
