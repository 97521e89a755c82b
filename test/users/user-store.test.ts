import { openDatabase } from '../../storage/database.ts';
import { sqlUserStore } from '../../users/user-store.ts';
import { type UserEngine, userStoreContract } from '../contracts/user-store.ts';
import { TestClock } from '../support/clock.ts';
import { temporaryDatabase } from '../support/database.ts';

async function sqliteUsers(): Promise<UserEngine> {
  const temporary = await temporaryDatabase();
  const other = await openDatabase(`sqlite:${temporary.file}`);
  const clock = new TestClock();
  return {
    users: sqlUserStore(temporary.database, clock),
    otherProcess: sqlUserStore(other, clock),
    clock,
    async [Symbol.asyncDispose]() {
      await other.close();
      await temporary[Symbol.asyncDispose]();
    },
  };
}

userStoreContract('SQLite', sqliteUsers);
