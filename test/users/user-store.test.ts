import { sqlUserStore } from '../../users/sql-user-store.ts';
import { type UserEngine, userStoreContract } from '../contracts/user-store.ts';
import { TestClock } from '../support/clock.ts';
import { type Engine, onEngines, temporaryDatabase } from '../support/database.ts';

async function sqlUsers(engine: Engine): Promise<UserEngine> {
  const temporary = await temporaryDatabase(engine);
  const clock = new TestClock();
  return {
    users: sqlUserStore(temporary.database, clock),
    otherProcess: sqlUserStore(await temporary.another(), clock),
    clock,
    database: temporary.database,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

onEngines((engine) => userStoreContract(engine, () => sqlUsers(engine)));
