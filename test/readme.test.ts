import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { bodyOf, Client } from './support/client.ts';
import { until } from './support/command.ts';
import { temporaryDirectory } from './support/directory.ts';
import { freePort } from './support/free-port.ts';
import { type ServiceProcess, startService } from './support/service-process.ts';

const readme = readFileSync('README.md', 'utf8');

/** The blocks of one language, in order. */
function blocks(language: string): string[] {
  const fence = new RegExp('^```' + language + '\\n(.*?)^```$', 'gms');
  return [...readme.matchAll(fence)].map(([, code = '']) => code);
}

interface Ended {
  code: number | null;
  output: string;
}

/** Runs a program in a directory, with its own environment, and collects what it prints. */
async function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Ended> {
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const child = spawn(command, args, { cwd, env: { ...env, PATH: path } });
  const chunks: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  child.stderr.resume();
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, output: chunks.join('') }));
  });
}

/** A block as somebody would type it, with this service in place of the one on port 3000. */
async function type(block: string, service: ServiceProcess, directory: string): Promise<string> {
  const repository = process.cwd();
  const script = block
    .replaceAll('http://localhost:3000', service.url)
    .replaceAll('npm run coatcheck --', `node ${join(repository, 'bin/coatcheck.ts')}`);
  const env = { ...service.environment, ...secrets(repository) };
  const { code, output } = await run('bash', ['-euo', 'pipefail', '-c', script], directory, env);
  expect(code, script).to.equal(0);
  return output;
}

/** The service reads `.env.test` where it was started; a command in another directory has to be told. */
function secrets(repository: string): Record<string, string> {
  const text = readFileSync(join(repository, '.env.test'), 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/^(\w+_(?:SECRET|SECRET_KEY))=(.+)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

describe('README.md', function () {
  this.timeout(120_000); // it starts processes, one after another
  const [start, tests, bypass, password, keys, ...more] = blocks('sh');

  it('has two commands that npm knows: one runs it, one tests it', () => {
    expect([start, tests]).to.deep.equal(['npm ci && npm start\n', 'npm ci && npm test\n']);
    expect(readFileSync('package.json', 'utf8')).to.contain('"start": ').and.to.contain('"test": ');
    expect(more).to.deep.equal([]);
  });

  describe('what it says to type', () => {
    let service: ServiceProcess;
    const directory = temporaryDirectory();
    before(async () => (service = await startService()));
    after(async () => {
      await service[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    });

    it('signs in through the bypass, exchanges the session and shows the profile', async () => {
      const output = await type(bypass ?? '', service, directory.path);
      expect(output.match(/"username":"admin"/g)).to.have.length(2);
    });

    it('adds a user, logs in with a password, and logs out', async () => {
      const output = await type(password ?? '', service, directory.path);
      expect(output).to.contain('"roles":["editor"]').and.to.contain('"token_type":"Bearer"');
    });

    it('shows the keys and what a rotation would do', async () => {
      await using asymmetric = await startService({ JWT_ALGORITHM: 'ES256' });
      const output = await type(keys ?? '', asymmetric, directory.path);
      expect(output).to.match(/ES256 +signing/);
    });

    it('lets an API verify tokens and look at roles', async () => {
      const [, source = ''] = blocks('js');
      const port = await freePort();
      const api = spawn(
        'node',
        [
          '--input-type=module',
          '--eval',
          source
            .replaceAll('http://localhost:3000', service.url)
            .replace('@coatcheck/verify', '#verify')
            .replace('4000', String(port)),
        ],
        {
          env: { ...secrets(process.cwd()), PATH: process.env['PATH'] ?? '' },
          stdio: 'ignore',
        },
      );
      try {
        const orders = `http://localhost:${port}/orders`;
        const client = new Client(service.url);
        const { token } = await bodyOf(await client.get('/auth/bypass?token=grace'));
        const headers = { Authorization: `Bearer ${String(token)}` };
        await until(
          () =>
            fetch(orders).then(
              () => true,
              () => false,
            ),
          api,
        );
        expect((await fetch(orders)).status).to.equal(401);
        expect(await bodyOf(await fetch(orders, { headers }))).to.deep.equal({ of: 'grace' });
        expect((await fetch(orders, { method: 'DELETE', headers })).status).to.equal(403);
      } finally {
        api.kill();
        await once(api, 'exit');
      }
    });
  });
});
