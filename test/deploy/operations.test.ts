import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { parse as parseEnv } from 'dotenv';
import { loadSettings } from '../../config/settings.ts';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { cleanEnvironment, PROGRAM, ROOT, serve, type Served } from '../support/command.ts';
import { administer, onEngines } from '../support/database.ts';
import { temporaryDirectory } from '../support/directory.ts';

const document = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');

/** The shell blocks under a heading. */
function blocks(heading: string): string[] {
  const [, section = ''] = document.split(`\n## ${heading}\n`);
  const [part = ''] = section.split('\n## ');
  return [...part.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code = '']) => code);
}

/** The block with each of these in it replaced. @throws for one that is not there */
function changed(block: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((code, [from, to]) => {
    if (!code.includes(from)) throw new Error(`"${from}" is not in: ${block}`);
    return code.replaceAll(from, to);
  }, block);
}

async function shell(script: string, cwd: string, stdin = ''): Promise<string> {
  const { PATH = '', ...env } = cleanEnvironment();
  const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    cwd,
    env: { ...env, PATH: `${dirname(process.execPath)}:${PATH}` },
  });
  child.stdin.end(stdin);
  const [out, said] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect(child.exitCode, `${script}\n${said}`).to.equal(0);
  return out + said;
}

const [, settings = '', install = '', alias = ''] = blocks('With systemd');
const PROXIED = { 'X-Forwarded-Proto': 'https' };

describe('docs/operations.md', function () {
  this.timeout(120_000);
  let directory: ReturnType<typeof temporaryDirectory>;
  let etc: string;
  let state: string;
  let backups: string;
  beforeEach(async () => {
    directory = temporaryDirectory();
    [etc, state, backups] = [
      join(directory.path, 'etc'),
      join(directory.path, 'state'),
      join(directory.path, 'backups'),
    ];
    for (const path of [etc, state, backups]) mkdirSync(path);
    const here = { '/etc/coatcheck': etc, '/var/lib/coatcheck': state, 'chgrp coatcheck': 'ls' };
    await shell(changed(settings, here), directory.path);
  });
  afterEach(() => directory[Symbol.dispose]());

  /** Runs a block in which `coatcheck` is what the page says that it stands for. */
  function type(block: string, stdin = ''): Promise<string> {
    const coatcheck = changed(alias, {
      '/etc/coatcheck': etc,
      '/var/lib/coatcheck': state,
      'sudo -u coatcheck ': '',
      '/opt/coatcheck/bin/coatcheck.ts': PROGRAM,
    });
    return shell(coatcheck + block, directory.path, stdin);
  }

  function start(): Promise<Served> {
    const envFile = `--env-file=${join(etc, 'coatcheck.env')}`;
    return serve({ cwd: state, command: [process.execPath, envFile, PROGRAM] });
  }

  async function signedIn({ url }: Served): Promise<Client> {
    const client = new Client(url);
    const credentials = { username: 'ada', password: PASSWORD };
    expect((await client.post('/auth/login', credentials, PROXIED)).status).to.equal(200);
    return client;
  }

  /** What an exchange of that client's session answers at another process. */
  async function exchangeAt({ url }: Served, { cookies }: Client): Promise<number> {
    const client = new Client(url);
    for (const [name, value] of cookies) client.cookies.set(name, value);
    return (await client.get('/auth/token', PROXIED)).status;
  }

  it('makes settings that production is content with, for its group alone', () => {
    const file = join(etc, 'coatcheck.env');
    expect(statSync(file).mode & 0o777).to.equal(0o640);
    expect(loadSettings(parseEnv(readFileSync(file)), etc).mode).to.equal('production');
  });

  it('names files that are there', () => {
    const named = [install, alias].join().matchAll(/\/opt\/coatcheck\/(\S+)/g);
    const files = [...named].map(([, file = '']) => file);
    expect(files).to.have.length(2);
    for (const file of files) expect(existsSync(join(ROOT, file)), file).to.equal(true);
  });

  it('makes secrets for compose.yaml that it finds and others cannot read', async () => {
    const [block = ''] = blocks('With Docker');
    await shell(block, directory.path);
    const secrets = join(directory.path, 'secrets');
    expect(readdirSync(secrets).toSorted()).to.deep.equal(['coatcheck.env', 'postgres-password']);
    expect(statSync(secrets).mode & 0o777).to.equal(0o700);
    expect(statSync(join(secrets, 'coatcheck.env')).mode & 0o777).to.equal(0o600);
    const password = readFileSync(join(secrets, 'postgres-password'), 'utf8').trim();
    const compose = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
    for (const file of readdirSync(secrets)) expect(compose).to.include(`secrets/${file}`);
    const env = readFileSync(join(secrets, 'coatcheck.env'), 'utf8');
    expect(env).to.include(`DATABASE_URL=postgres://coatcheck:${password}@postgres/coatcheck\n`);
    expect(compose)
      .to.match(/^ {2}postgres:$/m)
      .and.match(/^ {2}valkey:$/m);
  });

  describe('a backup under load, restored after a crash', () => {
    const [backup = ''] = blocks('Backup with SQLite');
    const [restore = ''] = blocks('Restore with SQLite');
    let stays: Client;
    let leaves: Client;
    let late: Client;

    /** Restores as the page says. @param more what is changed in it besides */
    function restored(more: Record<string, string> = {}): Promise<string> {
      const block = changed(restore, {
        'systemctl stop coatcheck\n': '',
        'systemctl start coatcheck\n': '',
        ' -o coatcheck -g coatcheck': '',
        '/var/lib/coatcheck': state,
        '/var/backups/coatcheck/2026-11-25.db': join(backups, readdirSync(backups)[0] ?? ''),
        ...more,
      });
      return type(block);
    }

    beforeEach(async () => {
      await type('coatcheck user add ada', PASSWORD);
      await using service = await start();
      [stays, leaves] = [await signedIn(service), await signedIn(service)];
      const load = { over: false, statuses: new Set<number>(), logins: 0 };
      const exchanging = (async () => {
        while (!load.over) load.statuses.add(await exchangeAt(service, stays));
      })();
      const signingIn = (async () => {
        while (!load.over) {
          await signedIn(service);
          load.logins += 1;
        }
      })();
      const said = await type(changed(backup, { '/var/backups/coatcheck': backups }));
      load.over = true;
      await Promise.all([exchanging, signingIn]);
      expect([...load.statuses]).to.deep.equal([200]);
      expect(load.logins).to.be.at.least(1);
      expect(said).to.match(/^Backed up 1 user and \d+ sessions? to /);

      const logout = await leaves.clone().request('POST', '/auth/logout', PROXIED); // keeps the cookie
      expect(logout.status).to.equal(204);
      expect(await exchangeAt(service, leaves)).to.equal(401);
      late = await signedIn(service);
      await type('coatcheck user add eve', PASSWORD);
      await service.stop('SIGKILL');
      expect(existsSync(join(state, 'coatcheck.db-wal')), 'a log of the crash').to.equal(true);
    });

    it('has everybody sign in anew, with the passwords of then', async () => {
      expect(await restored()).to.match(
        /^Ended all sessions: the tokens of \d+ sessions are revoked\.\n$/,
      );
      expect(readdirSync(join(state, 'before-restore'))).to.include('coatcheck.db-wal');
      await using service = await start();
      for (const client of [stays, leaves, late]) {
        expect(await exchangeAt(service, client)).to.equal(401);
      }
      expect(await exchangeAt(service, await signedIn(service))).to.equal(200);
      expect(await type('coatcheck user list'))
        .to.include('ada')
        .and.not.include('eve');
      expectSound(join(state, 'coatcheck.db'));
    });

    it('would let the sessions of then go on, logouts undone, without that one line', async () => {
      await restored({ 'coatcheck session revoke --all\n': '' });
      await using service = await start();
      const answers = [stays, leaves, late].map((client) => exchangeAt(service, client));
      expect(await Promise.all(answers)).to.deep.equal([200, 200, 401]);
      expectSound(join(state, 'coatcheck.db'));
    });
  });

  describe('PostgreSQL', () => {
    onEngines(
      () =>
        it(
          'is backed up and restored by its own programs, with what a restore undoes',
          restoredOnPostgres,
        ),
      ['PostgreSQL'],
    );

    async function restoredOnPostgres(this: Mocha.Context): Promise<void> {
      if (spawnSync('pg_dump', ['--version']).status !== 0) {
        process.stderr.write('pg_dump is not on this machine.\n');
        this.skip();
      }
      const [backup = '', restore = ''] = blocks('Backup and restore with PostgreSQL');
      const name = `coatcheck_test_${randomBytes(8).toString('hex')}`;
      const url = `postgres://postgres@127.0.0.1:5432/${name}?connect_timeout=30&statement_timeout=30000`;
      const file = join(etc, 'coatcheck.env');
      const written = readFileSync(file, 'utf8');
      writeFileSync(file, written.replace(/^DATABASE_URL=.*$/m, `DATABASE_URL=${url}`));
      const server = 'export PGHOST=127.0.0.1 PGUSER=postgres\n';
      await administer(`create database ${name}`);
      try {
        await type('coatcheck user add ada', PASSWORD);
        const [stays, leaves, late] = await beforeTheRestore();
        await type(
          server +
            changed(restore, {
              '--owner=coatcheck coatcheck\n': `--owner=postgres ${name}\n`,
              'database coatcheck rename to coatcheck_before': `database ${name} rename to ${name}_before`,
              '--role=coatcheck --dbname=coatcheck ': `--role=postgres --dbname=${name} `,
            }),
        );
        await using service = await start();
        const answers = [stays, leaves, late].map((client) => exchangeAt(service, client));
        expect(await Promise.all(answers)).to.deep.equal([200, 200, 401]);
        expect(await type('coatcheck user list'))
          .to.include('ada')
          .and.not.include('eve');
        expect(await type('coatcheck session revoke --all')).to.equal(
          'Ended all sessions: the tokens of 2 sessions are revoked.\n',
        );
        expect(await exchangeAt(service, stays)).to.equal(401);
        expect(await exchangeAt(service, await signedIn(service))).to.equal(200);
      } finally {
        for (const one of [name, `${name}_before`]) {
          await administer(`drop database if exists ${one} with (force)`);
        }
      }

      async function beforeTheRestore(): Promise<[Client, Client, Client]> {
        await using service = await start();
        const [stays, leaves] = [await signedIn(service), await signedIn(service)];
        await type(server + changed(backup, { 'dump coatcheck\n': `dump ${name}\n` }));
        const logout = await leaves.clone().request('POST', '/auth/logout', PROXIED);
        expect(logout.status).to.equal(204);
        const late = await signedIn(service);
        await type('coatcheck user add eve', PASSWORD);
        return [stays, leaves, late];
      }
    }
  });
});

function expectSound(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  const answer = database.prepare('pragma integrity_check').all();
  database.close();
  expect(answer).to.deep.equal([{ integrity_check: 'ok' }]);
}
