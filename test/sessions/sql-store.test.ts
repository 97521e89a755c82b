import { DatabaseSync } from 'node:sqlite';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SqlSessionStore } from '../../sessions/sql-store.ts';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import { openDatabase } from '../../storage/database.ts';
import { type SessionEngine, sessionStoreContract } from '../contracts/session-store.ts';
import { StorageError } from '../../core/errors.ts';
import { DAY, SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { temporaryDatabase } from '../support/database.ts';

async function sqliteSessions(lifetime: SessionLifetime): Promise<SessionEngine> {
  const { database, directory, file, ...temporary } = await temporaryDatabase();
  const other = await openDatabase(`sqlite:${file}`);
  const clock = new TestClock();
  return {
    store: new SqlSessionStore(database, clock, lifetime),
    otherProcess: new SqlSessionStore(other, clock, lifetime),
    clock,
    async count() {
      return (await database.kysely.selectFrom('sessions').select('id_hash').execute()).length;
    },
    atRest: () =>
      Promise.resolve(
        readdirSync(directory)
          .map((name) => readFileSync(join(directory, name), 'latin1'))
          .join('\n'),
      ),
    breakDown: () => database.close(),
    async [Symbol.asyncDispose]() {
      await other.close();
      await temporary[Symbol.asyncDispose]();
    },
  };
}

sessionStoreContract('SQLite', sqliteSessions);

describe('sessions in SQLite, when another process holds the database for long', () => {
  const lifetime = { idleTimeout: DAY / SECOND, lifetime: (7 * DAY) / SECOND };

  it('can be read, and say why they cannot be written', async () => {
    await using temporary = await temporaryDatabase();
    const store = new SqlSessionStore(temporary.database, new TestClock(), lifetime);
    const holder = new DatabaseSync(temporary.file);
    holder.exec('BEGIN EXCLUSIVE');
    expect(await store.list()).to.deep.equal([]);
    const failure = await failureOf(store.revoke('some session'));
    expect(failure).to.be.instanceOf(StorageError);
    expect(failure.message).to.match(/locked by another process/);
    holder.exec('ROLLBACK');
    expect(await store.revoke('some session')).to.be.false;
    holder.close();
  });
});
