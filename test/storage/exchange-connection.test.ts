import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { DatabaseSync } from 'node:sqlite';
import { type Database, openDatabase } from '../../storage/database.ts';
import { StorageError } from '../../core/errors.ts';
import { failureOf } from '../support/failure.ts';
import { temporaryDirectory } from '../support/directory.ts';

describe('Reads at every exchange', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let database: Database;
  let file: string;
  let username: (parameters: readonly string[]) => Promise<{ username: string } | undefined>;

  beforeEach(async () => {
    directory = temporaryDirectory();
    file = `${directory.path}/test.db`;
    database = await openDatabase(`sqlite:${file}`);
    const byId = database.kysely.selectFrom('users').select('username').where('id', '=', '');
    username = database.prepareFirst(byId.compile());
    await database.kysely.insertInto('users').values(user('1', 'ada')).execute();
  });

  afterEach(async () => {
    await database.close();
    directory[Symbol.dispose]();
  });

  function user(id: string, name: string) {
    const empty = { email: null, email_canonical: null, name: null, password_hash: null };
    const times = { disabled_at: null, created_at: 0, updated_at: 0 };
    return {
      id,
      username: name,
      username_canonical: name,
      sign_outs: 0,
      roles: '[]',
      ...empty,
      ...times,
    };
  }

  it('include, in the same turn, what this process has written', async () => {
    expect(await username(['1'])).to.deep.equal({ username: 'ada' });
    await database.kysely.updateTable('users').set({ username: 'Ada' }).execute();
    expect(await username(['1'])).to.deep.equal({ username: 'Ada' });
    await database.kysely.deleteFrom('users').execute();
    expect(await username(['1'])).to.equal(undefined);
  });

  it('include, in the same turn, what was written without waiting for the disk', async () => {
    const rename = database.prepareRelaxed(
      database.kysely.updateTable('users').set({ username: '' }).where('id', '=', '').compile(),
    );
    expect(await username(['1'])).to.deep.equal({ username: 'ada' });
    await rename(['Ada', '1']);
    expect(await username(['1'])).to.deep.equal({ username: 'Ada' });
  });

  it('and a write without waiting for the disk are not in the way of a transaction that goes on', async () => {
    const rename = database.prepareRelaxed(
      database.kysely.updateTable('users').set({ username: '' }).where('id', '=', '').compile(),
    );
    let renamed: Promise<unknown> | undefined;
    await database.kysely.transaction().execute(async (db) => {
      await db.updateTable('users').set({ name: 'Ada Lovelace' }).execute();
      renamed = rename(['Ada', '1']);
      expect(await username(['1'])).to.deep.equal({ username: 'ada' });
    });
    await renamed;
    expect(await username(['1'])).to.deep.equal({ username: 'Ada' });
  });

  it('include, in the next turn, what another process has written', async () => {
    const other = new DatabaseSync(file);
    try {
      expect(await username(['1'])).to.deep.equal({ username: 'ada' });
      other.exec("update users set username = 'Ada'");
      await nextTurn();
      expect(await username(['1'])).to.deep.equal({ username: 'Ada' });
      other.exec('delete from users');
      await nextTurn();
      expect(await username(['1'])).to.equal(undefined);
    } finally {
      other.close();
    }
  });

  it('hold no look at the database open between turns: the log can be folded back', async () => {
    expect(await username(['1'])).to.deep.equal({ username: 'ada' });
    await nextTurn();
    const other = new DatabaseSync(file);
    try {
      expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).to.include({ busy: 0 });
    } finally {
      other.close();
    }
  });

  it('look anew after so many of them, however long the turn is', async () => {
    const other = new DatabaseSync(file);
    try {
      expect(await username(['1'])).to.deep.equal({ username: 'ada' });
      other.exec("update users set username = 'Ada'");
      const reads = await Promise.all(Array.from({ length: 100 }, () => username(['1'])));
      expect(reads.at(-1)).to.deep.equal({ username: 'Ada' });
    } finally {
      other.close();
    }
  });

  it('fail while the file is damaged, and go on when it is restored, in the same process', async () => {
    await database.close(); // folds the log back into the file
    const whole = readFileSync(file);
    database = await openDatabase(`sqlite:${file}`);
    const byId = database.kysely.selectFrom('users').select('username').where('id', '=', '');
    username = database.prepareFirst(byId.compile());
    writeFileSync(file, Buffer.from(whole).fill(0xa5, 4096));
    expect(await failureOf(username(['1']))).to.be.instanceOf(StorageError);
    await nextTurn(); // in which the look is ended: an error there would be nobody's to catch
    writeFileSync(file, whole);
    expect(await username(['1'])).to.deep.equal({ username: 'ada' });
  });
});
