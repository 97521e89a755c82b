import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { SECOND } from '../support/clock.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import {
  BEHIND_A_PROXY,
  exchange,
  exchangeUntilClosed,
  FORWARDED,
  isRefused,
  Line,
  refusal,
  SlowLogin,
} from '../support/line.ts';
import { fetchTls, makeCertificate } from '../support/tls.ts';

/** As many as there must be to tell them from one and the others. */
const WORKERS = 2;
/** As many as people run on a machine of some size. */
const MANY = 4;
const CLIENTS = 50;

describe('several workers', function () {
  this.timeout(180_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const env = { ...BEHIND_A_PROXY, WORKERS: String(WORKERS) };
  const settings = join(cwd, '.env');
  before(async () => {
    await run(['init'], { cwd });
    await run(['user', 'add', 'ada'], { cwd, env, stdin: PASSWORD });
  });
  after(() => directory[Symbol.dispose]());

  /** The service, with all of its workers. */
  async function serveAll(more: Record<string, string> = {}): Promise<Served> {
    const service = await serve({ cwd, env: { ...env, ...more } });
    await service.until(() => ready(service).length === Number(more['WORKERS'] ?? WORKERS));
    return service;
  }

  it('share the port, the sessions and the log', async () => {
    await using service = await serveAll();
    const headers = await sessionOf(service);
    const lines = Array.from({ length: WORKERS * 2 }, () => new Line(service));
    await Promise.all(lines.map((line) => exchange(line, headers)));
    for (const line of lines) line[Symbol.dispose]();
    const { code, stdout, stderr } = await service.stop();
    expect([code, stderr]).to.deep.equal([0, '']);
    const exchanges = logLines(stdout).filter(({ route }) => route === '/auth/token');
    expect(exchanges).to.have.lengthOf(WORKERS * 2);
    expect(pidsOf(exchanges)).to.have.members(ready(service)).and.not.include(service.pid);
  });

  it('go on when one is killed, which is replaced', async () => {
    await using service = await serveAll();
    const headers = await sessionOf(service);
    const [victim = 0, ...others] = ready(service);
    process.kill(victim, 'SIGKILL');
    await service.said(/"a worker died, and is replaced"/);
    const lines = Array.from({ length: WORKERS * 2 }, () => new Line(service));
    await Promise.all(lines.map((line) => exchange(line, headers)));
    for (const line of lines) line[Symbol.dispose]();
    await service.until(() => ready(service).length === WORKERS + 1);
    const { stdout } = await service.stop();
    expect(logLines(stdout).find(({ level }) => level === 50)).to.deep.include({
      pid: service.pid,
      worker: victim,
      code: null,
      signal: 'SIGKILL',
      pause: 100,
    });
    const exchanges = logLines(stdout).filter(({ route }) => route === '/auth/token');
    expect(pidsOf(exchanges)).to.include.members(others).and.not.include(victim);
  });

  for (const [signal, workers] of [
    ['SIGTERM', MANY],
    ['SIGINT', WORKERS],
  ] as const) {
    it(`fail no request of ${CLIENTS} busy clients at ${signal}, and end with 0`, async () => {
      await using service = await serveAll({ WORKERS: String(workers) });
      const headers = await sessionOf(service);
      const answers = await exchangeUntilClosed(service, headers, CLIENTS, () => {
        for (const pid of ready(service)) process.kill(pid, signal); // as a terminal or systemd does
        service.signal(signal);
      });
      const { code, stdout, stderr } = await service.exited;
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(answers).to.be.at.least(CLIENTS * 4);
      expect(logLines(stdout).filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
      expect(logLines(stdout).filter(({ msg }) => msg === 'stopped')).to.have.length(workers + 1);
    });
  }

  it('are all unready from the signal on, and stop one after another', async () => {
    await using service = await serveAll();
    const lines = Array.from({ length: WORKERS * 2 }, () => new Line(service));
    await Promise.all(lines.map((line) => line.get('/readyz')));
    using slow = await SlowLogin.begin(service.port, FORWARDED);
    service.signal('SIGTERM');
    for (const { status, headers } of await Promise.all(lines.map(refusal))) {
      expect([status, headers.connection]).to.deep.equal([503, 'close']);
    }
    for (const line of lines) line[Symbol.dispose]();
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    expect((await service.exited).code).to.equal(0);
    expect(await isRefused(service.port)).to.be.true;
  });

  it('end at once at a second signal, whoever is still waiting', async () => {
    await using service = await serveAll();
    using _slow = await SlowLogin.begin(service.port, FORWARDED);
    service.signal('SIGTERM');
    const impatient = setInterval(() => service.signal('SIGINT'), 50);
    const { code, stdout } = await service.exited; // when the last of them has let go of standard output
    clearInterval(impatient);
    expect(code).to.equal(1);
    expect(stdout).not.to.include('"stopped"');
  });

  it('end at SIGTERM also while they are being replaced, once and again', async () => {
    await using service = await serveAll();
    const started = () =>
      logLines(service.output().stdout).filter(({ msg }) => String(msg).startsWith('restarting'));
    using slow = await SlowLogin.begin(service.port, FORWARDED); // keeps the first that goes from going
    service.signal('SIGHUP');
    await service.until(() => started().length === 1 && ready(service).length > WORKERS);
    for (let times = 0; times < 5; times += 1) service.signal('SIGHUP');
    service.signal('SIGTERM');
    await service.until(() => service.output().stdout.includes('stopping'));
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    const { code, stdout } = await service.exited;
    expect(code).to.equal(0);
    expect(started()).to.have.length(1);
    expect(logLines(stdout).at(-1)).to.include({ msg: 'stopped' });
    expect(await isRefused(service.port)).to.be.true;
  });

  describe('at SIGHUP', () => {
    it(`are replaced one after another, and fail no request of ${CLIENTS} clients, busy or silent for a while`, async () => {
      await using service = await serveAll({ WORKERS: String(MANY) });
      const headers = await sessionOf(service);
      const before_ = ready(service);
      const restarted = () => service.output().stdout.includes('all workers have been restarted');
      let answers = 0;
      const client = async (_: unknown, index: number) => {
        using line = new Line(service);
        while (!restarted()) {
          await exchange(line, headers);
          answers += 1;
          await delay(index % 5 === 0 ? SECOND + index * 40 : 20);
        }
        await exchange(line, headers);
      };
      const clients = Promise.all(Array.from({ length: CLIENTS }, client));
      await service.until(() => answers >= CLIENTS * 4);
      service.signal('SIGHUP');
      await clients;
      await service.until(() => ready(service).length === MANY * 2);
      const after_ = ready(service).slice(MANY);
      expect(after_).to.have.lengthOf(MANY).and.not.include.members(before_);
      for (const pid of before_) expect(isAlive(pid)).to.be.false;
      for (const pid of after_) expect(isAlive(pid)).to.be.true;
      const { code, stdout, stderr } = await service.stop();
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(logLines(stdout).filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
      const torn = stdout.split('\n').filter((line) => line !== '' && !/^\{.*\}$/.test(line));
      expect(torn).to.deep.equal([]);
    });

    it('read the settings anew, but for where they listen and how many they are', async () => {
      await using service = await serveAll();
      const headers = await sessionOf(service);
      using line = new Line(service);
      expect(JSON.parse((await line.get('/auth/token', headers)).body)).to.include({
        expires_in: 21_600,
      });
      const earlier = readFileSync(settings, 'utf8');
      writeFileSync(settings, earlier.replace(/^(PORT|WORKERS|JWT_EXPIRES_IN)=.*/gm, ''));
      appendFileSync(settings, 'PORT=1\nWORKERS=7\nJWT_EXPIRES_IN=2h\n');
      service.signal('SIGHUP');
      await service.said(/all workers have been restarted/);
      writeFileSync(settings, earlier);
      using other = new Line(service);
      expect(JSON.parse((await other.get('/auth/token', headers)).body)).to.include({
        expires_in: 7200,
      });
      await service.until(() => ready(service).length === WORKERS * 2);
    });

    it('stay, and say why, when the settings have come to be wrong', async () => {
      await using service = await serveAll();
      const headers = await sessionOf(service);
      const before_ = ready(service);
      const earlier = readFileSync(settings, 'utf8');
      writeFileSync(settings, earlier.replace(/^JWT_EXPIRES_IN=.*/m, 'JWT_EXPIRES_IN=6'));
      service.signal('SIGHUP');
      await service.said(/the restart is given up/);
      writeFileSync(settings, earlier);
      using line = new Line(service);
      await exchange(line, headers);
      expect(before_.every(isAlive)).to.be.true;
      const { code, stdout, stderr } = await service.stop();
      expect(code).to.equal(0);
      expect(stderr).to.match(
        /^The settings cannot be used:\n {2}- JWT_EXPIRES_IN must be [^\n]+\n$/,
      );
      const [given] = logLines(stdout).filter(
        ({ pid, level }) => pid === service.pid && level === 50,
      );
      expect(given).to.deep.include({ code: 78, signal: null });
      expect(given?.['why']).to.match(/JWT_EXPIRES_IN must be/);
    });
  });

  it('finish what they have begun and end when their primary is killed', async () => {
    await using service = await serveAll();
    using slow = await SlowLogin.begin(service.port, FORWARDED);
    service.signal('SIGKILL');
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    const { stdout } = await service.exited; // when the last of them has let go of standard output
    expect(logLines(stdout).filter(({ msg }) => msg === 'stopped')).to.have.length(WORKERS);
    expect(await isRefused(service.port)).to.be.true;
  });

  it('that die as soon as they start are started less and less often, until they last', async () => {
    const script = join(cwd, 'faint.mjs');
    const trouble = join(cwd, 'trouble');
    writeFileSync(
      script,
      `import cluster from 'node:cluster';
       import { existsSync } from 'node:fs';
       if (cluster.isWorker && existsSync(${JSON.stringify(trouble)})) process.exit(3);`,
    );
    const service = await serveAll({ NODE_OPTIONS: `--import=${script}` });
    await using _ = service;
    writeFileSync(trouble, '');
    process.kill(ready(service)[0] ?? 0, 'SIGKILL');
    await service.said(/"pause":800/);
    using line = new Line(service);
    expect((await line.get('/readyz')).status, 'the other one').to.equal(200);
    rmSync(trouble);
    await service.until(() => ready(service).length === WORKERS + 1);
    const { code, stdout } = await service.stop();
    expect(code).to.equal(0);
    const deaths = logLines(stdout).filter(({ level }) => level === 50);
    expect(deaths.map(({ pause }) => pause).slice(0, 4)).to.deep.equal([100, 200, 400, 800]);
    expect(deaths.map((death) => death['code']).slice(0, 3)).to.deep.equal([null, 3, 3]);
  });

  it('answer https, each with the certificate', async function () {
    const cert = join(cwd, 'cert.pem');
    const key = join(cwd, 'key.pem');
    if (!makeCertificate(cert, key)) this.skip(); // no openssl here to make one with
    await using service = await serveAll({
      TLS_CERT_FILE: cert,
      TLS_KEY_FILE: key,
      LOG_LEVEL: 'debug',
    });
    const answers = await Promise.all(
      Array.from({ length: WORKERS * 2 }, () =>
        fetchTls(`https://localhost:${service.port}/healthz`, cert),
      ),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
    const { code, stdout } = await service.stop();
    expect(code).to.equal(0);
    const asked = logLines(stdout).filter(
      ({ route, status }) => route === '/healthz' && status === 200,
    );
    expect(pidsOf(asked)).to.have.lengthOf(WORKERS);
  });

  describe('that cannot even start', () => {
    it('say so once and end with 1 where the address is in use', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const address = other.address();
      const port = typeof address === 'object' && address !== null ? String(address.port) : '';
      const { code, stderr } = await run(['serve'], { cwd, env: { ...env, PORT: port } });
      other.close();
      expect(code).to.equal(1);
      expect(stderr).to.match(/^Cannot listen on [^\n]+: another process listens there\.[^\n]+\n$/);
    });

    it('say so once and end with 78 where the settings are wrong', async () => {
      const tls = { TLS_CERT_FILE: settings, TLS_KEY_FILE: settings };
      const { code, stderr } = await run(['serve'], { cwd, env: { ...env, ...tls } });
      expect(code).to.equal(78);
      expect(stderr).to.match(/^The settings cannot be used:\n[^\n]+\n$/);
    });
  });
});

async function sessionOf({ url }: Served): Promise<Record<string, string>> {
  const client = new Client(url);
  const credentials = { username: 'ada', password: PASSWORD };
  const { status } = await client.post('/auth/login', credentials, FORWARDED);
  expect(status).to.equal(200);
  return { Cookie: [...client.cookies].map((pair) => pair.join('=')).join('; ') };
}

/** The process ids of all workers that have ever been ready, in that order. */
function ready(service: Pick<Served, 'output'>): number[] {
  const lines = logLines(service.output().stdout.replace(/[^\n]*$/, ''));
  return lines
    .filter(({ msg }) => String(msg).startsWith('Coatcheck is ready'))
    .map(({ pid }) => Number(pid));
}

function pidsOf(lines: readonly Record<string, unknown>[]): number[] {
  return [...new Set(lines.map(({ pid }) => Number(pid)))];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
