import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { ofPostgres } from '../../commands/backup.ts';
import { PASSWORD } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { run, serve, type Served } from '../support/command.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { hasPseudoTerminal, runOnTerminal } from '../support/pseudo-terminal.ts';

describe('coatcheck backup', function () {
  this.timeout(120_000);
  let directory: ReturnType<typeof temporaryDirectory>;
  let cwd: string;
  beforeEach(async () => {
    directory = temporaryDirectory();
    cwd = directory.path;
    await run(['user', 'add', 'ada'], { cwd, stdin: PASSWORD });
  });
  afterEach(() => directory[Symbol.dispose]());
  const backup = (...args: string[]) => run(['backup', ...args], { cwd });
  const database = () => join(cwd, 'data', 'coatcheck.db');

  async function signedIn({ url }: Served, name: string): Promise<Client> {
    const client = new Client(url);
    expect((await client.get(`/auth/bypass?token=${name}`)).status).to.equal(200);
    return client;
  }

  it('says what it holds, in one file that only its owner can read', async () => {
    await using service = await serve({ cwd });
    await signedIn(service, 'bob');
    const { code, stdout, stderr } = await backup('copy.db');
    expect([code, stdout]).to.deep.equal([0, '']);
    expect(stderr).to.match(
      /^Backed up 2 users and 1 session to copy\.db, \d+ KiB, and found it sound\.\n$/,
    );
    const { mode, size } = statSync(join(cwd, 'copy.db'));
    expect(mode & 0o777).to.equal(0o600);

    const asJson = await backup('other.db', '--json');
    expect(JSON.parse(asJson.stdout)).to.deep.equal({
      file: 'other.db',
      bytes: size,
      users: 2,
      sessions: 1,
    });
    expect(readdirSync(cwd).toSorted()).to.deep.equal(['.env', 'copy.db', 'data', 'other.db']);
  });

  it('writes over nothing that exists', async () => {
    writeFileSync(join(cwd, 'notes.txt'), 'mine');
    for (const file of ['notes.txt', 'data/coatcheck.db', 'data']) {
      const { code, stdout, stderr } = await backup(file);
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.equal(
        `${join(cwd, file)} exists already, and no backup is written over it: name another file.\n`,
      );
    }
    expect(readFileSync(join(cwd, 'notes.txt'), 'utf8')).to.equal('mine');
  });

  it('leaves nothing behind where it cannot write', async () => {
    const { code, stderr } = await backup('nowhere/copy.db');
    expect(code).to.equal(1);
    expect(stderr).to.match(/^The backup cannot be written: ENOENT: [^\n]+\n$/);
    expect(readdirSync(cwd).toSorted()).to.deep.equal(['.env', 'data']);
  });

  it('says that there is no database, or none of Coatcheck, and makes none', async () => {
    rmSync(join(cwd, 'data'), { recursive: true });
    const none = await backup('copy.db');
    expect([none.code, none.stderr]).to.deep.equal([
      1,
      `There is no database to back up: ${database()}\n`,
    ]);
    expect(existsSync(join(cwd, 'data'))).to.be.false;

    mkdirSync(join(cwd, 'data'));
    const other = new DatabaseSync(database());
    other.exec('create table users (id)');
    other.close();
    const foreign = await backup('copy.db');
    expect([foreign.code, foreign.stderr]).to.deep.equal([
      1,
      'The database has no tables of Coatcheck: is DATABASE_URL right?\n',
    ]);

    writeFileSync(
      database(),
      'this is a text, and a long one, in place of a database. '.repeat(99),
    );
    const text = await backup('copy.db');
    expect(text.code).to.equal(1);
    expect(text.stderr).to.include('is not an SQLite database');
    expect(readdirSync(cwd).toSorted()).to.deep.equal(['.env', 'data']);
  });

  it('keeps no copy of a database that is damaged', async () => {
    const { size } = statSync(database());
    const bytes = readFileSync(database());
    bytes.fill(0xff, 4096 + 200, 4096 * 3); // the pages after the first
    writeFileSync(database(), bytes);
    truncateSync(database(), size);
    const { code, stderr } = await backup('copy.db');
    expect(code).to.equal(1);
    expect(stderr).to.match(/^The database is damaged/);
    expect(readdirSync(cwd).toSorted()).to.deep.equal(['.env', 'data']);
  });

  it('does not bring the tables of another version up to date', async () => {
    const database_ = new DatabaseSync(database());
    database_.exec('drop table api_clients');
    database_.close();
    expect((await backup('copy.db')).code).to.equal(0);
    for (const file of [database(), join(cwd, 'copy.db')]) {
      const opened = new DatabaseSync(file, { readOnly: true });
      const found = opened.prepare(`select 1 from sqlite_schema where name = 'api_clients'`).get();
      opened.close();
      expect(found).to.equal(undefined);
    }
  });

  it('is one moment of a database that is written to all the time', async () => {
    const writer = new DatabaseSync(database());
    writer.exec('create table pairs (one, other, weight)');
    const insert = writer.prepare('insert into pairs values (?, ?, randomblob(4000))');
    writer.exec('begin');
    for (let n = 0; n < 5000; n += 1) insert.run(n, n); // 20 MB, several steps of the copy
    writer.exec('commit');
    let written = 5000;
    const copying = { done: false };
    const outcome = backup('copy.db').finally(() => (copying.done = true));
    while (!copying.done) {
      writer.exec('begin');
      insert.run(written, written + 1);
      insert.run(written + 1, written);
      writer.exec('commit');
      written += 2;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await outcome).code).to.equal(0);
    writer.close();
    const copy = new DatabaseSync(join(cwd, 'copy.db'), { readOnly: true });
    const sums = copy
      .prepare('select count(*) as n, sum(one) - sum(other) as off from pairs')
      .get();
    copy.close();
    expect(sums?.['off'], 'no half of a transaction').to.equal(0);
    expect(Number(sums?.['n'])).to.be.at.least(5000).and.below(written);
  });

  it('shows on a terminal how far it is', async function () {
    if (!hasPseudoTerminal()) this.skip();
    const writer = new DatabaseSync(database());
    writer.exec('create table weight (x)');
    const insert = writer.prepare('insert into weight values (zeroblob(10000000))');
    for (let n = 0; n < 3; n += 1) insert.run();
    writer.close();
    const { code, screen } = await runOnTerminal(['backup', 'copy.db'], cwd, []);
    expect(code).to.equal(0);
    expect(screen).to.match(/^(\rCopying: \d+ %)+\rCopying: 100 %\r\nBacked up 1 user and /);
  });

  it('leaves PostgreSQL to its own program, and says how', async () => {
    const env = { DATABASE_URL: 'postgres://coat:s3cret@db.example.org/coatcheck?pool_size=5' };
    const { code, stdout, stderr } = await run(['backup', 'copy.dump'], { cwd, env });
    expect([code, stdout]).to.deep.equal([1, '']);
    expect(stderr).to
      .equal(`PostgreSQL brings its own program for backups, which runs while the service does:
  pg_dump --format=custom --file=copy.dump postgres://coat@db.example.org/coatcheck
It takes the password from PGPASSWORD or ~/.pgpass, or asks for it.
`);
  });

  it('names the program for PostgreSQL, with everything but the password', () => {
    const text = ofPostgres(
      'postgres://coat:s3cret%20word@db.example.org:5433/coatcheck?sslmode=verify-full&pool_size=20',
      "it's.dump",
    );
    expect(text).to.include(
      String.raw`pg_dump --format=custom --file='it'\''s.dump' 'postgres://coat@db.example.org:5433/coatcheck?sslmode=verify-full'`,
    );
    expect(text).not.to.include('s3cret').and.not.to.include('pool');
  });
});
