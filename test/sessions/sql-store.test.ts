import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SqlSessionStore } from '../../sessions/sql-store.ts';
import type { SessionLifetime } from '../../sessions/lifetime.ts';
import { openDatabase } from '../../storage/database.ts';
import { type SessionEngine, sessionStoreContract } from '../contracts/session-store.ts';
import { TestClock } from '../support/clock.ts';
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
void [hash, expect];
