import pino from 'pino';
import { redisAddress } from '../../storage/redis-address.ts';
import { RedisConnection } from '../../storage/redis-connection.ts';
import { redisAttempts } from '../../users/redis-attempts.ts';
import { sqlAttempts } from '../../users/sql-attempts.ts';
import { attemptsContract, type AttemptEngine } from '../contracts/attempts.ts';
import { TestClock } from '../support/clock.ts';
import { type Engine, onEngines, temporaryDatabase } from '../support/database.ts';
import { redisKeys, skipWithoutRedis } from '../support/redis.ts';

/** Tests share a machine: none of these is about the deadline. Milliseconds. */
const PATIENT = 30_000;

async function inDatabase(engine: Engine): Promise<AttemptEngine> {
  const temporary = await temporaryDatabase(engine);
  const { database } = temporary;
  const clock = new TestClock();
  const others = [await temporary.another(), await temporary.another()];
  return {
    store: sqlAttempts(database, clock),
    otherProcesses: others.map((other) => sqlAttempts(other, clock)),
    clock,
    async kept() {
      const rows = await database.kysely.selectFrom('attempts').selectAll().execute();
      return rows.map((row) => Object.values(row).join(' ')).join('\n');
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

async function inRedis(): Promise<AttemptEngine> {
  const keys = await redisKeys();
  const address = redisAddress(keys.url);
  if (typeof address === 'string') throw new Error(address);
  const clock = new TestClock();
  const connections = [1, 2, 3].map(
    () => new RedisConnection(address, pino({ level: 'silent' }), PATIENT),
  );
  const [store, ...otherProcesses] = connections.map((redis) => redisAttempts(redis, clock));
  if (store === undefined) throw new Error('there is no store');
  return {
    store,
    otherProcesses,
    clock,
    async kept() {
      const names = await keys.names();
      const values = names.map((name) => keys.client.hGetAll(keys.prefix + name));
      return [...names, JSON.stringify(await Promise.all(values))].join('\n');
    },
    async [Symbol.asyncDispose]() {
      for (const redis of connections) redis.close();
      await keys[Symbol.asyncDispose]();
    },
  };
}

onEngines((engine) => attemptsContract(engine, () => inDatabase(engine)));

describe('with Redis,', () => {
  before(async function () {
    await skipWithoutRedis(this);
  });
  attemptsContract('Redis', inRedis);
});
