import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { drain } from '../../commands/listen.ts';
import { Client } from '../support/client.ts';
import { SECOND } from '../support/clock.ts';
import { logLines, run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';
import {
  BEHIND_A_PROXY,
  exchangeUntilClosed,
  isRefused,
  Line,
  refusal,
  SlowLogin,
} from '../support/line.ts';

const CLIENTS = 50;

describe('security 23: a service that is told to stop', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  before(() => run(['init'], { cwd }));
  after(() => directory[Symbol.dispose]());

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`fails no request of ${CLIENTS} busy clients at ${signal}, and ends with 0`, async () => {
      await using service = await serve({ cwd });
      const headers = await sessionOf(service);
      const answers = await exchangeUntilClosed(service, headers, CLIENTS, () =>
        service.signal(signal),
      );
      const { code, stdout } = await service.exited;
      expect(code).to.equal(0);
      expect(answers).to.be.at.least(CLIENTS * 4);
      expect(logLines(stdout).filter(({ status }) => status === 500)).to.deep.equal([]);
    });
  }

  it('answers a client that was silent for a while after the signal', async () => {
    await using service = await serve({ cwd, env: BEHIND_A_PROXY });
    using line = new Line(service);
    expect((await line.get('/healthz')).status).to.equal(200);
    service.signal('SIGTERM');
    await delay(3 * SECOND);
    const { status, headers } = await line.get('/healthz');
    expect([status, headers.connection]).to.deep.equal([200, 'close']);
    expect((await service.exited).code).to.equal(0);
  });

  it('does not end at SIGHUP: it says that one process alone cannot be replaced without a gap', async () => {
    await using service = await serve({ cwd });
    service.signal('SIGHUP');
    await service.said(/SIGHUP changes nothing: .*set WORKERS to 2 or more/);
    expect(await isRefused(service.port)).to.be.false;
    expect((await service.stop()).code).to.equal(0);
  });

  it('says 503 at /readyz to whoever is still connected, finishes what it began, and takes nobody new', async () => {
    await using service = await serve({ cwd });
    using line = new Line(service);
    using slow = await SlowLogin.begin(service.port);
    expect((await line.get('/readyz')).status).to.equal(200);
    service.signal('SIGTERM');
    const { status, body, headers } = await refusal(line);
    expect([status, headers.connection]).to.deep.equal([503, 'close']);
    expect(JSON.parse(body)).to.deep.equal({ status: 'not ready', failures: ['draining'] });
    expect(await isRefused(service.port)).to.be.true;
    expect(service.output().code, 'it waits for the slow one').to.be.null;
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    expect((await service.exited).code).to.equal(0);
  });

  it('takes a signal that comes twice at once, as npm and the terminal send it, for one', async () => {
    await using service = await serve({ cwd });
    using line = new Line(service);
    using slow = await SlowLogin.begin(service.port);
    await line.get('/readyz');
    service.signal('SIGINT');
    service.signal('SIGTERM');
    await refusal(line);
    expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
    expect((await service.exited).code).to.equal(0);
  });

  it('ends at once at a second signal, whoever is still waiting', async () => {
    await using service = await serve({ cwd });
    using _slow = await SlowLogin.begin(service.port);
    const begun = performance.now();
    service.signal('SIGTERM');
    const impatient = setInterval(() => service.signal('SIGINT'), 50);
    const { code } = await service.exited;
    clearInterval(impatient);
    expect(code).to.equal(1);
    expect(performance.now() - begun).to.be.below(5000);
  });

  it('does not wait for ever for a request that hangs', async () => {
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.end());
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    using slow = await SlowLogin.begin(port);
    await drain(server, 50);
    expect(await slow.rest()).to.equal('');
  });

  describe('because of an error that nothing caught', () => {
    /** Loaded into the service: makes the mistakes that no request of it makes by itself. */
    const mistakes = `
      process.once('SIGUSR2', () => void Promise.reject(new Error('a loose end')));
      process.once('SIGHUP', () => { throw new TypeError('a wrong turn', { cause: new Error('the root') }); });
    `;
    const script = join(cwd, 'mistakes.mjs');
    const env = { NODE_OPTIONS: `--import=${script}` };
    before(() => writeFileSync(script, mistakes));

    for (const [signal, name, error] of [
      ['SIGUSR2', 'a promise that nobody waited for', { type: 'Error', message: 'a loose end' }],
      ['SIGHUP', 'an exception', { type: 'TypeError', message: 'a wrong turn', cause: 'the root' }],
    ] as const) {
      it(`logs it as fatal, finishes the requests in flight and ends with 1: ${name}`, async () => {
        await using service = await serve({ cwd, env });
        using line = new Line(service);
        using slow = await SlowLogin.begin(service.port);
        await line.get('/readyz');
        service.signal(signal);
        await refusal(line);
        expect(await slow.finish()).to.match(/^HTTP\/1\.1 401 /m);
        const { code, stdout, stderr } = await service.exited;
        expect([code, stderr]).to.deep.equal([1, '']);
        const fatal = logLines(stdout).filter(({ level }) => level === 60);
        expect(fatal).to.have.lengthOf(1);
        expect(fatal[0]?.['error']).to.deep.include(error);
        expect(fatal[0]).to.have.nested.property('error.stack').that.includes('mistakes.mjs');
      });
    }
  });
});

async function sessionOf({ url }: Served): Promise<Record<string, string>> {
  const client = new Client(url);
  await client.get('/auth/bypass?token=ada');
  return { Cookie: [...client.cookies].map((pair) => pair.join('=')).join('; ') };
}
