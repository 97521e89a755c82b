import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { formatMessage } from 'publint/utils';
import { publint } from 'publint';
import { z } from 'zod';
import { cleanEnvironment, ROOT, until } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const PACKAGE = join(ROOT, 'packages', 'verify');

/** What an API does with the package, whatever way it gets it: accepts a good token, refuses a bad one. */
const USE = `
async function use({ createVerifier, requireToken, TokenError }, { createTestIssuer }) {
  const issuer = await createTestIssuer();
  const verifier = createVerifier(issuer.settings);
  const { roles } = await verifier.verify(await issuer.token({ roles: ['admin'] }));
  const refused = await verifier.verify(await issuer.revoked()).catch((error) => error);
  if (!(refused instanceof TokenError)) throw refused;
  if (typeof requireToken(issuer.settings) !== 'function') throw new Error('no middleware');
  console.log(roles.join(), refused.reason);
}
`;
const ESM = `
import * as verify from '@coatcheck/verify';
import * as testing from '@coatcheck/verify/testing';
${USE}
await use(verify, testing);
`;
const COMMON_JS = `
const verify = require('@coatcheck/verify');
const testing = require('@coatcheck/verify/testing');
${USE}
use(verify, testing);
`;
const TYPESCRIPT = `
import express from 'express';
import { createVerifier, requireRoles, requireToken, type Token, TokenError } from '@coatcheck/verify';
import { createTestIssuer } from '@coatcheck/verify/testing';

export async function api() {
  const issuer = await createTestIssuer();
  const app = express();
  app.use(requireToken(issuer.settings));
  app.get('/', requireRoles('admin'), (req, res) => {
    const subject: string | undefined = req.token?.sub;
    res.json({ subject });
  });
  const token: Token = await createVerifier(issuer.settings).verify(await issuer.token());
  // @ts-expect-error -- a claim that everybody has is a text, not a number
  const sub: number = token.sub;
  return { app, sub, TokenError };
}
// @ts-expect-error -- without an issuer there is nothing to compare with
createVerifier({ discovery: true });
`;
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node', 'express'],
  },
};

/** What belongs into the package: what was emitted, and the three files beside it. */
const OURS =
  /^((dist\/(esm|cjs)\/)?package\.json|LICENSE|README\.md|dist\/(esm|cjs)\/.+(\.d\.ts|\.js))$/;

describe('the package @coatcheck/verify', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let tarball: string;
  const inside = (name: string) => join(directory.path, name);

  /** Asks no registry: jose is packed as well, from where it is installed. */
  async function packed(from: string, ...flags: string[]): Promise<string> {
    const args = ['pack', from, '--pack-destination', directory.path, '--silent', ...flags];
    const { stdout } = await run('npm', args, { cwd: from });
    return `./${stdout.trim().split('\n').at(-1) ?? ''}`;
  }

  const node = (file: string) =>
    run(process.execPath, [file], { cwd: directory.path, env: cleanEnvironment() });

  before(async function packAndInstall() {
    this.timeout(120_000);
    directory = temporaryDirectory();
    tarball = await packed(PACKAGE);
    const jose = await packed(join(ROOT, 'node_modules', 'jose'), '--ignore-scripts');
    writeFileSync(inside('package.json'), '{ "private": true }');
    const args = ['install', '--offline', '--no-audit', '--no-fund', '--silent', jose, tarball];
    await run('npm', args, { cwd: directory.path });
  });
  after(() => directory[Symbol.dispose]());

  it('brings jose, and nothing else', () => {
    const installed = readdirSync(inside('node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed.toSorted()).to.deep.equal(['@coatcheck', 'jose']);
  });

  it('has no source, no test and no secret in it', () => {
    const files = readdirSync(inside('node_modules/@coatcheck/verify'), { recursive: true });
    const odd = files
      .map(String)
      .filter((name) => !OURS.test(name) && !/^dist(\/(esm|cjs)(\/testing)?)?$/.test(name));
    expect(odd).to.deep.equal([]);
    expect(files.map(String)).to.include.members(['LICENSE', 'README.md', 'package.json']);
  });

  it('works from a module', async () => {
    writeFileSync(inside('api.mjs'), ESM);
    expect((await node('api.mjs')).stdout).to.equal('admin revoked\n');
  });

  it('works from CommonJS', async () => {
    writeFileSync(inside('api.cjs'), COMMON_JS);
    expect((await node('api.cjs')).stdout).to.equal('admin revoked\n');
  });

  it('has types that fit Express, for modules and for CommonJS', async function compile() {
    this.timeout(120_000);
    symlinkSync(join(ROOT, 'node_modules', '@types'), inside('node_modules/@types'));
    for (const ending of ['mts', 'cts']) {
      const project = inside(`types-${ending}`);
      mkdirSync(project);
      writeFileSync(join(project, `api.${ending}`), TYPESCRIPT);
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
      const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      const outcome = await run(process.execPath, [tsc, '-p', project]).catch(
        (error: unknown) => error,
      );
      expect(outcome).to.include({ stdout: '' });
    }
  });

  describe('in its README', () => {
    const blocks = [
      ...readFileSync(join(PACKAGE, 'README.md'), 'utf8').matchAll(/^```js\n(.*?)^```$/gms),
    ].map(([, code = '']) => code);

    it('shows an API that refuses who has no token', async () => {
      symlinkSync(join(ROOT, 'node_modules', 'express'), inside('node_modules/express'));
      const port = await freePort();
      writeFileSync(inside('readme.mjs'), (blocks[0] ?? '').replace('4000', String(port)));
      const api = spawn(process.execPath, ['readme.mjs'], {
        cwd: directory.path,
        env: cleanEnvironment(),
      });
      try {
        const url = `http://localhost:${port}/orders`;
        await until(async () => (await fetch(url).catch(() => undefined)) !== undefined, api);
        const refused = await fetch(url);
        expect([refused.status, refused.headers.get('www-authenticate')]).to.deep.equal([
          401,
          'Bearer',
        ]);
      } finally {
        api.kill();
        await once(api, 'exit');
      }
    });

    it('shows a verifier, and tests without a network', async () => {
      const [, verifier = '', testing = '', ...more] = blocks;
      expect(more).to.deep.equal([]);
      const source = `
        import { requireToken } from '@coatcheck/verify';
        const api = { use: (guard) => console.log(typeof guard) };
        ${testing}
        const token = good;
        ${verifier.replace(/createVerifier\(\{.*?\}\)/s, 'createVerifier(issuer.settings)')}
        console.log(roles.join());
        for (const one of bad) await verifier.verify(one).catch(({ reason }) => console.log(reason));
      `;
      writeFileSync(inside('testing.mjs'), source);
      expect((await node('testing.mjs')).stdout).to.equal(
        'function\nadmin\nexpired\nbad_signature\nrevoked\nmalformed\n',
      );
    });
  });

  it('leaves publint nothing to say', async () => {
    const pkgDir = inside('node_modules/@coatcheck/verify');
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([]);
  });

  it('has types that resolve in every way of importing it', async function checkTypes() {
    this.timeout(120_000);
    const cli = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const args = [cli, tarball, '--format', 'json'];
    const { stdout } = await run(process.execPath, args, { cwd: directory.path }); // fails where it finds a problem
    const entrypoints = z.object({
      analysis: z.object({ entrypoints: z.record(z.string(), z.unknown()) }),
    });
    const { analysis } = entrypoints.parse(JSON.parse(stdout));
    expect(Object.keys(analysis.entrypoints)).to.deep.equal(['.', './testing', './package.json']);
  });
});
