import { DatabaseSync } from 'node:sqlite';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { SqlSessionStore } from '../../sessions/sql-store.ts';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import type { Database } from '../../storage/database.ts';
import { sqlStatusLists } from '../../tokens/status-lists.ts';
import { expressSessionContract } from '../contracts/express-session-store.ts';
import { type SessionEngine, sessionStoreContract } from '../contracts/session-store.ts';
import { StorageError } from '../../core/errors.ts';
import { DAY, SECOND, TestClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { refuse } from '../support/refuse.ts';
import { type Engine, onEngines, temporaryDatabase, temporaryFile } from '../support/database.ts';

const FAILURES = {
  'removing a session': ['delete', 'sessions'],
  'revoking an entry': ['update', 'status_entries'],
} as const;

/** All rows, as one text. */
async function everyRow({ kysely }: Database): Promise<string> {
  const rows = await kysely.selectFrom('sessions').selectAll().execute();
  return JSON.stringify([rows, await kysely.selectFrom('status_entries').selectAll().execute()]);
}

/** All that is in a directory, as one text. */
function everyFile(directory: string): string {
  const names = readdirSync(directory);
  return names.map((name) => readFileSync(join(directory, name), 'latin1')).join('\n');
}

async function sqlSessions(engine: Engine, lifetime: SessionLifetime): Promise<SessionEngine> {
  const temporary = await temporaryDatabase(engine);
  const { database, url } = temporary;
  const other = await temporary.another();
  const clock = new TestClock();
  return {
    store: new SqlSessionStore(database, clock, lifetime),
    otherProcess: new SqlSessionStore(other, clock, lifetime),
    clock,
    database,
    statusLists: sqlStatusLists(database, clock),
    async fail(step) {
      const [event, table] = FAILURES[step];
      await refuse(database, engine, event, table);
    },
    async count() {
      return (await database.kysely.selectFrom('sessions').select('id_hash').execute()).length;
    },
    async atRest() {
      if (engine === 'PostgreSQL') return everyRow(database);
      return everyFile(dirname(url.slice('sqlite:'.length)));
    },
    breakDown: () => database.close(),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

onEngines((engine) => {
  const open = (lifetime: SessionLifetime) => sqlSessions(engine, lifetime);
  sessionStoreContract(engine, open);
  expressSessionContract(engine, open);
});

describe('sessions in SQLite, when another process holds the database for long', () => {
  const lifetime = { idleTimeout: DAY / SECOND, lifetime: (7 * DAY) / SECOND };

  it('can be read, and say why they cannot be written', async () => {
    await using temporary = await temporaryFile();
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
