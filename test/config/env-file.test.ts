import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { isFirstRun, writeEnvFile } from '../../config/env-file.ts';
import { loadSettings } from '../../config/settings.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runModule } from '../support/process.ts';

describe('a first run', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let file: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    file = join(directory.path, '.env');
  });
  afterEach(() => directory[Symbol.dispose]());

  const content = () => readFileSync(file, 'utf8');

  it('writes .env for the eyes of its owner only', () => {
    expect(writeEnvFile(directory.path)).to.equal(file);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
  });

  it('puts different random secrets of 64 bytes in it', () => {
    writeEnvFile(directory.path);
    const { SESSION_SECRET, JWT_SECRET_KEY, KEY_ENCRYPTION_SECRET } = parse(content());
    const secrets = [SESSION_SECRET, JWT_SECRET_KEY, KEY_ENCRYPTION_SECRET];
    for (const secret of secrets) expect(secret).to.match(/^[0-9a-f]{128}$/);
    expect(new Set(secrets).size).to.equal(3);
  });

  it('makes other secrets each time', () => {
    using other = temporaryDirectory();
    writeEnvFile(directory.path);
    writeEnvFile(other.path);
    const { SESSION_SECRET, JWT_SECRET_KEY } = parse(readFileSync(join(other.path, '.env')));
    for (const secret of [SESSION_SECRET, JWT_SECRET_KEY]) expect(content()).not.to.include(secret);
  });

  it('takes everything else from .env.example as it is', () => {
    writeEnvFile(directory.path);
    const withoutSecrets = (text: string) =>
      text.replaceAll(/^(SESSION_SECRET|JWT_SECRET_KEY|KEY_ENCRYPTION_SECRET)=.*$/gm, '$1');
    expect(withoutSecrets(content())).to.equal(
      withoutSecrets(readFileSync('.env.example', 'utf8')),
    );
  });

  it('leaves nothing else behind', () => {
    writeEnvFile(directory.path);
    writeEnvFile(directory.path);
    expect(readdirSync(directory.path)).to.deep.equal(['.env']);
  });

  it('gives settings that work for development, the bypass on', () => {
    writeEnvFile(directory.path);
    const { mode, bypass, publicUrl } = loadSettings({}, directory.path);
    expect([mode, bypass, publicUrl]).to.deep.equal(['development', true, 'http://localhost:3000']);
  });

  it('never touches a file that is there, also an empty one', () => {
    for (const text of ['', 'PORT=4000\n']) {
      writeFileSync(file, text);
      expect(writeEnvFile(directory.path)).to.be.undefined;
      expect(content()).to.equal(text);
    }
  });

  it('never writes through a symbolic link that leads nowhere', () => {
    symlinkSync(join(directory.path, 'elsewhere'), file);
    expect(writeEnvFile(directory.path)).to.be.undefined;
    expect(readdirSync(directory.path)).to.deep.equal(['.env']);
  });

  it('never touches a directory of that name', () => {
    mkdirSync(file);
    expect(writeEnvFile(directory.path)).to.be.undefined;
    expect(readdirSync(directory.path)).to.deep.equal(['.env']);
  });

  it('writes one whole file when several begin at once', async function () {
    this.timeout(120_000);
    const start = `
      import { writeEnvFile } from '#repo/config/env-file.ts';
      console.log(writeEnvFile(process.argv[1]) ?? 'there already');
    `;
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => runModule(start, directory.path)),
    );
    const outputs = runs.map(({ output }) => output.trim());
    expect(outputs.toSorted()).to.deep.equal(
      [file, ...Array<string>(3).fill('there already')].toSorted(),
    );
    expect(loadSettings({}, directory.path).mode).to.equal('development');
    expect(readdirSync(directory.path)).to.deep.equal(['.env']);
  });

  it('is one without .env and without a word in the environment', () => {
    expect(isFirstRun({}, directory.path)).to.be.true;
    for (const NODE_ENV of ['production', 'development', 'test', 'nonsense', '']) {
      expect(isFirstRun({ NODE_ENV }, directory.path), NODE_ENV).to.be.false;
    }
    writeEnvFile(directory.path);
    expect(isFirstRun({}, directory.path)).to.be.false;
  });
});
