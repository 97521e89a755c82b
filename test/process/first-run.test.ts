import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'dotenv';
import { PASSWORD } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { type Outcome, ROOT, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';

const secret = () => randomBytes(32).toString('hex');

/** Settings that production is content with, behind a reverse proxy on this machine. */
const production = () => ({
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://login.example.org',
  TRUST_PROXY: '127.0.0.1',
  SESSION_SECRET: secret(),
  JWT_SECRET_KEY: secret(),
});

describe('a service in a directory of its own', function () {
  this.timeout(120_000);
  let directory: ReturnType<typeof temporaryDirectory>;
  let cwd: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    cwd = directory.path;
  });
  afterEach(() => directory[Symbol.dispose]());

  it('writes .env at its first start, goes on with it, and tells no secret', async () => {
    await using service = await serve({ cwd });
    expect(statSync(join(cwd, '.env')).mode & 0o777).to.equal(0o600);
    expect((await new Client(service.url).get('/auth/bypass?token=ada')).status).to.equal(200);
    const outcome = await service.stop();
    expect(outcome.code).to.equal(0);
    expect(outcome.stderr).to.match(/^First run: wrote [^\n]+\/\.env from \.env\.example[^\n]+\n$/);
    expectNoSecret(outcome, cwd);
  });

  it('keeps .env, users and sessions from one start to the next', async () => {
    const client = new Client('');
    const before = await usingService(async (first) => {
      first.cookies.clear();
      const body = await bodyOf(await first.get('/auth/bypass?token=ada'));
      for (const [name, value] of first.cookies) client.cookies.set(name, value);
      return { user: body['user'], env: readFileSync(join(cwd, '.env'), 'utf8') };
    });
    const after = await usingService(async (second) => {
      for (const [name, value] of client.cookies) second.cookies.set(name, value);
      const response = await second.get('/auth/session');
      expect(response.status).to.equal(200);
      expect((await second.get('/auth/token')).status).to.equal(200);
      return {
        user: (await bodyOf(response))['user'],
        env: readFileSync(join(cwd, '.env'), 'utf8'),
      };
    });
    expect(after).to.deep.equal(before);
  });

  /** Starts, lets a client work, and stops. */
  async function usingService<T>(work: (client: Client) => Promise<T>): Promise<T> {
    await using service = await serve({ cwd });
    const result = await work(new Client(service.url));
    const outcome = await service.stop();
    expect(outcome.code).to.equal(0);
    expectNoSecret(outcome, cwd);
    return result;
  }

  it('writes nothing in production, and says what is missing', async () => {
    const outcome = await run(['serve'], { cwd, env: { NODE_ENV: 'production' } });
    expect([outcome.code, outcome.stdout]).to.deep.equal([78, '']);
    for (const name of ['SESSION_SECRET', 'JWT_SECRET_KEY', 'PUBLIC_URL']) {
      expect(outcome.stderr).to.include(`  - ${name} is required`);
    }
    expect(readdirSync(cwd)).to.deep.equal([]);
  });

  it('refuses the bypass in production, naming both settings', async () => {
    const env = { ...production(), BYPASS_AUTH: 'true' };
    const outcome = await run(['serve'], { cwd, env });
    expect(outcome.code).to.equal(78);
    expect(outcome.stderr).to.include('BYPASS_AUTH').and.include('NODE_ENV=production');
    expectNone([env.SESSION_SECRET, env.JWT_SECRET_KEY], outcome);
    expect(readdirSync(cwd)).to.deep.equal([]);
  });

  it('serves production behind a proxy: no bypass, and a cookie for https alone', async () => {
    const env = production();
    const added = await run(['user', 'add', 'ada'], { cwd, env, stdin: PASSWORD });
    expect(added.code).to.equal(0);
    await using service = await serve({ cwd, env });
    const client = new Client(service.url);
    expect((await client.get('/auth/bypass?token=ada')).status).to.equal(404);

    const credentials = { username: 'ada', password: PASSWORD };
    const proxied = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.9' };
    expect((await client.post('/auth/login', credentials)).status, 'not by https').to.equal(400);
    const login = await client.post('/auth/login', credentials, proxied);
    expect(login.status).to.equal(200);
    const cookies = login.headers.getSetCookie();
    const cookie = cookies.find((one) => one.startsWith('__Host-session=')) ?? '';
    expect(cookie).to.match(
      /^__Host-session=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect((await client.get('/auth/token', proxied)).status).to.equal(200);

    const outcome = await service.stop();
    expect(outcome.code).to.equal(0);
    const [, value = ''] = /=([^;]+)/.exec(cookie) ?? [];
    expectNone([env.SESSION_SECRET, env.JWT_SECRET_KEY, PASSWORD, value], outcome);
    expect(existsSync(join(cwd, '.env'))).to.be.false;
  });

  describe('whose build does not contain the bypass', () => {
    const left = ['.git', '.ci', 'node_modules', 'test', 'bench', 'docs', 'examples', 'coverage'];
    const tree = () => join(cwd, 'build');
    const program = () => join(tree(), 'bin', 'coatcheck.ts');
    beforeEach(() => {
      for (const name of readdirSync(ROOT)) {
        if (left.includes(name) || (name.startsWith('.env') && name !== '.env.example')) continue;
        cpSync(join(ROOT, name), join(tree(), name), {
          recursive: true,
          filter: (path) => !path.endsWith(join('strategies', 'bypass.ts')),
        });
      }
      symlinkSync(join(ROOT, 'node_modules'), join(tree(), 'node_modules'));
    });

    it('refuses to start with BYPASS_AUTH=true, and says so', async () => {
      const { code, stderr } = await run(['serve'], { cwd, program: program() });
      expect(code).to.equal(78);
      expect(stderr).to.include(
        'BYPASS_AUTH must not be true here: this build does not contain the bypass',
      );
    });

    it('does everything else', async () => {
      const surroundings = { cwd, program: program(), env: { BYPASS_AUTH: 'false' } };
      await run(['user', 'add', 'ada'], { ...surroundings, stdin: PASSWORD });
      await using service = await serve(surroundings);
      const client = new Client(service.url);
      expect((await client.get('/auth/bypass?token=ada')).status).to.equal(404);
      expect((await client.login('ada', PASSWORD)).status).to.equal(200);
      const Authorization = `Bearer ${await client.token()}`;
      expect((await client.get('/auth/me', { Authorization })).status).to.equal(200);
    });
  });
});

/** Neither stream may hold a secret of the `.env` that was written. */
function expectNoSecret(outcome: Outcome, cwd: string): void {
  const { SESSION_SECRET = '', JWT_SECRET_KEY = '' } = parse(readFileSync(join(cwd, '.env')));
  expect([SESSION_SECRET.length, JWT_SECRET_KEY.length]).to.deep.equal([128, 128]);
  expectNone([SESSION_SECRET, JWT_SECRET_KEY], outcome);
}

function expectNone(secrets: readonly string[], { stdout, stderr }: Outcome): void {
  const told = secrets.filter((text) => (stdout + stderr).includes(text));
  expect(told, 'secrets in the output').to.deep.equal([]);
}
