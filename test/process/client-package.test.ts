import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { formatMessage } from 'publint/utils';
import { publint } from 'publint';
import { z } from 'zod';
import { addUser, startApp } from '../support/app.ts';
import { cleanEnvironment, ROOT } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

const run = promisify(execFile);
const PACKAGE = join(ROOT, 'packages', 'client');

const TYPESCRIPT = `
import { type Auth, AuthError, type AuthState, createAuth, type User } from '@coatcheck/client';
import { useAuth } from '@coatcheck/client/react';
import { useAuth as useAuthInVue } from '@coatcheck/client/vue';

export async function app(signal: AbortSignal) {
  const auth: Auth = createAuth({ baseUrl: 'http://localhost:3000', origins: ['http://localhost:4000'] });
  const { getToken, subscribe } = auth;
  const stop = subscribe(() => console.log(auth.state, auth.user?.roles));
  const token: string = await getToken({ audience: 'orders', signal });
  const response: Response = await auth.fetch('http://localhost:4000', { method: 'POST', audience: 'orders' });
  stop();
  const state: AuthState = useAuth(auth).state;
  const user: User | undefined = useAuthInVue(auth).user.value;
  return { token, response, state, user, AuthError };
}
// @ts-expect-error -- without an address there is nobody to ask
createAuth({});
`;
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  },
};

/** What belongs into the package: what was emitted, and the three files beside it. */
const OURS = /^(package\.json|LICENSE|README\.md|dist|dist\/\w[\w-]*(\.d\.ts|\.js))$/;

describe('the package @coatcheck/client', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let tarball: string;
  let installed: string[];
  const inside = (name: string) => join(directory.path, name);

  before(async function packAndInstall() {
    this.timeout(120_000);
    directory = temporaryDirectory();
    const cwd = directory.path;
    const pack = ['pack', PACKAGE, '--pack-destination', cwd, '--silent'];
    const { stdout } = await run('npm', pack, { cwd: PACKAGE });
    tarball = `./${stdout.trim().split('\n').at(-1) ?? ''}`;
    writeFileSync(inside('package.json'), '{ "private": true }');
    const flags = ['--offline', '--no-audit', '--no-fund', '--silent'];
    await run('npm', ['install', ...flags, tarball], { cwd });
    installed = readdirSync(inside('node_modules')).filter((name) => !name.startsWith('.'));
    for (const name of ['@types', 'react', 'vue', '@vue', 'csstype']) {
      symlinkSync(join(ROOT, 'node_modules', name), inside(`node_modules/${name}`));
    }
  });
  after(() => directory[Symbol.dispose]());

  it('brings nothing along: no framework, no source, no test', () => {
    expect(installed).to.deep.equal(['@coatcheck']);
    const files = readdirSync(inside('node_modules/@coatcheck/client'), { recursive: true });
    expect(files.map(String).filter((name) => !OURS.test(name))).to.deep.equal([]);
    expect(files).to.include.members(['LICENSE', 'README.md', 'package.json']);
  });

  it('works from plain JavaScript', async () => {
    await using app = await startApp();
    const source = `
      import { AuthError, createAuth } from '@coatcheck/client';
      const auth = createAuth({ baseUrl: '${app.url}' });
      const error = await auth.getToken().catch((error) => error);
      console.log(error instanceof AuthError, error.code, auth.state);
      auth.close();
    `;
    writeFileSync(inside('app.mjs'), source);
    const options = { cwd: directory.path, env: cleanEnvironment() };
    const { stdout } = await run(process.execPath, ['app.mjs'], options);
    expect(stdout).to.equal('true session_required signed-out\n');
  });

  it('shows in its README an app that is signed in with five lines', async () => {
    await using app = await startApp();
    await addUser(app, 'ada');
    const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
    const [, lines = ''] = /^```js\n(.*?)^```$/ms.exec(readme) ?? [];
    expect(lines.trim().split('\n').filter(Boolean)).to.have.lengthOf(5);
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).to.include(lines);
    const source = lines
      .replace('http://localhost:3000', app.url)
      .replace('http://localhost:4000', app.url)
      .replace('http://localhost:4000/orders', `${app.url}/auth/me`)
      .replace('seven wet umbrellas', 'a gull stole my umbrella');
    writeFileSync(inside('readme.mjs'), `${source}\nconsole.log(orders.status); auth.close();`);
    const options = { cwd: directory.path, env: cleanEnvironment() };
    const { stdout } = await run(process.execPath, ['readme.mjs'], options);
    expect(stdout.trim().split('\n').slice(-2)).to.deep.equal(['signed-in ada', '200']);
  });

  for (const [where, lib, types] of [
    ['a browser', ['es2024', 'dom'], []],
    ['Node', ['es2024'], ['node']],
  ] as const) {
    it(`has types for ${where}`, async function compile() {
      this.timeout(120_000);
      const project = inside(`types-${types.length}`);
      mkdirSync(project);
      writeFileSync(join(project, 'app.mts'), TYPESCRIPT);
      const skipLibCheck = types.length > 0; // the types of Vue want those of a page
      const config = { compilerOptions: { ...TSCONFIG.compilerOptions, lib, types, skipLibCheck } };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
      const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      const outcome = await run(process.execPath, [tsc, '-p', project]).catch(
        (error: unknown) => error,
      );
      expect(outcome).to.include({ stdout: '' });
    });
  }

  it('leaves publint nothing to say', async () => {
    const pkgDir = inside('node_modules/@coatcheck/client');
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([]);
  });

  it('has types that resolve in every way of importing modules', async function checkTypes() {
    this.timeout(120_000);
    const cli = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const args = [cli, tarball, '--format', 'json', '--profile', 'esm-only'];
    const { stdout } = await run(process.execPath, args, { cwd: directory.path }); // fails where it finds a problem
    const entrypoints = z.object({
      analysis: z.object({ entrypoints: z.record(z.string(), z.unknown()) }),
    });
    const { analysis } = entrypoints.parse(JSON.parse(stdout));
    expect(Object.keys(analysis.entrypoints)).to.deep.equal([
      '.',
      './react',
      './vue',
      './package.json',
    ]);
  });
});
