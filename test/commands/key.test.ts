import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { doneByCommand } from '../support/audit.ts';
import { Client } from '../support/client.ts';
import { run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { freshSecret } from '../support/keys.ts';
import { hasPseudoTerminal, runOnTerminal } from '../support/pseudo-terminal.ts';

const KID = /^[\w-]{43}$/;

describe('coatcheck key', function () {
  this.timeout(120_000);
  let directory: ReturnType<typeof temporaryDirectory>;
  let cwd: string;
  let env: Record<string, string>;
  const key = (args: string[], stdin = '') => run(['key', ...args], { cwd, env, stdin });

  beforeEach(async () => {
    directory = temporaryDirectory();
    cwd = directory.path;
    env = { JWT_ALGORITHM: 'ES256' };
    await run(['init'], { cwd });
  });
  afterEach(() => directory[Symbol.dispose]());

  /** A service starts and stops: it has made what it needs. */
  async function served(): Promise<void> {
    await using service = await serve({ cwd, env });
    await service.stop();
  }

  async function listed(...args: string[]): Promise<Record<string, unknown>[]> {
    const { code, stdout, stderr } = await key(['list', '--json', ...args]);
    expect([code, stderr]).to.deep.equal([0, '']);
    const rows: unknown = JSON.parse(stdout);
    if (!Array.isArray(rows)) throw new Error('no list');
    return rows.map((row: unknown) => ({ ...(row as object) }));
  }

  const stored = () => {
    const database = new DatabaseSync(join(cwd, 'data', 'coatcheck.db'), { readOnly: true });
    try {
      return database.prepare('select * from signing_keys order by sequence').all();
    } finally {
      database.close();
    }
  };

  const newPem = () =>
    String(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
        format: 'pem',
        type: 'pkcs8',
      }),
    );

  describe('list', () => {
    it('shows the keys, what they do, since when and what comes next', async () => {
      await served();
      await key(['rotate']);
      const { code, stdout, stderr } = await key(['list']);
      expect([code, stderr]).to.deep.equal([0, '']);
      const [heading, signing, published, ...rest] = stdout.trimEnd().split('\n');
      expect(heading).to.match(/^KEY +ALGORITHM +STATE +SINCE +NEXT$/);
      expect(signing).to.match(/^[\w-]{43} +ES256 +signing +\d{4}-\S+ \d\d:\d\d +retires \d{4}-/);
      expect(published).to.match(/^[\w-]{43} +ES256 +published +\S+ \S+ +signs from \d{4}-/);
      expect(rest).to.deep.equal([]);
    });

    it('has the same as JSON, with whole times', async () => {
      await served();
      const [only, ...rest] = await listed();
      expect(rest).to.deep.equal([]);
      expect(only).to.include({ algorithm: 'ES256', state: 'signing', next: null, next_at: null });
      expect(only?.['kid']).to.match(KID);
      const since = Date.parse(String(only?.['since']));
      const next = Date.parse(String(only?.['successor_published_at']));
      expect(next - since).to.equal((90 * 24 * 60 - 21) * 60_000);
    });

    it('of a shared secret says what replaces it, and never the secret', async () => {
      env = {};
      await served();
      const { stdout } = await key(['list']);
      expect(stdout).to.match(/ HS256 +signing .*when JWT_SECRET_KEY is changed\n/);
      const { JWT_SECRET_KEY: secret = '' } = parse(readFileSync(join(cwd, '.env')));
      expect(stdout).not.to.include(secret.slice(0, 12));
    });

    it('says that there are none before the service has started, and makes none', async () => {
      const { code, stderr } = await key(['list']);
      expect([code, stderr]).to.deep.equal([
        0,
        'No keys yet: the service makes the first one when it starts.\n',
      ]);
      expect(await listed()).to.deep.equal([]);
    });
  });

  describe('rotate', () => {
    it('publishes the next key and prints when it signs, and when the present one retires and is gone', async () => {
      await served();
      const [present] = await listed();
      const { code, stdout, stderr } = await key(['rotate']);
      expect([code, stderr]).to.deep.equal([0, 'Published the next key.\n']);
      const [heading, signs, retires, gone] = stdout.trimEnd().split('\n');
      expect(heading).to.match(/^WHEN \(UTC\) +KEY +WHAT$/);
      expect(signs).to.match(/signs \(ES256\)$/);
      expect(retires).to.include(present?.['kid']).and.include('retires');
      expect(gone).to.include(present?.['kid']).and.include('is gone');
      expect(await listed()).to.have.length(2);
    });

    it('--dry-run says the same and changes nothing', async () => {
      await served();
      const before = stored();
      const { code, stdout } = await key(['rotate', '--dry-run']);
      expect(code).to.equal(0);
      expect(stdout).to.include('a new key').and.include('retires').and.include('is gone');
      const json: unknown = JSON.parse((await key(['rotate', '--dry-run', '--json'])).stdout);
      expect(json).to.deep.include({ changed: false, pending: false });
      expect(json).to.have.nested.property('next.kid', null);
      expect(stored()).to.deep.equal(before);
    });

    it('changes nothing while a key waits for its turn', async () => {
      await served();
      await key(['rotate']);
      const before = stored();
      const { code, stderr } = await key(['rotate']);
      expect([code, stderr]).to.deep.equal([
        0,
        'A key waits for its turn already. Nothing was changed.\n',
      ]);
      expect(JSON.parse((await key(['rotate', '--json'])).stdout)).to.include({
        changed: false,
        pending: true,
      });
      expect(stored()).to.deep.equal(before);
    });

    it('of a shared secret explains how that is done', async () => {
      env = {};
      await served();
      const { code, stderr } = await key(['rotate']);
      expect(code).to.equal(1);
      expect(stderr)
        .to.include('JWT_SECRET_KEY_PREVIOUS')
        .and.match(/^[^\n]+\n$/);
    });

    it('refuses where there are no keys yet', async () => {
      for (const args of [['rotate'], ['rotate', '--emergency', '--yes']]) {
        const { code, stderr } = await key(args);
        expect([code, stderr]).to.deep.equal([
          1,
          'There are no keys yet: the service makes the first one when it starts. Nothing was changed.\n',
        ]);
      }
    });
  });

  describe('rotate --emergency', () => {
    it('says what it rejects, and does nothing without --yes where nobody can be asked', async () => {
      await served();
      const before = stored();
      const [present] = await listed();
      const { code, stderr } = await key(['rotate', '--emergency']);
      expect(code).to.equal(2);
      expect(stderr)
        .to.include(present?.['kid'])
        .and.include('0 live sessions')
        .and.include('20 minutes')
        .and.include('--yes');
      const dry = await key(['rotate', '--emergency', '--dry-run', '--json']);
      expect(JSON.parse(dry.stdout)).to.deep.equal({
        changed: false,
        rejected: [present?.['kid']],
        signer: null,
        sessions: 0,
      });
      expect(stored()).to.deep.equal(before);
    });

    it('kills the tokens of a running service and keeps its sessions', async () => {
      await using service = await serve({ cwd, env });
      const client = new Client(service.url);
      await client.get('/auth/bypass?token=ada');
      const before = await client.token();
      const { code, stderr, stdout } = await key(['rotate', '--emergency', '--yes', '--json']);
      expect(code).to.equal(0);
      expect(stderr).to.include('1 live session').and.include('Done.');
      const outcome: unknown = JSON.parse(stdout);
      expect(outcome).to.include({ changed: true, sessions: 1 });
      const verified = await run(['token', 'verify', before], { cwd, env });
      expect(verified.code).to.equal(1);
      expect(verified.stderr).to.include('was rejected in an emergency');
      const states = (await listed('--all')).map(({ state }) => state);
      expect(states).to.deep.equal(['gone', 'signing']);
      expect(await listed()).to.have.length(1);
      expect((await client.get('/auth/token')).status).to.equal(200);
      expect((await doneByCommand(cwd)).map(({ event }) => event)).to.deep.equal(['key.rejected']);
    });

    it('asks at a terminal, and takes anything but a yes for a no', async function () {
      if (!hasPseudoTerminal()) this.skip();
      writeFileSync(join(cwd, '.env'), 'JWT_ALGORITHM=ES256\n', { flag: 'a' });
      const text = readFileSync(join(cwd, '.env'), 'utf8');
      writeFileSync(join(cwd, '.env'), text.replace('JWT_ALGORITHM=HS256\n', ''));
      env = {};
      await served();
      const before = stored();
      const args = ['key', 'rotate', '--emergency'];
      const no = await runOnTerminal(args, cwd, [['[y/N]', '\r']]);
      expect([no.code, stored()]).to.deep.equal([1, before]);
      const yes = await runOnTerminal(args, cwd, [['[y/N]', 'yes\r']]);
      expect(yes.screen).to.include('Done.');
      expect(stored()).to.have.length(2);
    });

    it('of a shared secret wants it changed first, and then rejects the earlier one', async () => {
      env = {};
      await served();
      const refused = await key(['rotate', '--emergency', '--yes']);
      expect(refused.code).to.equal(1);
      expect(refused.stderr).to.include('put another secret there first');
      env = { JWT_SECRET_KEY: freshSecret(), NODE_ENV: 'test' };
      writeFileSync(join(cwd, '.env.test'), readFileSync(join(cwd, '.env')));
      const start = await run(['serve'], { cwd, env });
      expect(start.code).to.equal(78);
      expect(start.stderr).to.include('JWT_SECRET_KEY_PREVIOUS').and.include('--emergency');
      const { code, stderr } = await key(['rotate', '--emergency', '--yes']);
      expect([code, stderr.includes('Start the service again')]).to.deep.equal([0, true]);
      await served();
    });
  });

  describe('import', () => {
    it('publishes a key from a file or from standard input as the next one', async () => {
      await served();
      const file = join(cwd, 'key.pem');
      writeFileSync(file, newPem());
      const { code, stdout, stderr } = await key(['import', file]);
      expect([code, stderr.startsWith('Published ')]).to.deep.equal([0, true]);
      expect(stdout).to.include('signs (ES256)');
      const rows = await listed();
      expect(rows.map(({ state }) => state)).to.deep.equal(['signing', 'published']);
      const again = await key(['import', '-'], newPem());
      expect(again.code).to.equal(1);
      expect(again.stderr).to.include('waits for its turn').and.include('Nothing was changed');
      expect(await listed()).to.deep.equal(rows);
    });

    it('signs with it at once where it is the first key of all', async () => {
      const { code, stdout } = await key(['import', '-', '--json'], newPem());
      expect(code).to.equal(0);
      const outcome: unknown = JSON.parse(stdout);
      expect(outcome).to.have.property('changed', true);
      const [row] = await listed();
      expect(row).to.include({ state: 'signing' });
      expect(outcome).to.have.nested.property('next.kid', row?.['kid']);
      await served();
      expect(await listed()).to.have.length(1);
    });

    it('refuses what is no good key in one sentence, and shows nothing of it', async () => {
      await served();
      const before = stored();
      for (const [text, says] of [
        ['', 'empty'],
        ['hunter2-hunter2', 'neither a PEM nor a JWK'],
        [newPem().slice(0, 100), 'cut off'],
        ['{"kty":"oct","k":"aHVudGVyMg"}', 'shared secret'],
      ] as const) {
        const { code, stdout, stderr } = await key(['import', '-'], text);
        expect([code, stdout]).to.deep.equal([1, '']);
        expect(stderr)
          .to.include(says)
          .and.match(/^[^\n]+\n$/);
        if (text !== '') expect(stderr).not.to.include(text);
      }
      expect((await key(['import', 'missing.pem'])).stderr).to.include('ENOENT');
      expect((await key(['import', '-', '--algorithm', 'ES512'], newPem())).code).to.equal(2);
      expect(stored()).to.deep.equal(before);
    });
  });

  describe('export', () => {
    it('prints the public half as a JWK, which is what the service publishes, or as a PEM', async () => {
      await using service = await serve({ cwd, env });
      const set: unknown = await (await fetch(`${service.url}/.well-known/jwks.json`)).json();
      const [row] = await listed();
      const kid = String(row?.['kid']);
      const jwk = await key(['export', kid]);
      expect([jwk.code, jwk.stderr]).to.deep.equal([0, '']);
      expect(set).to.deep.equal({ keys: [JSON.parse(jwk.stdout)] });
      const pem = await key(['export', kid, '--format', 'pem']);
      expect(pem.stdout).to.match(
        /^-----BEGIN PUBLIC KEY-----\n[\w+/=\n]+-----END PUBLIC KEY-----\n$/,
      );
    });

    it('prints the private half only when it is asked for, in a form that can be imported', async () => {
      await served();
      const [row] = await listed();
      const kid = String(row?.['kid']);
      for (const format of ['jwk', 'pem']) {
        const { stdout, stderr } = await key(['export', kid, '--private', '--format', format]);
        expect(stderr).to.include('private key');
        const known = await key(['import', '-'], stdout);
        expect(known.stderr).to.include(`The key ${kid} is known already`);
      }
      const done = await doneByCommand(cwd);
      expect(done.map(({ event, subject }) => [event, subject?.id])).to.deep.equal([
        ['key.exported', kid],
        ['key.exported', kid],
      ]);
    });

    it('never prints a shared secret, and knows no other key', async () => {
      env = {};
      await served();
      const [row] = await listed();
      const secret = await key(['export', String(row?.['kid']), '--private']);
      expect([secret.code, secret.stdout]).to.deep.equal([1, '']);
      expect(secret.stderr).to.include('shared secret');
      const unknown = await key(['export', 'nobody']);
      expect([unknown.code, unknown.stderr]).to.deep.equal([1, 'There is no key of that id.\n']);
    });

    it('says which setting is wrong when the private half cannot be decrypted', async () => {
      await served();
      const [row] = await listed();
      env['KEY_ENCRYPTION_SECRET'] = freshSecret();
      const { code, stdout, stderr } = await key(['export', String(row?.['kid']), '--private']);
      expect([code, stdout]).to.deep.equal([78, '']);
      expect(stderr).to.include('KEY_ENCRYPTION_SECRET').and.include(row?.['kid']);
    });
  });
});
