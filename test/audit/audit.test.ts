import { auditContract } from '../contracts/audit.ts';
import { onEngines, temporaryDatabase } from '../support/database.ts';

onEngines((engine) =>
  auditContract(engine, async () => {
    const temporary = await temporaryDatabase(engine);
    return {
      database: temporary.database,
      otherProcess: await temporary.another(),
      [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
    };
  }),
);
