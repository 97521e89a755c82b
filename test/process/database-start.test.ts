import { createServer } from 'node:net';
import { once } from 'node:events';
import { spawnSync } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { inTurns, launch, run } from '../support/command.ts';
import { administer } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';
import {
  newPostgres,
  type PostgresServer,
  skipWithoutPostgresServer,
} from '../support/postgres-server.ts';

const PASSWORD = 'unguessable-of-the-database';

describe('a start', function () {
  this.timeout(120_000);
  const directory = temporaryDirectory();
  const cwd = directory.path;
  let server: PostgresServer;
  before(async function () {
    skipWithoutPostgresServer(this);
    await run(['init'], { cwd });
    server = await newPostgres();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const surroundings = (url = server.url) => ({ cwd, env: { DATABASE_URL: url } });

  describe('before the database', () => {
    it('waits for it, says so at each try without the password, and serves when it is there', async () => {
      const url = server.url.replace('postgres@', `postgres:${PASSWORD}@`);
      await using service = await launch(surroundings(url));
      await service.said(/waiting for the stores.*waiting for the stores/s);
      server.start();
      try {
        await service.ready();
        const { stdout, stderr, code } = await service.stop();
        expect(code).to.equal(0);
        expect(stdout).to.match(
          /waiting for the stores: The database does not answer \(ECONNREFUSED\)/,
        );
        expect(stdout).to.include(
          `"database":"postgres://postgres@127.0.0.1:${server.port}/postgres"`,
        );
        expect(stdout + stderr).not.to.include(PASSWORD);
      } finally {
        server.stop();
      }
    });

    it('ends at once with SIGTERM', async () => {
      await using service = await launch(surroundings());
      await service.said(/waiting for the stores/);
      const before_ = performance.now();
      const { code, stdout } = await service.stop();
      expect(code).to.equal(0);
      expect(performance.now() - before_).to.be.below(2000);
      expect(stdout).not.to.include('is ready');
    });

    it('ends at once with SIGTERM also in the middle of a try, with a server that says nothing', async () => {
      const silent = createServer(() => undefined).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const address = silent.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const url = `postgres://ada@127.0.0.1:${port}/ada?connect_timeout=60`;
      await using service = await launch(surroundings(url));
      await once(silent, 'connection');
      const before_ = performance.now();
      expect((await service.stop()).code).to.equal(0);
      expect(performance.now() - before_).to.be.below(2000);
      silent.close();
    });

    it('is waited for by "serve" alone: other commands say in one sentence that it is away', async () => {
      const commands = [['user', 'list'], ['migrate'], ['session', 'list'], ['key', 'list']];
      await inTurns(commands, async (command) => {
        const outcome = await run(command, surroundings());
        expect(outcome).to.deep.equal({
          code: 1,
          stdout: '',
          stderr: 'The database does not answer (ECONNREFUSED).\n',
        });
      });
    });
  });

  describe('with a setting that is wrong', () => {
    before(async () => {
      const allow = join(server.directory, 'pg_hba.conf');
      writeFileSync(allow, 'host all guest 127.0.0.1/32 scram-sha-256\n');
      appendFileSync(allow, 'host all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n');
      const openssl =
        'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=elsewhere.example -addext subjectAltName=DNS:elsewhere.example';
      server.start();
      await sql(`create role guest login password '${PASSWORD}'`);
      spawnSync('openssl', [
        ...openssl.split(' '),
        '-keyout',
        join(cwd, 'key'),
        '-out',
        join(cwd, 'cert'),
      ]);
    });
    after(() => server.stop());

    const sql = (statement: string) => administer(statement, server.url);

    /** What "serve" says of a URL before it ends with 78; the password is never in it. */
    async function refusal(url: string): Promise<string> {
      await using service = await launch(surroundings(url));
      const { code, stdout, stderr } = await service.exited;
      expect(code, stdout + stderr).to.equal(78);
      expect(stdout + stderr)
        .not.to.include(PASSWORD)
        .and.not.to.include('wrong-one');
      return stderr;
    }

    it('says which: the scheme, the password, the user, the database, the host, TLS', async () => {
      const where = `127.0.0.1:${server.port}`;
      const wrong: readonly [string, RegExp][] = [
        [
          `mysql://guest:${PASSWORD}@${where}/postgres`,
          /DATABASE_URL must be sqlite:.* or postgres:/,
        ],
        [
          `postgres://guest:wrong-one@${where}/postgres`,
          /DATABASE_URL has a wrong user or password/,
        ],
        [
          `postgres://guest@${where}/postgres`,
          /DATABASE_URL has a wrong user or password, or none/,
        ],
        [`postgres://nobody:wrong-one@${where}/postgres`, /DATABASE_URL is refused .*no such user/],
        [
          `postgres://guest:${PASSWORD}@${where}/nowhere`,
          /names a database that is not there: .*createdb/,
        ],
        [`postgres://guest:${PASSWORD}@host.invalid/postgres`, /names a host that is not known/],
        [
          `postgres://guest:${PASSWORD}@${where}/postgres?sslmode=require`,
          /asks for TLS \(sslmode\), which the server does not offer/,
        ],
        [
          `postgres://guest:${PASSWORD}@${where}/postgres?sslmode=strict`,
          /has a wrong sslmode: it must be one of disable, require/,
        ],
        [
          `postgres://guest:${PASSWORD}@${where}/postgres?sslmode=verify-ca&sslrootcert=/nowhere`,
          /names a certificate that cannot be read: .*\/nowhere/,
        ],
      ];
      await inTurns(wrong, async ([url, sentence]) => {
        expect(await refusal(url)).to.match(sentence);
      });
    });

    it('tells a certificate of somebody else from the right one', async function () {
      const [cert, key] = [join(cwd, 'cert'), join(cwd, 'key')];
      const where = `127.0.0.1:${server.port}`;
      const withTls = (mode: string) => `postgres://postgres@${where}/postgres?sslmode=${mode}`;
      for (const [name, file] of [
        ['ssl_cert_file', cert],
        ['ssl_key_file', key],
      ] as const) {
        const copy = join(server.directory, name);
        spawnSync('cp', [file, copy]);
        spawnSync('chown', ['--reference', server.directory, copy]);
        spawnSync('chmod', ['600', copy]);
        await sql(`alter system set ${name} = '${copy}'`);
      }
      await sql('alter system set ssl = on');
      server.stop();
      server.start();
      for (const mode of ['verify-full', `verify-full&sslrootcert=${cert}`]) {
        expect(await refusal(withTls(mode)), mode).to.match(
          /asks for TLS that the server does not pass/,
        );
      }
      for (const mode of [
        'require',
        `require&sslrootcert=${cert}`,
        `verify-ca&sslrootcert=${cert}`,
      ]) {
        const { code, stderr } = await run(['user', 'list'], surroundings(withTls(mode)));
        expect([code, stderr], mode).to.deep.equal([0, '']);
      }
    });
  });

  it('of two processes at once on an empty database: one migrates, both serve', async () => {
    server.start();
    try {
      const file = join(cwd, 'both.db');
      const patient = `${server.url}?connect_timeout=30&statement_timeout=30000`;
      for (const url of [patient, `sqlite:${file}`]) {
        await using one = await launch(surroundings(url));
        await using other = await launch(surroundings(url));
        await Promise.all([one.ready(), other.ready()]);
        const { code, stderr } = await run(['migrate'], surroundings(url));
        expect([code, stderr], url).to.deep.equal([0, 'The tables were up to date.\n']);
        for (const service of [one, other]) {
          expect((await service.stop()).stdout).not.to.include('"level":50');
        }
      }
    } finally {
      server.stop();
    }
  });
});
