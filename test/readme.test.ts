import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { bodyOf } from './support/client.ts';
import { temporaryDirectory } from './support/directory.ts';
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

const node = (source: string, env: Record<string, string>) =>
  run('node', ['--input-type=module', '--eval', source], process.cwd(), env);

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

describe('README.md', () => {
  const [start, tests, bypass, password, ...more] = blocks('sh');

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

    it('verifies a token in an API', async () => {
      const [, verification = ''] = blocks('js');
      const answer = await fetch(`${service.url}/auth/bypass?token=admin`);
      const { token } = await bodyOf(answer);
      const script = [
        verification.replace('http://localhost:3000', service.url),
        'console.log(claims.username);',
      ].join('\n');
      const { code, output } = await node(`const token = process.env.TOKEN;\n${script}`, {
        ...secrets(process.cwd()),
        TOKEN: String(token),
      });
      expect([code, output.trim()]).to.deep.equal([0, 'admin']);
    });
  });
});
