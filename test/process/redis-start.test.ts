import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { launch, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { type RedisServer, skipWithoutRedisServer, startRedis } from '../support/redis-server.ts';

const PASSWORD = 'unguessable-of-redis';

describe('a start with sessions in Redis', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let server: RedisServer;
  before(async function () {
    skipWithoutRedisServer(this);
    await run(['init'], { cwd });
    server = await startRedis('--requirepass', PASSWORD);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const at = (rest: string) => ({ SESSION_STORE_URL: `redis://${rest}` });

  it('serves with the right password', async () => {
    const env = at(`:${PASSWORD}@127.0.0.1:${server.port}/3?prefix=ours:`);
    await using service = await serve({ cwd, env });
    const response = await fetch(`${service.url}/auth/bypass?token=ada`);
    expect(response.status).to.equal(200);
    expect(server.cli('-a', PASSWORD, '--no-auth-warning', '-n', '3', 'KEYS', 'ours:session:*')).to
      .not.be.empty;
    const { code, stdout, stderr } = await service.stop();
    expect(code).to.equal(0);
    expect(stdout).to.include(`"sessions":"127.0.0.1:${server.port}"`);
    expect(stdout + stderr).not.to.include(PASSWORD);
  });

  const refused: Record<string, () => string> = {
    'the user or the password': () => `:wrong-${PASSWORD}@127.0.0.1:${server.port}`,
    'wants a password': () => `127.0.0.1:${server.port}`,
    'no database of the number': () => `:${PASSWORD}@127.0.0.1:${server.port}/99`,
    'ENOTFOUND no-such-host.invalid': () => `:${PASSWORD}@no-such-host.invalid`,
  };
  for (const [words, url] of Object.entries(refused)) {
    it(`is refused with exit code 78 where waiting does not help: ${words}`, async () => {
      const { code, stdout, stderr } = await run(['serve'], { cwd, env: at(url()) });
      expect(code).to.equal(78);
      expect(stderr)
        .to.match(/- SESSION_STORE_URL/)
        .and.to.include(words);
      expect(stdout + stderr).not.to.include(PASSWORD);
    });
  }

  it('waits for a Redis that is not there yet', async () => {
    await using proxy = await startFaultyProxy(server.port);
    proxy.misbehave('reset');
    const starting = serve({ cwd, env: at(`:${PASSWORD}@127.0.0.1:${proxy.port}`) });
    while (proxy.connections < 3) await pause(20);
    proxy.misbehave('none');
    await using service = await starting;
    expect(service.output().stdout).to.match(/cannot be reached: .*Waiting for it\./);
  });

  it('says what it is that a Redis without TLS does not do', async () => {
    const env = { SESSION_STORE_URL: `rediss://:${PASSWORD}@127.0.0.1:${server.port}` };
    await using service = await launch({ cwd, env });
    await service.said(
      /has not answered in TLS, as rediss:\/\/ in SESSION_STORE_URL asks .*Waiting/,
    );
    const { code, stdout, stderr } = await service.stop();
    expect(code).to.equal(0);
    expect(stdout + stderr).not.to.include(PASSWORD);
  });

  it('ends at once with SIGTERM while it waits', async () => {
    await using service = await launch({ cwd, env: at('127.0.0.1:1') });
    await service.said(/Waiting for it/);
    expect((await service.stop()).code).to.equal(0);
  });

  describe('before Redis is there', () => {
    const env = at('127.0.0.1:1');
    const quietly = async (...args: string[]) => {
      const { code, stderr } = await run(args, { cwd, env, stdin: 'a gull stole my umbrella' });
      expect(code, stderr).to.equal(0);
      expect(stderr).not.to.include('session store');
    };

    it('commands that do not ask for sessions work', async () => {
      await quietly('user', 'add', 'grace');
      await quietly('user', 'list');
    });

    it('so does ending sessions', async () => {
      await quietly('user', 'disable', 'grace');
    });

    it('a list of sessions says what is missing', async () => {
      const { code, stderr } = await run(['session', 'list'], { cwd, env });
      expect(code).to.equal(1);
      expect(stderr).to.match(/^The session store at 127\.0\.0\.1:1 cannot be reached/m);
    });
  });
});
