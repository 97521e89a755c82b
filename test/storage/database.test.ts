import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { sql } from 'kysely';
import { SettingsError, StorageError } from '../../core/errors.ts';
import { openDatabase } from '../../storage/database.ts';
import { migrations } from '../../storage/migrations/index.ts';
import { sqlUserStore } from '../../users/sql-user-store.ts';
import { TestClock } from '../support/clock.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { failureOf } from '../support/failure.ts';
import { runModule } from '../support/process.ts';
import { smallDisk } from '../support/small-disk.ts';

describe('the database', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let file: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    file = join(directory.path, 'test.db');
  });
  afterEach(() => directory[Symbol.dispose]());

  const open = () => openDatabase(`sqlite:${file}`);

  /** Makes the database and puts a user in it. */
  async function filled(): Promise<void> {
    const database = await open();
    await sqlUserStore(database, new TestClock()).add({ username: 'ada' });
    await database.close();
  }

  async function usernames(): Promise<string[]> {
    const database = await open();
    try {
      return (await sqlUserStore(database, new TestClock()).list()).map(({ username }) => username);
    } finally {
      await database.close();
    }
  }

  /** The names of the tables in the file. */
  function tables(): unknown[] {
    const database = new DatabaseSync(file);
    try {
      return database
        .prepare("select name from sqlite_master where type = 'table'")
        .all()
        .map(({ name }) => name);
    } finally {
      database.close();
    }
  }

  /** The message of the storage error that opening fails with; it names the file. */
  async function fault(kind: typeof StorageError | typeof SettingsError = StorageError) {
    const error = await failureOf(open());
    expect(error).to.be.instanceOf(kind);
    expect(error.message).to.include(file);
    return error.message;
  }

  describe('that is not there yet', () => {
    it('is made with its directories, for this user alone', async () => {
      file = join(directory.path, 'new', 'deep', 'test.db');
      await (await open()).close();
      expect(statSync(file).mode & 0o777).to.equal(0o600);
      for (const made of ['new', 'new/deep']) {
        expect(statSync(join(directory.path, made)).mode & 0o777).to.equal(0o700);
      }
    });

    it('keeps its companions for this user alone as well', async () => {
      const database = await open();
      for (const suffix of ['-wal', '-shm'])
        expect(statSync(file + suffix).mode & 0o777).to.equal(0o600);
      await database.close();
    });

    it('may have blanks, quotes, per cent and question marks in its path', async () => {
      file = join(directory.path, `it's a "new" 100%25?mode=memory#x`, 'é.db');
      await filled();
      expect(await usernames()).to.deep.equal(['ada']);
      expect(statSync(file).size).to.be.greaterThan(0);
    });

    it('writes ahead, to the disk before it answers', async () => {
      const database = await open();
      const pragma = async (name: string): Promise<unknown> => {
        const { rows } = await sql
          .raw<Record<string, unknown>>(`pragma ${name}`)
          .execute(database.kysely);
        return Object.values(rows[0] ?? {})[0];
      };
      expect(await pragma('journal_mode')).to.equal('wal');
      expect(await pragma('synchronous')).to.equal(2);
      expect(await pragma('foreign_keys')).to.equal(1);
      await database.close();
    });

    it('can be opened by several processes at once: each migrates, or waits', async function () {
      this.timeout(120_000);
      const source = `
        import { openDatabase } from '#repo/storage/database.ts';
        const database = await openDatabase('sqlite:' + process.argv[1]);
        await database.ping();
        await database.close();
        console.log('done');
      `;
      const runs = await Promise.all(Array.from({ length: 4 }, () => runModule(source, file)));
      for (const run of runs) expect(run).to.deep.equal({ code: 0, output: 'done\n' });
      expect(tables()).to.include.members(['users', 'sessions']);
    });
  });

  describe('that is there', () => {
    it('keeps what is in it, however often it is opened', async () => {
      await filled();
      for (let round = 0; round < 3; round += 1) expect(await usernames()).to.deep.equal(['ada']);
    });

    it('can be closed twice', async () => {
      const database = await open();
      await database.close();
      await database.close();
    });

    it('does not answer once it is closed', async () => {
      const database = await open();
      await database.ping();
      await database.close();
      await failureOf(database.ping());
    });
  });

  describe('that another process has locked', () => {
    /** Another process that holds the lock until it is told to let go. */
    async function locker(): Promise<() => Promise<void>> {
      const source = `
        import { DatabaseSync } from 'node:sqlite';
        const database = new DatabaseSync(process.argv[1]);
        database.exec('BEGIN EXCLUSIVE');
        console.log('locked');
        process.stdin.once('end', () => database.close()).resume();
      `;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', source, '--', file], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      return async () => {
        child.stdin.end();
        await once(child, 'close');
      };
    }

    it('is an error that says so soon while it is still empty, and works again afterwards', async () => {
      writeFileSync(file, '');
      const unlock = await locker();
      try {
        const before_ = performance.now();
        expect(await fault()).to.match(
          /is locked by another process: end that process, or try again/,
        );
        expect(performance.now() - before_).to.be.below(6000);
      } finally {
        await unlock();
      }
      await (await open()).close();
    });

    it('can be opened and read once it has all its tables', async () => {
      await filled();
      const unlock = await locker();
      try {
        expect(await usernames()).to.deep.equal(['ada']);
      } finally {
        await unlock();
      }
    });
  });

  describe('that is damaged', () => {
    it('is an error when it is no database at all', async () => {
      writeFileSync(file, 'this is a letter to a friend, and not a database\n'.repeat(100));
      const before_ = readFileSync(file);
      expect(await fault()).to.match(/is not an SQLite database: set DATABASE_URL to another file/);
      expect(readFileSync(file)).to.deep.equal(before_);
    });

    it('is an error when its pages are overwritten', async () => {
      await filled();
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 100);
      writeFileSync(file, bytes);
      expect(await fault()).to.match(
        /is damaged: restore it from a backup|is not an SQLite database/,
      );
      expect(readFileSync(file)).to.deep.equal(bytes);
    });

    it('is an error when its end is missing', async () => {
      await filled();
      truncateSync(file, 5000);
      expect(await fault()).to.match(
        /is damaged: restore it from a backup|is not an SQLite database/,
      );
    });

    it('is an error when it is a directory', async () => {
      mkdirSync(file);
      expect(await fault()).to.match(/cannot be opened/);
    });

    it('is an error when its directory is a file', async () => {
      file = join(directory.path, 'letter', 'test.db');
      writeFileSync(join(directory.path, 'letter'), '');
      const error = await failureOf(open());
      expect(error).to.be.instanceOf(StorageError);
      expect(error.message).to.match(/cannot be opened.*letter/);
    });
  });

  describe('of another version', () => {
    it('is an error when it has been migrated further', async () => {
      await filled();
      const newer = new DatabaseSync(file);
      newer.exec(
        "insert into kysely_migration values ('9999-from-the-future', '2099-01-01T00:00:00.000Z')",
      );
      newer.close();
      const last = Object.keys(migrations).at(-1) ?? '';
      expect(await fault(SettingsError)).to.include(
        `DATABASE_URL names a database that a newer version of Coatcheck has migrated: it has the migration 9999-from-the-future, and the last one that this version knows is ${last}. Run that version, or one that is newer still`,
      );
    });

    it('is as it was when a migration fails half way', async () => {
      await filled();
      migrations['9998-fails-half-way'] = {
        async up(db) {
          await db.schema.createTable('half').addColumn('id', 'text').execute();
          await sql`update users set username = 'changed'`.execute(db);
          throw new Error('half way');
        },
      };
      try {
        expect((await failureOf(open())).message).to.equal('half way');
      } finally {
        delete migrations['9998-fails-half-way'];
      }
      expect(tables()).not.to.include('half');
      expect(await usernames()).to.deep.equal(['ada']);
    });

    it('is empty as before when the first migrations fail half way', async () => {
      migrations['9998-fails-half-way'] = { up: () => Promise.reject(new Error('half way')) };
      try {
        await failureOf(open());
      } finally {
        delete migrations['9998-fails-half-way'];
      }
      expect(tables()).to.deep.equal([]);
      await filled();
    });
  });

  describe('that may not be written', () => {
    /** Runs a step as a user who is not root, to whom permissions apply. Others than root are that already. */
    async function unprivileged<T>(step: () => Promise<T>): Promise<T> {
      const { geteuid, seteuid } = process;
      if (geteuid?.() !== 0 || seteuid === undefined) return step();
      chmodSync(directory.path, statSync(directory.path).mode | 0o055);
      seteuid(65_534);
      try {
        return await step();
      } finally {
        seteuid(0);
      }
    }

    it('is an error when the file is read-only', async () => {
      await filled();
      chmodSync(file, 0o444);
      expect(await unprivileged(fault)).to.match(/cannot be opened: EACCES|is read-only/);
    });

    it('is an error when its directory is', async () => {
      await filled();
      chmodSync(file, 0o666);
      chmodSync(directory.path, 0o555);
      expect(await unprivileged(fault)).to.match(/cannot be opened|is read-only/);
      chmodSync(directory.path, 0o755);
    });

    it('is an error when it cannot be made', async () => {
      chmodSync(directory.path, 0o555);
      expect(await unprivileged(fault)).to.match(/cannot be opened: EACCES/);
      chmodSync(directory.path, 0o755);
    });
  });

  describe('on a full disk', () => {
    const noRoom = /cannot grow, the disk is full: make room on it/;

    it('refuses what does not fit, keeps the rest, and goes on when there is room again', async () => {
      await filled();
      const database = await open();
      const users = sqlUserStore(database, new TestClock());
      await sql`pragma max_page_count = 1`.execute(database.kysely); // no page more than there are
      const failure = await (async () => {
        for (let index = 0; index < 1000; index += 1)
          await users.add({ username: `u${index}`, name: 'x'.repeat(128) });
      })().catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(StorageError).with.property('message').that.matches(noRoom);
      const before_ = await users.list();
      expect(before_.map(({ username }) => username)).to.include('ada');
      await failureOf(users.add({ username: 'late', name: 'x'.repeat(128) }));
      expect(await users.list()).to.deep.equal(before_);
      await sql`pragma max_page_count = 1000000`.execute(database.kysely);
      await users.add({ username: 'late', name: 'x'.repeat(128) });
      await database.close();
      expect(await usernames()).to.include.members(['ada', 'late']);
    });

    it('is not made half, and is made when there is room again', async function () {
      this.timeout(120_000);
      using disk = smallDisk(directory.path, '16k');
      if (disk === undefined) return; // no right to mount one here: the test above has to do
      const source = `
        import { openDatabase } from '#repo/storage/database.ts';
        const opening = openDatabase('sqlite:' + process.argv[1]);
        console.log(await opening.then(() => 'opened', (error) => error.name + ': ' + error.message));
      `;
      const { output } = await runModule(source, file);
      expect(output).to.match(/^StorageError: The database .*(disk is full|disk error)/);
      disk.resize('8m');
      await filled();
      expect(await usernames()).to.deep.equal(['ada']);
    });
  });
});
