import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { requireToken } from '#verify';
import { bodyOf, Client } from '../../support/client.ts';
import { cleanEnvironment, inTurns, PROGRAM, ROOT, run, until } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { startApi } from '../../support/lax-api.ts';
import {
  hasPseudoTerminal,
  runOnTerminal,
  startOnTerminal,
} from '../../support/pseudo-terminal.ts';
import { type ServiceProcess, startService } from '../../support/service-process.ts';
import { elements, parseXml } from '../../support/xml.ts';

type Json = Record<string, unknown>;

const AUDIENCE = 'https://api.example';

/** Takes whatever has the form of a token. */
const careless: RequestListener = (req, res) =>
  res.writeHead(/^Bearer [\w-]+\.[\w-]+\./.test(req.headers.authorization ?? '') ? 200 : 401).end();

describe('coatcheck probe', function () {
  this.timeout(120_000);
  let service: ServiceProcess;
  let guarded: RequestListener;
  let token: string;
  const directory = temporaryDirectory();
  const file = (name: string) => join(directory.path, name);
  /** Where there are no settings: what needs none. */
  const nowhere = { cwd: directory.path, env: { NODE_ENV: 'nonsense' } };
  let beside: { cwd: string; env: Readonly<Record<string, string>> };

  before(async () => {
    service = await startService({ JWT_ALGORITHM: 'ES256', JWT_AUDIENCE: AUDIENCE });
    beside = { cwd: ROOT, env: service.environment };
    const guard = requireToken({ issuer: service.url, audience: AUDIENCE, discovery: true });
    guarded = (req, res) =>
      guard(req, res, (error) => res.writeHead(error === undefined ? 200 : 500).end());
    const ada = new Client(service.url);
    await ada.get('/auth/bypass?token=ada');
    token = String((await bodyOf(await ada.get('/auth/token')))['token']);
    writeFileSync(file('token.txt'), `Authorization: Bearer ${token}\n`);
  });
  after(async () => {
    await service[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it('issues tokens itself beside the service, finds nothing wrong, and leaves nothing behind', async () => {
    await using api = await startApi(guarded);
    const [users, sessions] = [service.rows('users'), service.rows('sessions')];
    const { code, stdout, stderr } = await run(
      ['probe', api.url, '--issue', '--audience', AUDIENCE],
      beside,
    );
    expect([code, stderr]).to.deep.equal([0, '\nAll 54 attempts were refused; 1 not tried.\n']);
    expect(stdout).to.match(/^NAME +TRIED +EXPECTED +GOT +VERDICT\n/);
    expect(stdout).to.match(
      /^expired +expired 11 minutes ago +401 +401: The token has expired\. +refused$/m,
    );
    expect(stdout).to.include('Not tried, a key of ES256 has no other: other-algorithm\n');
    expect(service.rows('users')).to.deep.equal(users);
    expect(service.rows('sessions')).to.deep.equal(sessions);
    const alive = service.rows('status_entries').filter((row) => row['revoked_at'] === null);
    expect(alive).to.have.length(1); // ada's
  });

  it('says what an API accepts, what that means and how to mend it, and ends with 1', async () => {
    await using api = await startApi(careless);
    const { code, stdout, stderr } = await run(['probe', api.url], { ...nowhere, stdin: token });
    expect(code).to.equal(1);
    expect(stderr).to.match(
      /^\nOf \d+ attempts: \d+ refused, \d+ accepted, 0 crashed, 0 called, 0 unclear; 14 not tried\.\n$/,
    );
    expect(stdout).to.match(/^none-mixed +alg "nOnE", no signature +401 +200 +ACCEPTED$/m);
    expect(stdout).to.match(
      /^algorithm: none-lower.*\n {2}The token itself says .* \(OWASP ASVS 5\.0, 9\.1\.2\)$/m,
    );
    expect(stdout).to.include(
      'Not tried, needs the key of the service: run it beside the service with --issue: expired,',
    );
    expect(readdirSync(directory.path)).to.deep.equal(['token.txt']);
  });

  it('takes the good token from standard input, a file or an option, and prints no part of any', async () => {
    await using api = await startApi(careless);
    const ways = [
      { args: [], stdin: token },
      { args: ['--token-file', '-'], stdin: `Bearer ${token}\n` },
      { args: ['--token-file', file('token.txt')], stdin: '' },
      { args: ['--token', token], stdin: '' },
    ];
    await inTurns(ways, async ({ args, stdin }) => {
      const { code, stdout, stderr } = await run(['probe', api.url, ...args], {
        ...nowhere,
        stdin,
      });
      expect([code, stderr.split('\n').length]).to.deep.equal([1, 3]);
      expect(stdout).to.match(/^good-token .* accepted$/m);
      for (const part of token.split('.'))
        expect(stdout + stderr).not.to.include(part.slice(0, 20));
    });
  });

  it('prints the report as JSON, and writes it as JUnit XML that holds whatever is in it', async () => {
    await using api = await startApi(careless);
    const url = `${api.url}/a&b?c="<d>"&e=%00`;
    const junit = file('probe.xml');
    const args = ['probe', url, '--json', '--junit', junit, '--token-file', file('token.txt')];
    const { code, stdout, stderr } = await run(args, nowhere);
    expect([code, stderr.startsWith('Of ')]).to.deep.equal([1, true]);
    const report = JSON.parse(stdout) as { attempts: Json[]; not_tried: Json[] } & Json;
    expect(report).to.include({ url: new URL(url).href, method: 'GET', passed: false });
    const jwk = report.attempts.find(({ name }) => name === 'jwk');
    expect(jwk).to.include({
      expected: '401',
      got: '200',
      status: 200,
      verdict: 'accepted',
      passed: false,
      asvs: '9.1.3',
    });
    expect(jwk).to.include.all.keys('tried', 'means', 'mend', 'seconds');
    expect(report.not_tried).to.deep.include({
      name: 'hs-…',
      why: 'needs the public key of the token: give --jwks, or --issue',
    });

    const suites = parseXml(readFileSync(junit, 'utf8'));
    const [suite] = suites.children;
    const cases = elements(suites, 'testcase');
    const failed = report.attempts.filter(({ passed }) => passed === false);
    expect(suite?.attributes['name']).to.equal(`coatcheck probe GET ${new URL(url).href}`);
    expect(suite?.attributes).to.include({
      tests: String(report.attempts.length + report.not_tried.length),
      failures: String(failed.length),
      errors: '0',
      skipped: String(report.not_tried.length),
    });
    expect(cases).to.have.length(report.attempts.length + report.not_tried.length);
    const none = cases.find(
      ({ attributes }) => attributes['name'] === 'none-lower: alg "none", no signature',
    );
    expect(none?.children.map(({ name, attributes }) => [name, attributes])).to.deep.equal([
      ['failure', { type: 'accepted', message: 'expected 401, got 200' }],
    ]);
    rmSync(junit);
  });

  it('shows the API what else it needs, asks in the way it is told to, and follows no address but the given one', async () => {
    await using api = await startApi((req, res) => {
      const isRight =
        req.method === 'POST' &&
        req.headers['x-key'] === 'one, two' &&
        req.headers.host === 'api.example' &&
        String(req.headers['constructor']) === 'x';
      if (isRight) careless(req, res);
      else res.writeHead(404).end();
    });
    const args = [
      '--method',
      'post',
      '--header',
      'X-Key: one',
      '--header',
      'x-key: two',
      '--header',
      'Host: api.example',
      '--header',
      'Constructor: x',
    ];
    const { stdout } = await run(['probe', api.url, '--token', token, ...args], nowhere);
    expect(stdout)
      .to.match(/^good-token .* accepted$/m)
      .and.match(/^jwk .* ACCEPTED$/m);
  });

  it('shows no control character that an API sends', async () => {
    await using hostile = createTcpServer((socket) => {
      socket.once('data', (bytes) => {
        const isGood = bytes.includes(token);
        const evil = 'Bearer error_description="a\u009b31mb\u00ad eyJhbGciOiJIUzI1NiJ9aaaaaaaaa"';
        socket.end(
          Buffer.from(
            `HTTP/1.1 ${isGood ? 200 : 401} \u009b2J\r\nWWW-Authenticate: ${evil}\r\n\r\n`,
            'latin1',
          ),
        );
      });
      socket.on('error', () => undefined);
    });
    hostile.listen(0, '127.0.0.1');
    await once(hostile, 'listening');
    const url = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`;
    const junit = file('hostile.xml');
    for (const args of [[], ['--json', '--junit', junit]]) {
      const { stdout, stderr } = await run(['probe', url, '--token', token, ...args], nowhere);
      expect(stdout + stderr).to.match(/^[\P{C}\n]+$/u);
      expect(stdout).to.include('31mb').and.not.include('eyJhbGciOiJIUzI1NiJ9');
    }
    expect(elements(parseXml(readFileSync(junit, 'utf8')), 'testcase')).not.to.deep.equal([]);
    rmSync(junit);
  });

  it('ends with 1, and says why, where its report is worth nothing or there is nobody', async () => {
    await using shut = await startApi((_req, res) => res.writeHead(403).end());
    await using open = await startApi((_req, res) => res.end());
    const cases = {
      [shut.url]: 'The good token is not accepted',
      [open.url]: 'nothing guards',
      'http://127.0.0.1:1': 'not accepted',
    };
    await inTurns(Object.entries(cases), async ([url, sentence]) => {
      const { code, stderr } = await run(['probe', url, '--token', token], nowhere);
      expect([code, stderr.includes(sentence)], url).to.deep.equal([1, true]);
    });
    const { stdout } = await run(['probe', 'http://127.0.0.1:1', '--token', token], nowhere);
    expect(stdout).to.include('ECONNREFUSED').and.include('UNCLEAR');
  });

  it('refuses what it cannot use with 2, and what is no token or no key set with 1, and sends nothing', async () => {
    await using api = await startApi(careless);
    writeFileSync(file('token.json'), '{}');
    const { url } = api;
    const wrong: [string[], number, string][] = [
      [['ftp://127.0.0.1'], 2, 'http:// or https://'],
      [['http://ada:pw@127.0.0.1'], 2, 'must not have a password'],
      [[url, '--method', 'CONNECT'], 2, 'a method of HTTP'],
      [[url, '--header', 'no colon'], 2, '"Name: value"'],
      [[url, '--timeout', '5'], 2, 'a duration'],
      [[url, '--within', '1h'], 2, 'at most 8m'],
      [[url, '--token', token, '--token-file', 'x'], 2, 'once'],
      [[url, '--audience', 'x'], 2, '--audience is for --issue'],
      [[url, '--token', 'umbrella'], 1, 'three parts of base64url'],
      [[url, '--token', token, '--junit', file('nowhere/probe.xml')], 1, 'ENOENT'],
      [[url, '--token', token, '--jwks', file('token.json')], 1, 'no set of public keys'],
    ];
    await inTurns(wrong, async ([args, expected, sentence]) => {
      const { code, stdout, stderr } = await run(['probe', ...args], nowhere);
      expect([code, stdout], args.join(' ')).to.deep.equal([expected, '']);
      expect(stderr).to.include(sentence);
      expect(stderr).not.to.include(token);
    });
    expect(api.requests).to.deep.equal([]);
    rmSync(file('token.json'));
  });

  it('says which setting it misses where there is no service', async () => {
    const { code, stderr } = await run(['probe', 'http://127.0.0.1:1', '--issue'], nowhere);
    expect(code).to.equal(78);
    expect(stderr).to.include('NODE_ENV must be one of');
  });

  describe('revokes what it signed', () => {
    const live = () => service.rows('status_entries').filter((row) => row['revoked_at'] === null);

    /** An API that answers the first five requests. */
    async function silentApi() {
      const [reached, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const api = await startApi((req, res) => {
        if (api.requests.length <= 5) return guarded(req, res);
        res.on('close', left.resolve);
        return reached.resolve();
      });
      return { ...api, reached: reached.promise, left: left.promise };
    }

    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      it(`at ${signal}, though it comes twice`, async () => {
        await using api = await silentApi();
        const args = [PROGRAM, 'probe', api.url, '--issue', '--timeout', '1m'];
        const env = cleanEnvironment(beside.env);
        const child = spawn(process.execPath, args, { cwd: ROOT, env });
        const said = Promise.all([text(child.stdout), text(child.stderr)]);
        await api.reached;
        expect(live()).to.have.length(3);
        const hold = new DatabaseSync(String(beside.env['DATABASE_URL']).replace('sqlite:', ''));
        hold.exec('begin immediate'); // until the second one has come, nothing can be revoked
        child.kill(signal);
        await api.left;
        child.kill(signal);
        hold.close();
        await once(child, 'close');
        expect([child.exitCode, (await said)[0].includes('not asked')]).to.deep.equal([1, true]);
        expect(live()).to.have.length(1); // ada's
        expect(api.requests).to.have.length(6);
      });
    }

    it('when its terminal is gone', async function () {
      if (!hasPseudoTerminal()) this.skip();
      await using api = await silentApi();
      const args = ['probe', api.url, '--issue', '--timeout', '1m'];
      const terminal = startOnTerminal(args, ROOT, beside.env);
      await api.reached;
      expect(live()).to.have.length(3);
      terminal.kill('SIGKILL');
      await until(() => live().length === 1, { exitCode: null, signalCode: null });
    });
  });

  it('prints its report also where the file of it cannot be written after all', async function () {
    if (!existsSync('/dev/full')) this.skip();
    await using api = await startApi(careless);
    const args = ['probe', api.url, '--token', token, '--junit', '/dev/full'];
    const { code, stdout, stderr } = await run(args, nowhere);
    expect([code, stderr.includes('ENOSPC')]).to.deep.equal([1, true]);
    expect(stdout).to.match(/^jwk .* ACCEPTED$/m);
  });

  it('ends in time with an API that never answers', async () => {
    await using api = await startApi((req, res) => {
      if (api.requests.length < 3) guarded(req, res);
    });
    const args = ['probe', api.url, '--token', token, '--timeout', '1s', '--within', '8s'];
    const { code, stdout } = await run(args, nowhere);
    expect(code).to.equal(1);
    expect(stdout)
      .to.match(/^empty .* no answer in time +CRASHED$/m)
      .and.include('not asked: ');
  });

  it('speaks https, with a certificate of a private authority if it is told of it', async function () {
    const [cert, key] = [file('cert.pem'), file('key.pem')];
    const options =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
    const { status } = spawnSync('openssl', [...options.split(' '), '-keyout', key, '-out', cert]);
    if (status !== 0) this.skip(); // no openssl here to make one with
    const server = createHttpsServer(
      { cert: readFileSync(cert), key: readFileSync(key) },
      careless,
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const args = ['probe', url, '--token', token];
    const unknown = await run(args, nowhere);
    const known = await run(args, {
      ...nowhere,
      env: { ...nowhere.env, NODE_EXTRA_CA_CERTS: cert },
    });
    server.close();
    for (const name of [cert, key]) rmSync(name);
    expect(unknown.stdout).to.include('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(known.stdout).to.match(/^good-token .* accepted$/m);
  });

  it('shows on a terminal how far it is, and takes that away again', async function () {
    if (!hasPseudoTerminal()) this.skip();
    await using api = await startApi(careless);
    const args = ['probe', api.url, '--token-file', file('token.txt')];
    const { code, screen } = await runOnTerminal(args, directory.path, []);
    expect(code).to.equal(1);
    expect(screen)
      .to.include('\r\u001b[K1 of 35: Bearer, and nothing behind it')
      .and.include('\r\u001b[KNAME');
  });
});
