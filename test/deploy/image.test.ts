import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import lock from '../../package-lock.json' with { type: 'json' };
import { PASSWORD } from '../support/app.ts';
import { bodyOf, Client } from '../support/client.ts';
import { logLines, ROOT, run, serve } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import {
  buildContext,
  canConfine,
  confined,
  copyContext,
  Image,
  instructions,
  words,
} from '../support/image.ts';

const dockerfile = instructions(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
const tracked = execFileSync('git', [
  'ls-files',
  '-z',
  '--cached',
  '--others',
  '--exclude-standard',
])
  .toString()
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

/** The values of all instructions of that name. */
const all = (name: string) =>
  dockerfile.filter((one) => one.name === name).map(({ value }) => value);
/** The value of the last one, which is what counts. */
const last = (name: string) => all(name).at(-1) ?? '';

describe('the Dockerfile', () => {
  it('takes the version of Node that the tests run on, in both stages', () => {
    const { version } = lock.packages['node_modules/node'];
    const bases = all('FROM').map((value) => value.split(' ', 1).join());
    expect(bases).to.have.length(2);
    for (const base of bases) expect(base).to.match(new RegExp(`^node:${version}-\\w+-slim$`));
  });

  it('runs as nobody in particular, in production, and gets signals itself', () => {
    expect(last('USER')).to.match(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    expect(last('ENV')).to.include('NODE_ENV=production');
    expect(last('STOPSIGNAL')).to.equal('SIGTERM');
    expect(words(last('ENTRYPOINT'))).to.deep.equal(['node', '/app/bin/coatcheck.ts']);
    expect(words(last('CMD'))).to.deep.equal(['serve']);
    expect(last('VOLUME')).to.equal('/data');
  });

  it('says nothing of secrets, downloads nothing by itself and runs no script of a package', () => {
    expect(all('ADD').concat(all('ARG'))).to.deep.equal([]);
    for (const value of all('ENV')) expect(value).not.to.match(/SECRET|PASSWORD|TOKEN/);
    const npm = all('RUN').filter((value) => value.startsWith('npm '));
    expect(npm).to.have.length(1);
    expect(npm[0]).to.include('npm ci').and.include('--omit=dev').and.include('--ignore-scripts');
  });
});

describe('.dockerignore', () => {
  const planted = [
    '.env',
    '.env.production',
    '.git/config',
    'config/.env',
    'data/coatcheck.db',
    'node_modules/express/index.js',
    'packages/verify/dist/index.js',
    'secrets/coatcheck.env',
    'coverage/index.html',
    'views/.env.local',
  ];

  it('lets no bypass, no test, no secret and nothing through that is not needed', () => {
    const sent = buildContext([...tracked, ...planted], ignore);
    const roots = new Set(sent.map((file) => file.replace(/\/.*/, '')));
    expect([...roots].toSorted()).to.deep.equal(
      'LICENSE app.ts audit bin commands config core package-lock.json package.json packages routes sessions storage tokens users views'.split(
        ' ',
      ),
    );
    expect(sent.filter((file) => planted.includes(file))).to.deep.equal([]);
    const unwanted =
      /\.env|strategies\/bypass|bypass\.eta|\.test\.ts$|(^|\/)(test|testing|dist)\/|\.md$/;
    expect(sent.filter((file) => unwanted.test(file))).to.deep.equal([]);
  });

  it('leaves out the bypass alone of what production is made of', () => {
    const rooms =
      /^(?:app\.ts$|(?:audit|bin|commands|config|core|routes|sessions|storage|tokens|users|views)\/)/;
    const sent = new Set(buildContext(tracked, ignore));
    const missing = tracked.filter((file) => rooms.test(file) && !sent.has(file));
    expect(missing).to.deep.equal(['config/strategies/bypass.ts', 'views/bypass.eta']);
  });
});

describe('the image', function () {
  this.timeout(180_000);
  const directory = temporaryDirectory();
  const secret = () => randomBytes(64).toString('hex');
  const settings = {
    PUBLIC_URL: 'https://login.example.org',
    TRUST_PROXY: '127.0.0.1',
    SESSION_SECRET: secret(),
    JWT_SECRET_KEY: secret(),
    NODE_V8_COVERAGE: '', // it could not be written
  };
  const proxied = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.9' };
  let image: Image;

  before(function () {
    if (!canConfine()) {
      process.stderr.write('Only root, with mounts of its own, can try what the image does.\n');
      this.skip();
    }
    const context = join(directory.path, 'context');
    copyContext(buildContext(tracked, ignore), context);
    const root = join(directory.path, 'image');
    mkdirSync(root);
    execFileSync('chmod', ['755', directory.path]);
    image = new Image(root, context);
    image.build(dockerfile);
  });
  after(() => directory[Symbol.dispose]());

  /** Runs as a container would: that user, that environment, and nothing to write to but the volume. */
  const container = (command = words(last('ENTRYPOINT'))) => ({
    cwd: image.workdir,
    command: [
      ...confined(last('USER'), image.path('/data')),
      image.path('/usr/local/bin/node'),
      ...command.slice(1).map((word) => word.replace(/^\/app\//, `${image.path('/app')}/`)),
    ],
    env: { ...image.environment, ...settings },
  });

  it('has the dependencies of run time and no others', () => {
    const installed = readdirSync(image.path('/app/node_modules'));
    expect(installed).to.include('express').and.include('jose');
    const development = [
      'mocha',
      'chai',
      'typescript',
      'oxlint',
      'node',
      'playwright-core',
      '@types',
    ];
    for (const name of development) expect(installed).not.to.include(name);
  });

  it('has a directory for data that belongs to its user alone', () => {
    const { uid, gid, mode } = statSync(image.path('/data'));
    expect([`${uid}:${gid}`, mode & 0o777]).to.deep.equal([last('USER'), 0o700]);
  });

  it('can write to its volume and to nothing else', () => {
    const attempt = (file: string) => {
      const source = `require('fs').writeFileSync(${JSON.stringify(file)}, '')`;
      const { command, cwd } = container(['node', '--eval', source]);
      return spawnSync(command[0] ?? '', command.slice(1), { cwd }).status;
    };
    expect(attempt(image.path('/data/file'))).to.equal(0);
    for (const file of [
      image.path('/app/file'),
      join(dirname(image.root), 'file'),
      '/tmp/file-of-nobody',
    ]) {
      expect(attempt(file), file).to.equal(1);
    }
  });

  it('signs in, exchanges, is healthy, and ends with 0 on SIGTERM', async () => {
    const added = await run(['user', 'add', 'ada'], { ...container(), stdin: PASSWORD });
    expect([added.code, added.stderr].join()).to.match(/^0,Added ada [^\n]+\n$/);
    const inside = container();
    const settings_ = Object.fromEntries(
      Object.entries(inside.env).filter(([name]) => name !== 'PORT'), // the one that is free here
    );
    await using service = await serve({ ...inside, env: settings_ });
    const uids = /^Uid:\t(\d+)\t/m.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'));
    expect(uids?.[1]).to.equal(last('USER').replace(/:.*/, ''));

    const client = new Client(service.url);
    const login = await client.post(
      '/auth/login',
      { username: 'ada', password: PASSWORD },
      proxied,
    );
    expect(login.status).to.equal(200);
    expect(login.headers.getSetCookie().join('\n')).to.match(/^__Host-session=[^;]+;.*; Secure/m);
    const exchange = await client.get('/auth/token', proxied);
    expect(exchange.status).to.equal(200);
    const Authorization = `Bearer ${String((await bodyOf(exchange))['token'])}`;
    expect((await client.get('/auth/me', { ...proxied, Authorization })).status).to.equal(200);
    for (const path of ['/', '/login', '/account']) {
      expect((await client.get(path, { ...proxied, Accept: 'text/html' })).status, path).to.equal(
        200,
      );
    }
    expect((await client.get('/auth/bypass?token=ada', proxied)).status).to.equal(404);

    const health = (port: number) => {
      const [, check = ''] = last('HEALTHCHECK').split(/ CMD /);
      const { command, cwd, env } = container(words(check));
      return spawnSync(command[0] ?? '', command.slice(1), {
        cwd,
        env: { PATH: process.env['PATH'] ?? '', ...env, PORT: String(port) },
      }).status;
    };
    expect(health(service.port)).to.equal(0);
    const { code, stdout, stderr } = await service.stop();
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(logLines(stdout).at(-1)).to.include({ msg: 'stopped' });
    expect(health(service.port)).to.equal(1);
  });

  it('security 2: has no bypass to switch on, whatever it is told', async () => {
    const { env, ...surroundings } = container();
    const development = {
      ...env,
      NODE_ENV: 'development',
      BYPASS_AUTH: 'true',
      HOST: '127.0.0.1',
      PORT: '0',
      PUBLIC_URL: 'http://localhost:3000',
      TRUST_PROXY: '',
    };
    const { code, stderr } = await run(['serve'], { ...surroundings, env: development });
    expect(code).to.equal(78);
    expect(stderr).to.include('this build does not contain the bypass');

    const production = { ...env, PORT: '0', BYPASS_AUTH: 'true' };
    expect((await run(['serve'], { ...surroundings, env: production })).code).to.equal(78);
  });

  it('says what is missing and ends with 78 when it is given no settings', async () => {
    const { env: _, ...surroundings } = container();
    const outcome = await run(['serve'], { ...surroundings, env: { ...image.environment } });
    expect([outcome.code, outcome.stdout]).to.deep.equal([78, '']);
    expect(outcome.stderr).to.include('PUBLIC_URL is required');
  });
});
