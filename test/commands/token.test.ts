import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { Client } from '../support/client.ts';
import { inTurns, PROGRAM, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('coatcheck token', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  const env = { PUBLIC_URL: 'http://localhost:3999' };
  const token = (args: string[], stdin = '') => run(['token', ...args], { cwd, env, stdin });
  let jwt: string;
  let secret: string;

  before(async () => {
    await run(['init'], { cwd });
    secret = parse(readFileSync(join(cwd, '.env')))['JWT_SECRET_KEY'] ?? '';
    await using service = await serve({ cwd, env });
    const client = new Client(service.url);
    await client.get('/auth/bypass?token=ada');
    jwt = await client.token();
  });
  after(() => directory[Symbol.dispose]());

  /** The same token with other claims, signed with the right key. */
  function resigned(change: Record<string, unknown>): string {
    const [header = '', payload = ''] = jwt.split('.');
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims !== 'object') throw new Error('no claims');
    const changed = Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
    const signature = createHmac('sha256', secret)
      .update(`${header}.${changed}`)
      .digest('base64url');
    return `${header}.${changed}.${signature}`;
  }

  describe('inspect', () => {
    it('shows header, claims and times of a token, and says that it checked nothing', async () => {
      const { code, stdout, stderr } = await token(['inspect', jwt]);
      expect([code, stderr]).to.deep.equal([
        0,
        'Not checked: "coatcheck token verify" does that.\n',
      ]);
      expect(stdout).to.include('"alg": "HS256"').and.include('"username": "ada"');
      expect(stdout).to.match(/^exp {7}\d{4}-\d\d-\d\dT\S+Z, in 5 hours 59 minutes$/m);
      expect(stdout).not.to.include(jwt.split('.')[2]);
    });

    it('reads standard input, blanks around the token included, and prints JSON', async () => {
      const { code, stdout, stderr } = await token(['inspect', '--json'], `\n  ${jwt}\n\n`);
      expect([code, stderr]).to.deep.equal([0, '']);
      const parts: unknown = JSON.parse(stdout);
      expect(parts).to.have.all.keys('header', 'claims');
      expect(parts).to.have.nested.property('claims.username', 'ada');
    });

    it('needs no settings and writes no file', async () => {
      using empty = temporaryDirectory();
      const strange = { cwd: empty.path, env: { NODE_ENV: 'nonsense' } };
      expect((await run(['token', 'inspect', jwt], strange)).code).to.equal(0);
    });

    it('refuses what is no token', async () => {
      const [header = '', claims = ''] = jwt.split('.');
      const junk = {
        '': 'Nothing was pasted',
        'a.b.c': 'lost characters',
        [`${header}.${claims}`]: 'the signature is missing',
        [`${jwt}.x`]: 'three parts',
        'W10.W10.AAAA': 'no object',
      };
      await inTurns(Object.entries(junk), async ([text, reason]) => {
        const { code, stdout, stderr } = await token(['inspect'], text);
        expect([code, stdout], text).to.deep.equal([1, '']);
        expect(stderr)
          .to.include(reason)
          .and.match(/^[^\n]+\n$/);
      });
    });

    it('shows no escape sequence of a claim raw', async () => {
      const hostile = resigned({
        username: 'a\u001b[2J\u009b2J\u202eb',
        sub: '\u009b31m',
        iat: 9e99,
      });
      await inTurns(
        [
          ['inspect', hostile],
          ['inspect', '--json', hostile],
          ['verify', hostile],
        ],
        async (args) => {
          const { stdout, stderr } = await token(args);
          expect(stdout + stderr).to.match(/^[\P{C}\n]+$/u);
        },
      );
    });
  });

  describe('verify', () => {
    it('accepts a token of this service, from the argument and from standard input', async () => {
      const fromArgument = await token(['verify', jwt]);
      const fromInput = await token(['verify', '--json'], `${jwt}\n`);
      expect([fromArgument.code, fromArgument.stderr]).to.deep.equal([0, '']);
      expect(fromArgument.stdout).to.match(/^Good until \S+\. The user: [0-9a-f-]{36}\.\n$/);
      const claims: unknown = JSON.parse(fromInput.stdout);
      expect(claims).to.include({ iss: 'http://localhost:3999', username: 'ada' });
    });

    it('refuses one that is altered, expired, from elsewhere or no token, saying which, exit code 1', async () => {
      const [header = '', claims = '', signature = ''] = jwt.split('.');
      const flipped = signature.startsWith('A') ? 'B' : 'A';
      const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
      const bad = {
        [`${header}.${claims}.${flipped}${signature.slice(1)}`]: 'signature',
        [resigned({ exp: 1000 })]: 'expired',
        [resigned({ iss: 'http://localhost:4000' })]:
          'it is "http://localhost:4000", and expected is "http://localhost:3999"',
        [resigned({ sid: undefined })]: 'sid',
        [`${none}.${claims}.AA`]: 'anyone could have written it',
        '': 'Nothing was pasted',
      };
      await inTurns(Object.entries(bad), async ([text, reason]) => {
        const { code, stdout, stderr } = await token(['verify'], text);
        expect([code, stdout], reason).to.deep.equal([1, '']);
        expect(stderr)
          .to.include(reason)
          .and.match(/^[^\n]+\n$/);
      });
    });

    it('names all the reasons, each on a line, without an escape sequence of the token', async () => {
      const bad = resigned({ exp: 1000, iss: 'http://\u001b[2Jlocalhost:4000', jti: 5 });
      const { code, stderr } = await token(['verify'], bad);
      expect(code).to.equal(1);
      expect(stderr.split('\n')).to.have.length(4);
      expect(stderr).to.match(/^It expired \d+ years .* ago, at 1970-01-01 00:16:40 UTC\.$/m);
      expect(stderr).to.include('"http://\\u001b[2Jlocalhost:4000"').and.include('"jti"');
    });

    it('refuses every token once the secret is another', async () => {
      const other = { ...env, JWT_SECRET_KEY: secret.split('').toReversed().join('') };
      const { code, stderr } = await run(['token', 'verify', jwt], { cwd, env: other });
      expect(code).to.equal(1);
      expect(stderr).to.include('its secret is none of the settings');
    });
  });

  it('ends quietly when nobody reads on, and says so when there is no room for what it prints', () => {
    const inspect = `"${process.execPath}" "${PROGRAM}" token inspect ${jwt}`;
    const outcome = (command: string) => {
      const { status, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', command], { cwd });
      return { status, said: String(stderr).split('\n').slice(1, -1) };
    };
    expect(outcome(`${inspect} | true`)).to.deep.equal({ status: 0, said: [] });
    if (!existsSync('/dev/full')) return;
    const said = ['ENOSPC: no space left on device, write'];
    expect(outcome(`${inspect} > /dev/full`)).to.deep.equal({ status: 1, said });
  });
});
